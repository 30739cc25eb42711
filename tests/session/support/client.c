/* The client's half of a wire: requests, their bodies, credit, and frames put together by hand. */
#include "wire.h"

#include "core/list.h"

#include <string.h>

enum { FIELDS_MAX = 256 };

static void put(nghttp2_nv *nv, const char *name, size_t name_len, const char *value, size_t len)
{
    *nv = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, name_len, len, NGHTTP2_NV_FLAG_NONE};
}

/* Reads "name: value\n" lines. */
static size_t parse_fields(const char *lines, nghttp2_nv *out)
{
    size_t count = 0;
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        size_t name = 1 + strcspn(lines + 1, ":");
        assert_true(count < FIELDS_MAX && name + 2 <= len);
        put(&out[count++], lines, name, lines + name + 2, len - name - 2);
        lines += len + (lines[len] == '\n');
    }
    return count;
}

static struct wire_upload *upload_of(struct wire *w, int32_t stream)
{
    for (size_t i = 0; i < WIRE_UPLOADS; i++)
        if (w->uploads[i].stream == stream)
            return &w->uploads[i];
    stage_fail("no upload on stream %d", stream);
}

static void submit_trailers(struct wire *w, const struct wire_upload *u)
{
    nghttp2_nv nv[FIELDS_MAX];
    size_t count = parse_fields(text_of(&u->trailers), nv);
    assert_int_equal(nghttp2_submit_trailer(w->client, u->stream, nv, count), 0);
}

static ssize_t read_upload(nghttp2_session *ng, int32_t stream, uint8_t *out, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)ng, (void)stream;
    struct wire_upload *u = source->ptr;
    size_t n = u->body.n < room ? u->body.n : room;
    if (n) {
        memcpy(out, u->body.p, n);
        text_drop(&u->body, n);
    }
    if (n == 0 && !u->ends)
        return NGHTTP2_ERR_DEFERRED;
    if (u->ends && u->body.n == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (u->ends && u->body.n == 0 && u->trailers.n) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(container_of(user, struct wire, frames), u);
    }
    return (ssize_t)n;
}

static int32_t submit(struct wire *w, const char *method, const char *path, const char *fields,
    const nghttp2_data_provider *body)
{
    nghttp2_nv nv[FIELDS_MAX + 4];
    put(&nv[0], ":method", 7, method, strlen(method));
    put(&nv[1], ":scheme", 7, "https", 5);
    put(&nv[2], ":authority", 10, "test.example", 12);
    put(&nv[3], ":path", 5, path, strlen(path));
    size_t count = 4 + parse_fields(fields, nv + 4);
    int32_t stream = nghttp2_submit_request(w->client, NULL, nv, count, body, NULL);
    assert_true(stream > 0);
    return stream;
}

int32_t wire_request(struct wire *w, const char *method, const char *path)
{
    return submit(w, method, path, "", NULL);
}

int32_t wire_get(struct wire *w, const char *path)
{
    return wire_request(w, "GET", path);
}

int32_t wire_begin(struct wire *w, const char *method, const char *path, const char *fields)
{
    struct wire_upload *u = upload_of(w, 0);
    nghttp2_data_provider body = {.source.ptr = u, .read_callback = read_upload};
    return u->stream = submit(w, method, path, fields, &body);
}

static void resume(struct wire *w, int32_t stream)
{
    /* It fails while no data is deferred yet. */
    nghttp2_session_resume_data(w->client, stream);
}

void wire_send(struct wire *w, int32_t stream, const char *data, size_t n)
{
    text_add(&upload_of(w, stream)->body, data, n);
    resume(w, stream);
}

void wire_end(struct wire *w, int32_t stream)
{
    upload_of(w, stream)->ends = true;
    resume(w, stream);
}

void wire_end_with_trailers(struct wire *w, int32_t stream, const char *trailers)
{
    text_print(&upload_of(w, stream)->trailers, "%s", trailers);
    wire_end(w, stream);
}

void wire_forget(struct wire *w, int32_t stream)
{
    struct wire_upload *u = upload_of(w, stream);
    text_clear(&u->body);
    text_clear(&u->trailers);
    *u = (struct wire_upload){0};
}

void wire_reset(struct wire *w, int32_t stream, uint32_t code)
{
    assert_int_equal(nghttp2_submit_rst_stream(w->client, NGHTTP2_FLAG_NONE, stream, code), 0);
}

void wire_credit(struct wire *w, int32_t stream, int32_t n)
{
    assert_int_equal(nghttp2_submit_window_update(w->client, NGHTTP2_FLAG_NONE, stream, n), 0);
}

void wire_raw(struct wire *w, const void *bytes, size_t n)
{
    wire_collect(w);
    text_add(&w->up, bytes, n);
}

void wire_frame(
    struct wire *w, uint8_t type, uint8_t flags, int32_t stream, const void *payload, size_t n)
{
    const uint8_t header[9] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    wire_raw(w, header, sizeof header);
    text_add(&w->up, payload, n);
}
