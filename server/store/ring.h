/*
 * A ring of messages in shared memory. One writes at a time, under a lock of the owner's; any
 * number read, each from a place of its own, without one. What readers did not take in time is
 * overwritten: they are told that they have lost something, and go on with the oldest that is left.
 *
 * A writer that is killed loses its message and nothing else: what is written counts once the head
 * has passed it, and what it may have overwritten counts no more from the moment on at which it was
 * begun.
 */
#ifndef STORE_RING_H
#define STORE_RING_H

#include "core/str.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RING_SIZE = 8 << 20,    /* bytes; a power of 2 */
    RING_CHUNK = 128 << 10, /* each has the start of a message: none is larger */
    RING_CHUNKS = RING_SIZE / RING_CHUNK,
    RING_TOPICS = 1024,      /* a power of 2 */
    RING_MESSAGE = 66 << 10, /* bytes of a message with its channel, at the most */
};

struct ring {
    _Atomic uint64_t head;                /* bytes written so far: where the next message begins */
    _Atomic uint64_t reserved;            /* up to where it is being written */
    _Atomic uint64_t starts[RING_CHUNKS]; /* the first message that begins in each chunk */
    _Atomic uint64_t counts[RING_TOPICS]; /* messages of each topic so far */
    unsigned char bytes[RING_SIZE];
};

/* Channels are many, topics few: each channel has one. */
uint32_t ring_topic(struct str channel);
/* Both together are at most RING_MESSAGE less some bytes. */
void ring_write(struct ring *r, struct str channel, struct str body);

struct ring_message {
    uint32_t topic;
    uint64_t number; /* among those of the topic, from 1 */
    struct str channel, body;
};

enum ring_read { RING_NONE, RING_READ, RING_LOST };

static inline uint64_t ring_head(const struct ring *r)
{
    return atomic_load(&r->head);
}
/* Whether that is the end, and nothing is being written. */
bool ring_is_quiet(const struct ring *r, uint64_t at);
/* Takes the message at *at, which moves behind it, into the room, which has RING_MESSAGE bytes.
 * RING_LOST: those from *at on are gone; it has moved to the oldest that is left. */
enum ring_read ring_read(
    const struct ring *r, uint64_t *at, unsigned char *room, struct ring_message *out);

#endif
