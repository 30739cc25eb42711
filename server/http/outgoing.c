#include "http/outgoing.h"

#include "core/check.h"

/* Whether the drawing has this arrow; arrows back are not included. */
static bool may_become(const struct outgoing *o, enum outgoing_state state)
{
    switch (state) {
    case OUTGOING_OPEN:
        return false;
    case OUTGOING_STARTED:
    case OUTGOING_FINISHED:
        return o->state <= OUTGOING_STARTED;
    case OUTGOING_SENT:
        return o->state == OUTGOING_FINISHED;
    case OUTGOING_ABORTED:
        return true;
    }
    return false;
}

static void set_state(struct outgoing *o, enum outgoing_state state)
{
    check_hot(may_become(o, state));
    o->state = state;
}

void outgoing_init(struct outgoing *o, struct arena *arena)
{
    *o = (struct outgoing){.state = OUTGOING_OPEN, .arena = arena};
    bytes_init(&o->body, OUTGOING_QUEUE_HIGH);
}

static void free_filters(struct outgoing *o)
{
    struct filter_chain *filters = o->filters;
    o->filters = NULL;
    if (filters)
        filters_free(filters);
}

void outgoing_fini(struct outgoing *o)
{
    free_filters(o);
    bytes_fini(&o->body);
}

static bool has_ended(const struct outgoing *o)
{
    return o->state >= OUTGOING_FINISHED;
}

/* Whether content-length tells the length of what is sent. */
static bool has_length(const struct outgoing *o)
{
    return o->length_set && !(o->filters && o->filters->drops_length);
}

bool outgoing_supports_trailers(const struct outgoing *o)
{
    if (o->framing == FRAMING_OWN)
        return !o->raw;
    bool chunked = !has_length(o) || o->trailers.count; /* the length gives way to trailers */
    return o->framing == FRAMING_CHUNKS && o->trailers_accepted && chunked && !o->raw;
}

static bool has_trailers(const struct outgoing *o)
{
    return o->trailers.count > 0 && !o->no_content && outgoing_supports_trailers(o);
}

/* Whether the head may be changed: filters may, until they pass it on. */
static bool is_head_open(const struct outgoing *o)
{
    const struct filter_chain *c = o->filters;
    return o->state == OUTGOING_OPEN || (c && c->running && !c->head_passed);
}

static enum rc check_header(const struct outgoing *o, struct str name, struct str value)
{
    if (field_header_problem(name) || field_value_problem(value))
        return RC_INVALID;
    return is_head_open(o) ? RC_OK : RC_STATE;
}

enum rc outgoing_set_header(struct outgoing *o, struct str name, struct str value)
{
    uint64_t length = 0;
    bool is_length = field_same_name(name, STR("content-length"));
    enum rc rc = check_header(o, name, value);
    if (!rc && is_length && !field_parse_length(field_trim(value), &length))
        rc = RC_INVALID;
    if (!rc)
        rc = outgoing_remove_header(o, name);
    if (!rc)
        rc = fields_copy(&o->head, o->arena, name, value);
    if (!rc && is_length) {
        o->length_set = true;
        o->length = length;
    }
    return rc;
}

enum rc outgoing_add_header(struct outgoing *o, struct str name, struct str value)
{
    if (field_same_name(name, STR("content-length")))
        return outgoing_set_header(o, name, value);
    enum rc rc = check_header(o, name, value);
    return rc ? rc : fields_copy(&o->head, o->arena, name, value);
}

enum rc outgoing_remove_header(struct outgoing *o, struct str name)
{
    if (!is_head_open(o))
        return RC_STATE;
    if (field_same_name(name, STR("content-length")))
        o->length_set = false;
    fields_remove(&o->head, name);
    return RC_OK;
}

/* Whether the fields have this very one, not a copy of it. */
static bool has_same(const struct fields *f, const struct field *one)
{
    for (size_t i = 0; f && i < f->count; i++)
        if (f->list[i].name.p == one->name.p && f->list[i].value.p == one->value.p)
            return true;
    return false;
}

