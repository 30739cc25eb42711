#include "http/response.h"

#include "core/clock.h"

void response_init(struct response *r, struct arena *arena)
{
    *r = (struct response){.state = RESPONSE_OPEN, .status = 200, .arena = arena};
    bytes_init(&r->body, RESPONSE_QUEUE_HIGH);
}

void response_fini(struct response *r)
{
    bytes_fini(&r->body);
}

static bool has_ended(const struct response *r)
{
    return r->state >= RESPONSE_FINISHED;
}

/* RFC 9110 6.4.1 and 15.3.5, 15.4.5: these have neither content nor trailers, whatever the handler
 * writes. */
static bool has_content(const struct response *r)
{
    return !r->answers_head && r->status != 204 && r->status != 304;
}

bool response_supports_trailers(const struct response *r)
{
    if (r->framing == FRAMING_OWN)
        return true;
    return r->framing == FRAMING_CHUNKS && r->trailers_accepted && !r->length_set;
}

static bool has_trailers(const struct response *r)
{
    return r->trailers.count > 0 && has_content(r) && response_supports_trailers(r);
}

enum rc response_set_status(struct response *r, int status)
{
    if (r->state != RESPONSE_OPEN)
        return RC_STATE;
    if (status < 200 || status > 599)
        return RC_INVALID;
    r->status = status;
    return RC_OK;
}

static bool parse_length(struct str value, uint64_t *out)
{
    uint64_t length = 0;
    if (value.n == 0 || value.n > 18)
        return false;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value.p[i] - '0');
    }
    *out = length;
    return true;
}

/* Copies a checked name and value and appends them to a list. */
static enum rc append_copy(
    struct response *r, struct fields *list, struct str name, struct str value)
{
    enum rc rc = field_lower(r->arena, name, &name);
    if (rc)
        return rc;
    value = field_trim(value);
    const char *copy = arena_copy(r->arena, value.p, value.n);
    if (!copy)
        return RC_NOMEM;
    return fields_add(list, r->arena, name, (struct str){copy, value.n});
}

static enum rc check_header(const struct response *r, struct str name, struct str value)
{
    if (field_header_problem(name) || field_value_problem(value))
        return RC_INVALID;
    return r->state == RESPONSE_OPEN ? RC_OK : RC_STATE;
}

enum rc response_set_header(struct response *r, struct str name, struct str value)
{
    uint64_t length = 0;
    bool is_length = field_same_name(name, STR("content-length"));
    enum rc rc = check_header(r, name, value);
    if (!rc && is_length && !parse_length(field_trim(value), &length))
        rc = RC_INVALID;
    if (!rc)
        rc = response_remove_header(r, name);
    if (!rc)
        rc = append_copy(r, &r->head, name, value);
    if (!rc && is_length) {
        r->length_set = true;
        r->length = length;
    }
    return rc;
}

enum rc response_add_header(struct response *r, struct str name, struct str value)
{
    if (field_same_name(name, STR("content-length")))
        return response_set_header(r, name, value);
    enum rc rc = check_header(r, name, value);
    return rc ? rc : append_copy(r, &r->head, name, value);
}

enum rc response_remove_header(struct response *r, struct str name)
{
    if (r->state != RESPONSE_OPEN)
        return RC_STATE;
    if (field_same_name(name, STR("content-length")))
        r->length_set = false;
    fields_remove(&r->head, name);
    return RC_OK;
}

enum rc response_declare_trailer(struct response *r, struct str name)
{
    if (field_trailer_problem(name))
        return RC_INVALID;
    if (r->state != RESPONSE_OPEN)
        return RC_STATE;
    enum rc rc = field_lower(r->arena, name, &name);
    if (rc)
        return rc;
    struct field *f = fields_find(&r->head, STR("trailer"));
    if (!f)
        return fields_add(&r->head, r->arena, STR("trailer"), name);
    if (field_list_has(f->value, name))
        return RC_OK;
    char *joined = arena_alloc(r->arena, f->value.n + 2 + name.n);
    if (!joined)
        return RC_NOMEM;
    memcpy(joined, f->value.p, f->value.n);
    memcpy(joined + f->value.n, ", ", 2);
    memcpy(joined + f->value.n + 2, name.p, name.n);
    f->value = (struct str){joined, f->value.n + 2 + name.n};
    return RC_OK;
}

enum rc response_append_trailer(struct response *r, struct str name, struct str value)
{
    if (field_trailer_problem(name) || field_value_problem(value))
        return RC_INVALID;
    if (has_ended(r) || !response_supports_trailers(r))
        return RC_STATE;
    return append_copy(r, &r->trailers, name, value);
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
    return r->state == RESPONSE_OPEN ? RC_OK : RC_STATE;
}

