#include "h2/frames.h"

#include "core/check.h"

#include <nghttp2/nghttp2.h>

void frames_init(struct frames *f, bool of_client)
{
    *f = (struct frames){.payload = of_client ? NGHTTP2_CLIENT_MAGIC_LEN : 0};
}

static uint32_t length_of(const uint8_t *head)
{
    return (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
}

static int32_t stream_of(const uint8_t *bytes)
{
    return (int32_t)((bytes[0] & 0x7fu) << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                     bytes[3]);
}

static bool names_a_stream(const uint8_t *head)
{
    return head[3] == NGHTTP2_PRIORITY && length_of(head) >= 4;
}

static bool is_whole(const struct frames *f)
{
    if (f->seen_len < FRAME_HEAD_SIZE)
        return false;
    return f->seen_len == FRAME_SEEN_MAX || !names_a_stream(f->seen);
}

/* Begins a frame; `seen` bytes from its head on have been passed over. */
static void begin(struct frames *f, const uint8_t *head, uint32_t seen)
{
    f->last = (struct frame_head){.length = length_of(head),
        .type = head[3],
        .flags = head[4],
        .stream = stream_of(head + 5),
        .depends_on = names_a_stream(head) ? stream_of(head + FRAME_HEAD_SIZE) : 0};
    check_hot(seen >= FRAME_HEAD_SIZE && f->last.length >= seen - FRAME_HEAD_SIZE);
    f->payload = f->last.length - (seen - FRAME_HEAD_SIZE);
    f->seen_len = 0;
}

size_t frames_cut(struct frames *f, const uint8_t *data, size_t n, bool *begins)
{
    size_t cut = f->payload < n ? f->payload : n;
    f->payload -= (uint32_t)cut;
    *begins = false;
    if (f->seen_len == 0 && n - cut >= FRAME_SEEN_MAX && !names_a_stream(data + cut)) {
        *begins = true;
        begin(f, data + cut, FRAME_HEAD_SIZE);
        return cut + FRAME_HEAD_SIZE;
    }
    while (cut < n && !*begins) {
        check_hot(f->seen_len < FRAME_SEEN_MAX);
        f->seen[f->seen_len++] = data[cut++];
        *begins = is_whole(f);
    }
    if (*begins)
        begin(f, f->seen, f->seen_len);
    return cut;
}

bool frames_in_block(const struct frames *f)
{
    bool carries_block = f->last.type == NGHTTP2_HEADERS || f->last.type == NGHTTP2_CONTINUATION;
    return carries_block && (f->payload || !(f->last.flags & NGHTTP2_FLAG_END_HEADERS));
}
