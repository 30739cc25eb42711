/*
 * Hashes of passwords, as "$scrypt$ln=15,r=8,p=3$salt$hash": salt and hash in base64 without
 * padding. The hash is made by scrypt.h while the task waits: a box, which is the task's, holds
 * what is under way; its end lets go of that.
 */
#include "core/mem.h"
#include "lua/modules/base64/base64.h"
#include "lua/modules/crypto/parts.h"
#include "lua/modules/crypto/scrypt.h"
#include "lua/runtime/error_value.h"
#include "lua/runtime/task.h"

#include <lauxlib.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

enum { SALT = 16, HASH = 32, HASH_MIN = 16, NUMBER_DIGITS = 9 };

/* A hash as its text has it. */
struct parsed {
    struct scrypt_costs costs;
    unsigned char salt[SCRYPT_SALT_MAX], hash[SCRYPT_HASH_MAX];
    size_t salt_len, hash_len;
};

/* Reading a hash: each takes something from the front of the text. */

static bool take(struct str *s, struct str prefix)
{
    if (!str_starts(*s, prefix))
        return false;
    s->p += prefix.n;
    s->n -= prefix.n;
    return true;
}

/* A number as it is written: without sign or leading zero. */
static bool take_number(struct str *s, unsigned *out)
{
    size_t i = 0;
    *out = 0;
    while (i < s->n && i < NUMBER_DIGITS && s->p[i] >= '0' && s->p[i] <= '9')
        *out = *out * 10 + (unsigned)(s->p[i++] - '0');
    if (i == 0 || s->p[0] == '0')
        return false;
    s->p += i;
    s->n -= i;
    return true;
}

/* Base64 up to the sign, or to the end where there is none. */
static bool take_bytes(struct str *s, unsigned char *out, size_t room, size_t *n)
{
    char decoded[BASE64_ROOM(2 * SCRYPT_HASH_MAX)];
    const char *end = memchr(s->p, '$', s->n);
    struct str text = {s->p, end ? (size_t)(end - s->p) : s->n};
    if (text.n > 2 * SCRYPT_HASH_MAX || !base64_decode(text, decoded, n) || *n > room)
        return false;
    memcpy(out, decoded, *n);
    s->p += text.n;
    s->n -= text.n;
    return true;
}

/* False for what is no such hash, or one that nobody here would make. */
static bool parse(struct str s, struct parsed *out)
{
    struct scrypt_costs *c = &out->costs;
    return take(&s, STR("$scrypt$ln=")) && take_number(&s, &c->ln) && take(&s, STR(",r=")) &&
           take_number(&s, &c->r) && take(&s, STR(",p=")) && take_number(&s, &c->p) &&
           take(&s, STR("$")) && take_bytes(&s, out->salt, sizeof out->salt, &out->salt_len) &&
           take(&s, STR("$")) && take_bytes(&s, out->hash, sizeof out->hash, &out->hash_len) &&
           s.n == 0 && out->hash_len >= HASH_MIN && scrypt_is_affordable(c);
}

/* Waiting. */

struct pending {
    struct scrypt_job job;
    size_t size;       /* with the password behind it */
    struct box *box;   /* NULL: nobody waits any more */
    struct task *task; /* that waits; NULL where it was interrupted */
    bool is_done;
    struct parsed wanted; /* what verify compares with */
};

struct box {
    struct pending *pending;
};

static const char box_key;

static void wipe(struct pending *p)
{
    size_t size = p->size;
    OPENSSL_cleanse(p, size);
    mem_put(p, size);
}

static void on_done(struct scrypt_job *job)
{
    struct pending *p = container_of(job, struct pending, job);
    p->is_done = true;
    if (p->box)
        task_wake(p->task);
    else
        wipe(p);
}

static void let_go(struct box *b)
{
    struct pending *p = b->pending;
    b->pending = NULL;
    if (!p)
        return;
    p->box = NULL;
    if (p->is_done)
        wipe(p);
    else
        scrypt_leave(&p->job);
}

static int l_box_gc(lua_State *L)
{
    let_go(lua_touserdata(L, 1));
    return 0;
}

/* The task ends, and the garbage collector may take its time. */
static void on_cancel(struct task *t)
{
    struct box *b = t->data;
    b->pending->task = NULL;
    let_go(b);
}