enum rc response_inform(struct response *r, int status, const struct fields *fields)
{
    enum rc rc = check_inform(r, status, fields);
    if (rc)
        return rc;
    struct inform *inform = arena_alloc(r->arena, sizeof *inform);
    if (!inform)
        return RC_NOMEM;
    *inform = (struct inform){.status = status};
    for (size_t i = 0; !rc && i < fields->count; i++)
        rc = append_copy(r, &inform->fields, fields->list[i].name, fields->list[i].value);
    if (rc)
        return rc;
    struct inform **end = &r->informs;
    while (*end)
        end = &(*end)->next;
    *end = inform;
    return RC_OK;
}

enum rc response_start(struct response *r)
{
    if (has_ended(r))
        return RC_STATE;
    r->state = RESPONSE_STARTED;
    return RC_OK;
}

enum rc response_write(struct response *r, const char *data, size_t n, size_t *taken)
{
    *taken = 0;
    if (has_ended(r))
        return RC_STATE;
    if (r->length_set && n > r->length - r->written)
        return RC_LIMIT;
    r->state = RESPONSE_STARTED;
    if (has_content(r)) {
        if (n > bytes_room(&r->body))
            n = bytes_room(&r->body);
        enum rc rc = n ? bytes_append(&r->body, data, n) : RC_OK;
        if (rc)
            return rc;
    }
    r->written += n;
    *taken = n;
    return RC_OK;
}

enum rc response_finish(struct response *r)
{
    if (has_ended(r))
        return RC_STATE;
    if (r->length_set && r->written < r->length && has_content(r))
        return RC_LIMIT;
    r->state = RESPONSE_FINISHED;
    return RC_OK;
}

enum rc response_restart(struct response *r)
{
    if (r->head_taken || r->state >= RESPONSE_SENT)
        return RC_STATE;
    struct response was = *r;
    response_fini(r);
    response_init(r, r->arena);
    r->framing = was.framing;
    r->trailers_accepted = was.trailers_accepted;
    r->answers_head = was.answers_head;
    r->informs = was.informs;
    r->informs_submitted = was.informs_submitted;
    r->informs_handed = was.informs_handed;
    return RC_OK;
}

void response_abort(struct response *r)
{
    r->written = response_sent(r);
    bytes_fini(&r->body);
    if (r->state != RESPONSE_SENT)
        r->trailers.count = 0;
    r->informs = NULL;
    r->state = RESPONSE_ABORTED;
}

/* What follows the head once the queue is empty. */
static enum response_step next_after_body(const struct response *r)
{
    if (r->state != RESPONSE_FINISHED)
        return RESPONSE_NOTHING;
    return has_trailers(r) ? RESPONSE_TRAILERS : RESPONSE_END;
}

enum response_step response_next(const struct response *r)
{
    if (r->state == RESPONSE_OPEN || r->state >= RESPONSE_SENT)
        return RESPONSE_NOTHING;
    enum response_step rest = r->body.len ? RESPONSE_BODY : next_after_body(r);
    if (r->head_taken)
        return rest;
    return rest == RESPONSE_END ? RESPONSE_HEAD_END : RESPONSE_HEAD;
}

/* A response that is whole before its head goes carries its length; one with trailers does not, so
 * that it is framed alike by every version of HTTP. A handler that writes nothing for HEAD has not
 * said what GET would give (RFC 9110 8.6). */
static bool wants_length(const struct response *r)
{
    if (r->answers_head && r->written == 0)
        return false;
    return r->state == RESPONSE_FINISHED && !r->length_set && r->status != 204 &&
           r->status != 304 && !(r->trailers.count && response_supports_trailers(r));
}

static enum rc add_length(struct response *r)
{
    char digits[20], *first = digits + sizeof digits;
    uint64_t rest = r->written;
    do
        *--first = (char)('0' + rest % 10);
    while (rest /= 10);
    size_t n = (size_t)(digits + sizeof digits - first);
    const char *copy = arena_copy(r->arena, first, n);
    if (!copy)
        return RC_NOMEM;
    return fields_add(&r->head, r->arena, STR("content-length"), (struct str){copy, n});
}

/* What has a length, or no body, needs no other mark of its end. */
static void settle_framing(struct response *r)
{
    bool delimited = !has_content(r) || r->length_set || r->state == RESPONSE_FINISHED;
    if (r->framing != FRAMING_OWN && delimited && !has_trailers(r))
        r->framing = FRAMING_LENGTH;
}

enum rc response_take_head(struct response *r)
{
    enum rc rc = RC_OK;
    if (!fields_find(&r->head, STR("date")))
        rc = fields_add(
            &r->head, r->arena, STR("date"), (struct str){clock_http_date(), CLOCK_DATE_LEN});
    if (!rc && r->status == 204)
        fields_remove(&r->head, STR("content-length"));
    if (!rc && wants_length(r))
        rc = add_length(r);
    if (rc)
        return rc;
    if (!response_supports_trailers(r))
        fields_remove(&r->head, STR("trailer"));
    settle_framing(r);
    r->head_taken = true;
    return RC_OK;
}

bool response_over(const struct response *r)
{
    return r->state >= RESPONSE_SENT;
}

uint64_t response_sent(const struct response *r)
{
    return has_content(r) ? r->written - r->body.len : 0;
}
