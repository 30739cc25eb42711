#include "net/names.h"

void names_init(struct names *n, struct ev_loop *ev)
{
    *n = (struct names){.ev = ev};
}

void names_fini(struct names *n)
{
    if (n->resolver)
        resolver_free(n->resolver);
    n->resolver = NULL;
}

enum rc names_look_up(struct names *n, struct lookup *l, const char *host, const char *port)
{
    enum rc rc = n->resolver ? RC_OK : resolver_new(n->ev, NULL, &n->resolver);
    return rc ? rc : lookup_start(l, n->resolver, host, port);
}
