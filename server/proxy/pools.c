#include "proxy/pools.h"

#include "core/mem.h"
#include "http/field.h"

struct named_upstreams {
    struct named_upstreams *next;
    struct str name;
    struct upstreams upstreams;
};

/* The place of a name: where it is, or the end. */
static struct named_upstreams **place_of(struct pools *p, struct str name)
{
    struct named_upstreams **at = &p->first;
    while (*at && !str_eq((*at)->name, name))
        at = &(*at)->next;
    return at;
}

enum rc pools_add(struct pools *p, const char *text, char why[ORIGIN_WHY])
{
    const char *mark = strchr(text, '=');
    struct str name = {text, mark ? (size_t)(mark - text) : 0};
    if (field_name_problem(name)) {
        snprintf(why, ORIGIN_WHY, "upstream-pool \"%.100s\" is no NAME=URL", text);
        return RC_INVALID;
    }
    struct named_upstreams **at = place_of(p, name);
    if (!*at)
        *at = mem_get_zeroed(sizeof **at);
    if (!*at) {
        snprintf(why, ORIGIN_WHY, "%s", rc_text(RC_NOMEM));
        return RC_NOMEM;
    }
    (*at)->name = name;
    return upstreams_add(&(*at)->upstreams, str_of(mark + 1), why);
}

void pools_fini(struct pools *p)
{
    while (p->first) {
        struct named_upstreams *one = p->first;
        p->first = one->next;
        mem_put(one, sizeof *one);
    }
}

struct upstreams *pools_find(const struct pools *p, struct str name)
{
    struct named_upstreams *one = p->first;
    while (one && !str_eq(one->name, name))
        one = one->next;
    return one ? &one->upstreams : NULL;
}

void pools_print(const struct pools *p, FILE *out)
{
    for (const struct named_upstreams *one = p->first; one; one = one->next)
        for (size_t i = 0; i < one->upstreams.count; i++)
            fprintf(out, "upstream:%.*s  %s\n", (int)one->name.n, one->name.p,
                one->upstreams.list[i].url.p);
}