/* The strings of fields are never changed, so that they can be shared. */
static enum rc share_field(struct outgoing *o, struct fields *list, const struct field *f)
{
    if (str_eq(f->name, STR("content-length")))
        return RC_OK;
    return fields_add(list, o->arena, f->name, f->value);
}

/* Keeps what the head has but for what is only in before. */
static enum rc keep_but(struct outgoing *o, const struct fields *before)
{
    struct fields *list = arena_alloc(o->arena, sizeof *list);
    if (!list)
        return RC_NOMEM;
    *list = (struct fields){.count = 0};
    enum rc rc = RC_OK;
    for (size_t i = 0; !rc && i < o->head.count; i++) {
        const struct field *f = &o->head.list[i];
        if (!has_same(before, f) || has_same(o->stays, f))
            rc = share_field(o, list, f);
    }
    if (!rc)
        o->stays = list;
    return rc;
}

enum rc outgoing_keep_head(struct outgoing *o)
{
    if (!o->head.count && !o->stays)
        return RC_OK;
    return keep_but(o, NULL);
}

enum rc outgoing_keep_added(struct outgoing *o, const struct fields *before)
{
    return keep_but(o, before);
}

enum rc outgoing_declare_trailer(struct outgoing *o, struct str name)
{
    if (field_trailer_problem(name))
        return RC_INVALID;
    if (o->state != OUTGOING_OPEN)
        return RC_STATE;
    enum rc rc = field_lower(o->arena, name, &name);
    if (rc)
        return rc;
    struct field *f = fields_find(&o->head, STR("trailer"));
    if (!f)
        return fields_add(&o->head, o->arena, STR("trailer"), name);
    if (field_list_has(f->value, name))
        return RC_OK;
    char *joined = arena_alloc(o->arena, f->value.n + 2 + name.n);
    if (!joined)
        return RC_NOMEM;
    memcpy(joined, f->value.p, f->value.n);
    memcpy(joined + f->value.n, ", ", 2);
    memcpy(joined + f->value.n + 2, name.p, name.n);
    f->value = (struct str){joined, f->value.n + 2 + name.n};
    return RC_OK;
}

enum rc outgoing_append_trailer(struct outgoing *o, struct str name, struct str value)
{
    if (field_trailer_problem(name) || field_value_problem(value))
        return RC_INVALID;
    if (has_ended(o) || !outgoing_supports_trailers(o))
        return RC_STATE;
    return fields_copy(&o->trailers, o->arena, name, value);
}

enum rc outgoing_add_filter(struct outgoing *o, struct filter *f)
{
    if (o->state != OUTGOING_OPEN)
        return RC_STATE;
    if (!o->filters) {
        o->filters = arena_alloc(o->arena, sizeof *o->filters);
        if (!o->filters)
            return RC_NOMEM;
        *o->filters = (struct filter_chain){.first = NULL};
        o->body.max = OUTGOING_QUEUE_HIGH + FILTER_SLACK;
    }
    f->next = o->filters->first;
    o->filters->first = f;
    return RC_OK;
}

static enum rc flush_filters(struct outgoing *o)
{
    enum rc rc = filters_begin(o);
    return rc ? rc : filters_flush(o);
}

enum rc outgoing_start(struct outgoing *o)
{
    if (has_ended(o))
        return RC_STATE;
    set_state(o, OUTGOING_STARTED);
    return o->filters ? flush_filters(o) : RC_OK;
}

enum rc outgoing_start_raw(struct outgoing *o)
{
    enum rc rc = outgoing_remove_header(o, STR("content-length"));
    if (rc)
        return rc;
    o->raw = true;
    o->no_content = false;
    return outgoing_start(o);
}

static enum rc write_through_filters(struct outgoing *o, const char *data, size_t n, size_t *taken)
{
    enum rc rc = filters_begin(o);
    if (!rc && o->no_content)
        *taken = n;
    else if (!rc)
        rc = filters_write(o, data, n, taken);
    o->written += *taken;
    return rc;
}

static size_t room_of(const struct outgoing *o, size_t most)
{
    return o->body.len < most ? most - o->body.len : 0;
}

