#include "http/response.h"

#include "core/clock.h"

void response_init(struct response *r, struct arena *arena)
{
    outgoing_init(&r->out, arena);
    r->status = 200;
    r->answers_head = false;
    r->informs = NULL;
    r->informs_submitted = r->informs_handed = 0;
}

void response_fini(struct response *r)
{
    outgoing_fini(&r->out);
}

/* RFC 9110 6.4.1 and 15.3.5, 15.4.5: these have neither content nor trailers. */
static bool is_bodiless(int status)
{
    return status == 204 || status == 304;
}

static void settle_content(struct response *r)
{
    r->out.no_content = r->answers_head || is_bodiless(r->status);
}

void response_answer(struct response *r, struct str method)
{
    r->answers_head = str_eq(method, STR("HEAD"));
    settle_content(r);
}

enum rc response_set_status(struct response *r, int status)
{
    if (r->out.state != OUTGOING_OPEN)
        return RC_STATE;
    if (status < 200 || status > 599)
        return RC_INVALID;
    r->status = status;
    settle_content(r);
    return RC_OK;
}

enum rc response_start_tunnel(struct response *r, int status)
{
    if (r->out.state != OUTGOING_OPEN)
        return RC_STATE;
    if (r->answers_head)
        return RC_INVALID;
    r->status = status;
    return outgoing_start_raw(&r->out);
}

static enum rc check_inform(const struct response *r, int status, const struct fields *fields)
{
    if (status < 100 || status > 199 || status == 101)
        return RC_INVALID;
    if (fields_find(fields, STR("content-length"))) /* RFC 9110 8.6 */
        return RC_INVALID;
    for (size_t i = 0; i < fields->count; i++)
        if (field_header_problem(fields->list[i].name) ||
            field_value_problem(fields->list[i].value))
            return RC_INVALID;
    return r->out.state == OUTGOING_OPEN ? RC_OK : RC_STATE;
}

enum rc response_inform(struct response *r, int status, const struct fields *fields)
{
    enum rc rc = check_inform(r, status, fields);
    if (rc)
        return rc;
    struct inform *inform = arena_alloc(r->out.arena, sizeof *inform);
    if (!inform)
        return RC_NOMEM;
    *inform = (struct inform){.status = status};
    for (size_t i = 0; !rc && i < fields->count; i++)
        rc =
            fields_copy(&inform->fields, r->out.arena, fields->list[i].name, fields->list[i].value);
    if (rc)
        return rc;
    struct inform **end = &r->informs;
    while (*end)
        end = &(*end)->next;
    *end = inform;
    return RC_OK;
}

enum rc response_restart(struct response *r)
{
    enum rc rc = outgoing_restart(&r->out);
    if (rc == RC_STATE)
        return rc;
    r->status = 200;
    settle_content(r);
    return rc;
}

void response_abort(struct response *r)
{
    outgoing_abort(&r->out);
    r->informs = NULL;
}

/* If a handler writes nothing for HEAD, the length that GET would have is unknown (RFC 9110
 * 8.6). */
static bool may_have_length(const struct response *r)
{
    return !is_bodiless(r->status) && (!r->answers_head || r->out.written > 0);
}

enum rc response_take_head(struct response *r)
{
    struct outgoing *o = &r->out;
    enum rc rc = RC_OK;
    if (!fields_find(&o->head, STR("date")))
        rc = fields_add(
            &o->head, o->arena, STR("date"), (struct str){clock_http_date(), CLOCK_DATE_LEN});
    if (!rc && r->status == 204)
        fields_remove(&o->head, STR("content-length"));
    return rc ? rc : outgoing_take_head(o, may_have_length(r));
}