/* Pushes a box with what is to be hashed, which has its own copy of the password. */
static struct pending *push_pending(lua_State *L, struct str password)
{
    struct box *b = lua_newuserdatauv(L, sizeof *b, 0);
    b->pending = NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &box_key);
    lua_setmetatable(L, -2);
    size_t size = sizeof(struct pending) + password.n;
    struct pending *p = mem_get_zeroed(size);
    if (!p) {
        luaL_error(L, "%s", rc_text(RC_NOMEM));
        return NULL;
    }
    p->size = size;
    p->is_done = true; /* nothing is under way */
    p->job.done = on_done;
    p->job.password = (struct str){memcpy(p + 1, password.p, password.n), password.n};
    p->box = b;
    b->pending = p;
    return p;
}

static int refuse(lua_State *L, enum rc rc)
{
    if (rc == RC_LIMIT) {
        error_value_push_here(L, KIND_LIMIT, "%d passwords wait to be hashed", SCRYPT_WAITING);
        error_value_set(L, "limit", "passwords");
    } else {
        error_value_push_here(L, KIND_SYSTEM, "a password cannot be hashed: no thread");
        error_value_set(L, "code", "EAGAIN");
    }
    return lua_error(L);
}

/* The box is on top of the stack, and stays there. */
static int hash(lua_State *L, struct task *t, struct pending *p, lua_KFunction k)
{
    enum rc rc = scrypt_start(&p->job);
    if (rc)
        return refuse(L, rc);
    p->is_done = false;
    p->task = t;
    return task_wait(L, t, on_cancel, p->box, 0, k);
}

/* The result, which is the box's; raises where there was no memory for it. */
static const struct pending *result(lua_State *L)
{
    task_resumed(L);
    struct box *b = lua_touserdata(L, -1);
    if (b->pending && b->pending->job.made)
        return b->pending;
    let_go(b);
    crypto_fail(L, "hashing a password");
    return NULL;
}

/* password.hash */

/* Adds base64 without padding: the module's own for URLs has another alphabet. */
static void add_text(luaL_Buffer *b, const unsigned char *bytes, size_t n)
{
    char text[BASE64_TEXT(SCRYPT_HASH_MAX)];
    luaL_addlstring(b, text, base64_encode(bytes, n, text));
}

static int k_hash(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    luaL_Buffer b;
    const struct scrypt_job *j = &result(L)->job;
    struct box *box = lua_touserdata(L, -1);
    luaL_buffinit(L, &b);
    lua_pushfstring(
        L, "$scrypt$ln=%d,r=%d,p=%d$", (int)j->costs.ln, (int)j->costs.r, (int)j->costs.p);
    luaL_addvalue(&b);
    add_text(&b, j->salt, j->salt_len);
    luaL_addchar(&b, '$');
    add_text(&b, j->hash, j->hash_len);
    luaL_pushresult(&b);
    let_go(box);
    return 1;
}

/* hash(password) → text */
static int l_hash(lua_State *L)
{
    struct str password = crypto_check_str(L, 1);
    struct task *t = task_waiter(L);
    struct scrypt_job *j = &push_pending(L, password)->job;
    j->costs = scrypt_usual;
    j->salt_len = SALT;
    j->hash_len = HASH;
    if (RAND_bytes(j->salt, SALT) != 1)
        return crypto_fail(L, "the source of random bytes");
    return hash(L, t, container_of(j, struct pending, job), k_hash);
}

/* password.verify */

static int k_verify(lua_State *L, int status, lua_KContext unused)
{
    (void)status, (void)unused;
    const struct pending *p = result(L);
    lua_pushboolean(L, CRYPTO_memcmp(p->job.hash, p->wanted.hash, p->wanted.hash_len) == 0);
    let_go(p->box);
    return 1;
}

/* verify(password, hash) → whether it is the hash of that */
static int l_verify(lua_State *L)
{
    struct str password = crypto_check_str(L, 1), text = crypto_check_str(L, 2);
    struct parsed wanted;
    struct task *t = task_waiter(L);
    if (!parse(text, &wanted)) {
        lua_pushboolean(L, false);
        return 1;
    }
    struct pending *p = push_pending(L, password);
    struct scrypt_job *j = &p->job;
    p->wanted = wanted;
    j->costs = wanted.costs;
    memcpy(j->salt, wanted.salt, wanted.salt_len);
    j->salt_len = wanted.salt_len;
    j->hash_len = wanted.hash_len;
    return hash(L, t, p, k_verify);
}

void crypto_open_password(lua_State *L)
{
    static const luaL_Reg functions[] = {{"hash", l_hash}, {"verify", l_verify}, {NULL, NULL}};
    lua_newtable(L);
    lua_pushcfunction(L, l_box_gc);
    lua_setfield(L, -2, "__gc");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &box_key);
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "password");
}
