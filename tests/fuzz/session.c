/* libFuzzer: what a client may send to a session of HTTP/2, behind its preface. */
#include "h2/limits.h"
#include "h2/server.h"
#include "http/limits.h"
#include "support/cost.h"
#include "support/support.h"

#include <stdlib.h>

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void run(const uint8_t *data, size_t size)
{
    struct fuzz f;
    fuzz_begin(&f);
    if (h2_server_new(&f.host, &http_limits_default, &h2_limits_default, &f.session))
        abort();
    if (!f.session->ops->recv(f.session, preface, sizeof preface - 1))
        fuzz_feed(&f, data, size);
    fuzz_end(&f, COST_HTTP_2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cost_repeat(run, data, size, 0);
    return 0;
}
