#include "frames.h"

#include "http/code.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

static const char *type_name(uint8_t type)
{
    static const char *const names[] = {"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS",
        "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"};
    return type < sizeof names / sizeof *names ? names[type] : "UNKNOWN";
}

static const char *setting_name(int32_t id)
{
    static const char *const names[] = {"0", "HEADER_TABLE_SIZE", "ENABLE_PUSH",
        "MAX_CONCURRENT_STREAMS", "INITIAL_WINDOW_SIZE", "MAX_FRAME_SIZE", "MAX_HEADER_LIST_SIZE"};
    if (id == NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES)
        return "NO_RFC7540_PRIORITIES";
    return id < (int32_t)(sizeof names / sizeof *names) ? names[id] : "UNKNOWN";
}

struct text *frames_body(struct frames *f, int32_t stream)
{
    return &f->bodies[stream / 2 % FRAMES_BODIES];
}

bool frames_is_now(const char *value)
{
    struct tm tm = {0};
    const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    time_t then = timegm(&tm), now = time(NULL);
    return end && !*end && then <= now && now - then < 60;
}

static void print_stream(struct frames *f, const nghttp2_frame_hd *hd)
{
    text_print(&f->lines, "%s stream=%d", type_name(hd->type), hd->stream_id);
    bool ends = hd->type <= NGHTTP2_HEADERS && hd->flags & NGHTTP2_FLAG_END_STREAM;
    text_print(&f->lines, "%s", ends ? " END_STREAM" : "");
}

static void print_data(struct frames *f)
{
    text_print(&f->lines, " len=%zu", f->data.n);
    if (f->data.n && f->data.n <= FRAMES_SHOWN) {
        text_print(&f->lines, " '");
        text_add_escaped(&f->lines, f->data.p, f->data.n);
        text_print(&f->lines, "'");
    }
}

static void print_settings(struct frames *f, const nghttp2_settings *s)
{
    text_print(&f->lines, "SETTINGS%s", s->hd.flags & NGHTTP2_FLAG_ACK ? " ACK" : "");
    for (size_t i = 0; i < s->niv; i++)
        text_print(&f->lines, " %s=%u", setting_name(s->iv[i].settings_id), s->iv[i].value);
}

static void print_code(struct frames *f, uint32_t code)
{
    char name[CODE_NAME_SIZE];
    text_print(&f->lines, " code=%s", code_name(code, name));
}

static void print_frame(struct frames *f, const nghttp2_frame *frame)
{
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        print_stream(f, &frame->hd);
        print_data(f);
        break;
    case NGHTTP2_HEADERS:
        print_stream(f, &frame->hd);
        text_print(&f->lines, "%s", text_of(&f->fields));
        break;
    case NGHTTP2_SETTINGS:
        print_settings(f, &frame->settings);
        break;
    case NGHTTP2_PING:
        text_print(&f->lines, "PING%s", frame->hd.flags & NGHTTP2_FLAG_ACK ? " ACK" : "");
        break;
    case NGHTTP2_GOAWAY:
        text_print(&f->lines, "GOAWAY last=%d", frame->goaway.last_stream_id);
        print_code(f, frame->goaway.error_code);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        print_stream(f, &frame->hd);
        text_print(&f->lines, " increment=%d", frame->window_update.window_size_increment);
        break;
    case NGHTTP2_RST_STREAM:
        print_stream(f, &frame->hd);
        print_code(f, frame->rst_stream.error_code);
        break;
    default:
        print_stream(f, &frame->hd);
    }
    text_print(&f->lines, "\n");
}

static void close_frame(struct frames *f)
{
    f->open = false;
    text_clear(&f->fields);
    text_clear(&f->data);
}

void frames_flush(struct frames *f)
{
    if (f->open)
        text_print(
            &f->lines, "IGNORED %s stream=%d\n", type_name(f->begun.type), f->begun.stream_id);
    close_frame(f);
}

/* A CONTINUATION belongs to the HEADERS before it. */
static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *user)
{
    (void)ng;
    struct frames *f = user;
    if (hd->type == NGHTTP2_CONTINUATION)
        return 0;
    frames_flush(f);
    f->open = true;
    f->begun = *hd;
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)ng, (void)frame, (void)flags;
    struct frames *f = user;
    bool is_date = name_len == 4 && memcmp(name, "date", 4) == 0;
    const char *shown = is_date && frames_is_now((const char *)value) ? "now" : (const char *)value;
    const char *quote = strchr(shown, ' ') ? "'" : "";
    text_print(&f->fields, " %.*s=%s", (int)name_len, name, quote);
    text_add_escaped(&f->fields, shown, shown == (const char *)value ? value_len : 3);
    text_print(&f->fields, "%s", quote);
    return 0;
}

static int on_data(
    nghttp2_session *ng, uint8_t flags, int32_t stream, const uint8_t *data, size_t n, void *user)
{
    (void)ng, (void)flags;
    struct frames *f = user;
    text_add(&f->data, data, n);
    text_add(frames_body(f, stream), data, n);
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    (void)ng;
    print_frame(user, frame);
    close_frame(user);
    return 0;
}

static int on_invalid(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *user)
{
    (void)ng;
    struct frames *f = user;
    text_print(&f->lines, "INVALID %s stream=%d: %s\n", type_name(frame->hd.type),
        frame->hd.stream_id, nghttp2_strerror(error));
    close_frame(f);
    return 0;
}

void frames_callbacks(nghttp2_session_callbacks *cb)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
}

void frames_clear(struct frames *f)
{
    text_clear(&f->lines);
    close_frame(f);
    for (size_t i = 0; i < FRAMES_BODIES; i++)
        text_clear(&f->bodies[i]);
}
