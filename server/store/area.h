/*
 * The area: the memory that the store's processes share, and what wakes them. The master makes it,
 * before any worker, and passes it on to the program that follows it; workers work in it. It
 * outlives each of them, and nothing in it stays locked by one that is killed.
 *
 * It is three files without a name: LMDB's data, LMDB's locks, and the page that is described here;
 * and an eventfd for each of the first slots. A worker has a slot for as long as it lives.
 */
#ifndef STORE_AREA_H
#define STORE_AREA_H

#include "core/rc.h"
#include "store/ring.h"
#include "store/robust.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    AREA_SLOTS = 1024,
    AREA_WAKES = 256, /* eventfds at the most */
    AREA_WHY = 512,
    AREA_NONE = -1,
};

struct area_slot {
    pthread_mutex_t life;
    _Atomic uint64_t nonce;                    /* which process has it */
    _Atomic bool is_told;                      /* its eventfd was written since it last looked */
    _Atomic bool wants_locks;                  /* somebody there waits for a lock */
    _Atomic uint64_t topics[RING_TOPICS / 64]; /* it subscribes to: bits */
};

/* What an LMDB environment has beside its files. */
struct area_table {
    _Atomic uint64_t next_expiry; /* nothing ends before it; 0: not known */
    int64_t room;                 /* bytes that may be added until it is counted anew */
};

struct area_page {
    uint64_t magic, layout;
    struct robust writing; /* taken around each write to the data in memory */
    struct robust telling; /* and to the ring */
    struct area_table memory, file;
    _Atomic uint64_t nonces; /* given to slots so far */
    _Atomic int32_t claimed; /* slots that were, ever: none behind them has a process */
    _Atomic uint64_t
        contended[RING_TOPICS]; /* by keys: until when those that update them give way */
    _Atomic uint64_t locks;     /* given to holders of locks so far */
    struct area_slot slots[AREA_SLOTS];
    struct ring ring;
};

/* As the master has it. */
struct area {
    uint32_t size;         /* MiB that may be filled; a quarter more is there */
    int data, locks, page; /* descriptors */
    int wakes[AREA_WAKES];
    int wake_count;
};

/* Bytes of the data. */
size_t area_data_bytes(uint32_t size);
/* Makes one, with all its memory, for so many workers. RC_NOMEM, RC_SYSTEM: why is then one line
 * with the cure. */
enum rc area_new(uint32_t size, int workers, struct area **out, char why[AREA_WHY]) MUST_CHECK;
void area_free(struct area *a);

/* The descriptors as a text, for the next program, and to be inherited by it. NULL without memory;
 * to be freed. */
char *area_export(const struct area *a);
void area_pass(const struct area *a);
/* NULL where the text is none of ours, or what it names was made by a program that has it
 * otherwise: that is closed then. */
struct area *area_import(const char *text);

/* In a worker. */

/* Maps the page; NULL where that fails. */
struct area_page *area_map(const struct area *a);
void area_unmap(struct area_page *p);
/* A slot of the process's own, or AREA_NONE where all are taken. */
int area_claim(struct area_page *p);
void area_leave(struct area_page *p, int slot);
/* Whether the process that had this nonce in the slot lives. */
bool area_lives(struct area_page *p, int slot, uint64_t nonce);
/* Wakes a slot's process; where it has no eventfd it looks by itself. */
void area_tell(const struct area *a, struct area_page *p, int slot);

#endif
