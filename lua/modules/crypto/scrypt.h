/*
 * scrypt (RFC 7914) in the pool's threads. A hash is slow and large on purpose, so that two are
 * made at a time, and SCRYPT_WAITING more wait, in their order:
 *
 *     SCRYPT_IDLE ──scrypt_start──▶ SCRYPT_WAITS ──▶ SCRYPT_RUNS ──▶ done
 *                                        └──scrypt_leave──▶ done
 *
 * The owner embeds a job, and wipes what it held. It lives until done was called.
 */
#ifndef LUA_MODULES_CRYPTO_SCRYPT_H
#define LUA_MODULES_CRYPTO_SCRYPT_H

#include "core/list.h"
#include "core/pool.h"
#include "core/str.h"

#include <stdint.h>

enum { SCRYPT_AT_ONCE = 2, SCRYPT_WAITING = 64 };
enum { SCRYPT_HASH_MAX = 64, SCRYPT_SALT_MAX = 64 };

/* N is 2^ln. */
struct scrypt_costs {
    unsigned ln, r, p;
};

/* What password.hash takes. */
extern const struct scrypt_costs scrypt_usual;

/* Whether such a hash is made at all: at most four times the usual work, and 64 MiB. */
bool scrypt_is_affordable(const struct scrypt_costs *costs);

enum scrypt_state { SCRYPT_IDLE, SCRYPT_WAITS, SCRYPT_RUNS };

struct scrypt_job {
    struct pool_work work;
    struct list link; /* while it waits */
    enum scrypt_state state;
    struct scrypt_costs costs;
    struct str password; /* the owner's, until done */
    unsigned char salt[SCRYPT_SALT_MAX], hash[SCRYPT_HASH_MAX];
    size_t salt_len, hash_len;
    bool made;                            /* hash is the result; false for want of memory */
    void (*done)(struct scrypt_job *job); /* in the loop; may free it */
};

/* The owner has set costs, which are affordable, password, salt, hash_len and done. RC_LIMIT where
 * too many wait; RC_STATE and RC_SYSTEM as pool_submit: done is not called then. */
enum rc scrypt_start(struct scrypt_job *job) MUST_CHECK;
/* Nobody wants the result any more: done is called now if the job waits; if it runs, at its end. */
void scrypt_leave(struct scrypt_job *job);

#endif
