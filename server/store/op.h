/*
 * An operation on the store: what is asked for, and what came of it. Whoever asks owns it; its
 * bytes are borrowed. Each is whole in itself: nothing of others is seen within it.
 */
#ifndef STORE_OP_H
#define STORE_OP_H

#include "core/list.h"
#include "core/str.h"

#include <stdint.h>

enum {
    STORE_NAME = 64,          /* bytes of a map's name at the most */
    STORE_KEY = 400,          /* of a key, and of a channel */
    STORE_VALUE = 1 << 20,    /* of a value */
    STORE_MESSAGE = 64 << 10, /* of a message */
    STORE_PATH = 2 + STORE_NAME + STORE_KEY,
};

/* What keys of one kind have in front, so that no kind meets another. */
enum store_space {
    SPACE_MAP = 3,
    SPACE_LOCK,
    SPACE_TURN,
    SPACE_LIMIT,
    SPACE_HEALTH, /* of this server's services */
    SPACES
};

enum store_kind { STORE_ABSENT, STORE_INTEGER, STORE_STRING };

struct store_value {
    enum store_kind kind;
    int64_t integer;
    struct str text;
};

enum store_action {
    STORE_GET,    /* found, version */
    STORE_SET,    /* value; absent removes */
    STORE_INCR,   /* by → found */
    STORE_EXPIRE, /* ttl */
    STORE_KEYS,   /* those that begin with the key, behind after → keys */
    STORE_LOCK,   /* for owner, ttl */
    STORE_UNLOCK, /* of owner */
    STORE_TAKE,   /* cost, of burst that comes back at rate → seconds */
    STORE_TURN,   /* one turn each so many seconds, for owner → seconds until it may be tried */
    STORE_TURN_OVER,
    STORE_SWEEP, /* removes what has expired */
};

/* Where a set is to happen only so. */
enum store_condition { STORE_ALWAYS, STORE_IF_ABSENT, STORE_IF_EQUAL, STORE_IF_VERSION };

enum store_result {
    STORE_YES,
    STORE_NO,
    STORE_FULL,
    STORE_NO_INTEGER,
    STORE_OVERFLOW,
    STORE_FAILED, /* problem says how */
};

/* Who holds a lock. */
struct store_owner {
    int32_t slot;
    uint64_t nonce; /* of the process */
    uint64_t id;    /* of the lock */
};

struct store_op {
    enum store_action action;
    struct str key;
    double ttl;     /* seconds; 0: it lasts */
    bool keeps_ttl; /* that of what it replaces */
    enum store_condition condition;
    struct store_value value, equal;
    uint64_t version; /* of what was found, 0 for nothing; and for STORE_IF_VERSION */
    int64_t by;
    struct str after;
    unsigned most; /* keys */
    struct store_owner owner;
    double rate, burst, cost; /* rate is in a second */

    enum store_result result;
    struct store_value found; /* its text lives until the next operation */
    struct str keys;          /* each behind its length, of 2 bytes; lives as that */
    struct str last;          /* where to go on; empty at the end */
    double seconds;
    const char *problem; /* static */
    int code;            /* errno; 0 for none */

    /* One that is not done at once. */
    struct list link;
    void (*done)(struct store_op *op); /* may free it */
    void *data;                        /* for done */
};

/* Writes the key of a map, or of another kind, to out; returns its bytes. */
size_t store_path(enum store_space space, struct str name, struct str key, char out[STORE_PATH]);
/* Of what store_path wrote: the key alone. */
struct str store_path_key(struct str path);

#endif