enum rc outgoing_write(struct outgoing *o, const char *data, size_t n, size_t *taken)
{
    *taken = 0;
    if (has_ended(o))
        return RC_STATE;
    if (o->length_set && n > o->length - o->written)
        return RC_LIMIT;
    set_state(o, OUTGOING_STARTED);
    if (o->filters)
        return write_through_filters(o, data, n, taken);
    if (!o->no_content) {
        if (o->body.len + n > o->body.max)
            n = room_of(o, o->body.max);
        enum rc rc = n ? bytes_append(&o->body, data, n) : RC_OK;
        if (rc)
            return rc;
    }
    o->written += n;
    *taken = n;
    return RC_OK;
}

/* Appends all of it, beyond the queue's maximum too. */
static enum rc append_whole(struct bytes *body, const char *data, size_t n)
{
    size_t max = body->max;
    body->max = SIZE_MAX;
    enum rc rc = bytes_append(body, data, n);
    body->max = max;
    return rc;
}

static enum rc write_whole(struct outgoing *o, const char *data, size_t n)
{
    enum rc rc = o->filters ? filters_begin(o) : RC_OK;
    if (rc || o->no_content)
        return rc;
    return o->filters ? filters_write_whole(o, data, n) : append_whole(&o->body, data, n);
}

enum rc outgoing_write_whole(struct outgoing *o, const char *data, size_t n, bool *taken)
{
    *taken = false;
    if (has_ended(o))
        return RC_STATE;
    if (o->length_set && n > o->length - o->written)
        return RC_LIMIT;
    if (o->body.len && n > room_of(o, OUTGOING_QUEUE_HIGH))
        return RC_OK;
    set_state(o, OUTGOING_STARTED);
    enum rc rc = write_whole(o, data, n);
    if (rc)
        return rc;
    o->written += n;
    *taken = true;
    return RC_OK;
}

static enum rc end_filters(struct outgoing *o)
{
    enum rc rc = filters_begin(o);
    return rc ? rc : filters_end(o);
}

enum rc outgoing_finish(struct outgoing *o)
{
    if (has_ended(o))
        return RC_STATE;
    if (o->length_set && o->written < o->length && !o->no_content)
        return RC_LIMIT;
    enum rc rc = o->filters ? end_filters(o) : RC_OK;
    if (!rc)
        set_state(o, OUTGOING_FINISHED);
    return rc;
}

void outgoing_abort(struct outgoing *o)
{
    o->written = outgoing_sent(o);
    free_filters(o);
    bytes_fini(&o->body);
    if (o->state != OUTGOING_SENT)
        o->trailers.count = 0;
    set_state(o, OUTGOING_ABORTED);
}

enum rc outgoing_restart(struct outgoing *o)
{
    struct outgoing was = *o;
    if (was.head_taken || was.state >= OUTGOING_SENT)
        return RC_STATE;
    bytes_fini(&o->body);
    outgoing_init(o, was.arena);
    o->framing = was.framing;
    o->trailers_accepted = was.trailers_accepted;
    o->filters = was.filters;
    o->body.max = was.body.max;
    if (o->filters)
        filters_restart(o->filters);
    o->stays = was.stays;
    enum rc rc = RC_OK;
    for (size_t i = 0; was.stays && !rc && i < was.stays->count; i++)
        rc = share_field(o, &o->head, &was.stays->list[i]);
    return rc;
}

/* Puts what sessions took in front of the rest again. Until it is sent once more, the queue holds
 * more than its maximum. */
static enum rc take_back(struct outgoing *o)
{
    size_t n;
    const char *piece;
    if (outgoing_sent(o) == 0)
        return RC_OK;
    if (!o->kept || o->kept->len != outgoing_sent(o))
        return RC_STATE;
    struct bytes all;
    bytes_init(&all, OUTGOING_QUEUE_HIGH + o->kept->max);
    struct bytes *parts[] = {o->kept, &o->body};
    for (size_t i = 0; i < 2; i++)
        for (; (piece = bytes_front(parts[i], &n)) && n; bytes_drop(parts[i], n))
            if (bytes_append(&all, piece, n)) {
                bytes_fini(&all);
                o->kept = NULL; /* the kept copy is incomplete */
                return RC_NOMEM;
            }
    o->body = all;
    return RC_OK;
}

