/* Responses of HTTP/1.x, to calls. */
#include "h1/client.h"
#include "http/limits.h"
#include "support/calls.h"
#include "support/cost.h"
#include "support/support.h"

static enum rc open_session(struct session_host *host, struct session **out)
{
    return h1_client_new(host, &http_limits_default, out);
}

static void run(const uint8_t *data, size_t size)
{
    fuzz_calls(open_session, COST_HTTP_1, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cost_repeat(run, data, size, 1);
    return 0;
}
