#include "net/protocol.h"

#include "h1/client.h"
#include "h1/server.h"
#include "h2/client.h"
#include "h2/limits.h"
#include "h2/server.h"
#include "http/session.h"
#include "net/loop.h"

#include <string.h>

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE = sizeof preface - 1 };

enum protocol protocol_of_alpn(const char *name)
{
    return name && strcmp(name, "h2") == 0 ? PROTOCOL_HTTP_2 : PROTOCOL_HTTP_1;
}

enum protocol protocol_of_bytes(size_t *seen, const uint8_t *data, size_t n)
{
    size_t left = PREFACE - *seen, compared = n < left ? n : left;
    if (memcmp(preface + *seen, data, compared) != 0)
        return PROTOCOL_HTTP_1;
    if (compared == left)
        return PROTOCOL_HTTP_2;
    *seen += compared;
    return PROTOCOL_UNKNOWN;
}

enum rc protocol_open(enum protocol protocol, size_t seen, struct session_host *host,
    const struct net_limits *limits, struct session **out)
{
    enum rc rc = protocol == PROTOCOL_HTTP_2 ? h2_server_new(host, limits->http, limits->h2, out)
                                             : h1_server_new(host, limits->http, out);
    if (!rc && seen)
        rc = (*out)->ops->recv(*out, preface, seen);
    return rc;
}

enum rc protocol_open_client(enum protocol protocol, struct session_host *host,
    const struct net_limits *limits, struct session **out)
{
    return protocol == PROTOCOL_HTTP_2 ? h2_client_new(host, limits->http, limits->h2, out)
                                       : h1_client_new(host, limits->http, out);
}