enum rc outgoing_rewind(struct outgoing *o)
{
    if (o->state == OUTGOING_ABORTED)
        return RC_STATE;
    enum rc rc = take_back(o);
    if (rc)
        return rc;
    if (!o->length_set)
        fields_remove(&o->head, STR("content-length"));
    if (o->state == OUTGOING_SENT)
        o->state = OUTGOING_FINISHED; /* an arrow back */
    o->head_taken = o->head_handed = false;
    o->framing = FRAMING_OWN;
    return RC_OK;
}

/* The step after the head and the body. */
static enum outgoing_step next_after_body(const struct outgoing *o)
{
    if (o->state != OUTGOING_FINISHED)
        return OUTGOING_NOTHING;
    return has_trailers(o) ? OUTGOING_TRAILERS : OUTGOING_END;
}

enum outgoing_step outgoing_next(struct outgoing *o)
{
    if (o->state == OUTGOING_OPEN || o->state >= OUTGOING_SENT)
        return OUTGOING_NOTHING;
    if (o->filters && !filters_drain(o))
        return OUTGOING_FAILED;
    enum outgoing_step rest = o->body.len ? OUTGOING_BODY : next_after_body(o);
    if (o->head_taken)
        return rest;
    return rest == OUTGOING_END ? OUTGOING_HEAD_END : OUTGOING_HEAD;
}

static enum rc put_length(struct outgoing *o)
{
    char digits[20], *first = digits + sizeof digits;
    uint64_t rest = o->filters && !o->no_content ? o->filters->passed : o->written;
    do
        *--first = (char)('0' + rest % 10);
    while (rest /= 10);
    size_t n = (size_t)(digits + sizeof digits - first);
    const char *copy = arena_copy(o->arena, first, n);
    if (!copy)
        return RC_NOMEM;
    return fields_add(&o->head, o->arena, STR("content-length"), (struct str){copy, n});
}

/* Whether the length of the body is known. Filters that change it see no body if the response has
 * no content. */
static bool is_length_known(const struct outgoing *o)
{
    return !(o->filters && o->filters->drops_length && o->no_content);
}

/* A message that has a length, or no body, needs no other mark of its end. */
static void settle_framing(struct outgoing *o)
{
    if (o->raw)
        o->framing = FRAMING_RAW;
    bool delimited = o->no_content || has_length(o) || o->state == OUTGOING_FINISHED;
    if (!o->raw && o->framing != FRAMING_OWN && delimited && !has_trailers(o))
        o->framing = FRAMING_LENGTH;
}

enum rc outgoing_take_head(struct outgoing *o, bool add_length)
{
    bool whole = o->state == OUTGOING_FINISHED && !o->raw && !has_length(o) &&
                 !(o->trailers.count && outgoing_supports_trailers(o));
    if (add_length && whole && is_length_known(o) && put_length(o))
        return RC_NOMEM;
    if (!outgoing_supports_trailers(o))
        fields_remove(&o->head, STR("trailer"));
    settle_framing(o);
    if (o->framing == FRAMING_CHUNKS && o->length_set) /* RFC 9112 6.2 */
        fields_remove(&o->head, STR("content-length"));
    o->head_taken = true;
    return RC_OK;
}

void outgoing_note_head(struct outgoing *o)
{
    o->head_handed = true;
}

void outgoing_note_end(struct outgoing *o)
{
    set_state(o, OUTGOING_SENT);
}

/* If something does not fit, nothing is kept: half a body is of no use. */
static void keep(struct outgoing *o, const void *data, size_t n)
{
    if (!bytes_append(o->kept, data, n))
        return;
    bytes_fini(o->kept);
    o->kept = NULL;
}

size_t outgoing_take_body(struct outgoing *o, void *out, size_t room)
{
    size_t n = bytes_take(&o->body, out, room);
    if (o->kept)
        keep(o, out, n);
    return n;
}

bool outgoing_over(const struct outgoing *o)
{
    return o->state >= OUTGOING_SENT;
}

uint64_t outgoing_sent(const struct outgoing *o)
{
    if (o->no_content)
        return 0;
    return (o->filters ? o->filters->passed : o->written) - o->body.len;
}
