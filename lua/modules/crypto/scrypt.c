#include "lua/modules/crypto/scrypt.h"

#include "core/check.h"

#include <openssl/err.h>
#include <openssl/evp.h>

const struct scrypt_costs scrypt_usual = {.ln = 15, .r = 8, .p = 3};

/* Bytes of the large table; those beside it, which grow with r and p; and what OpenSSL may take,
 * whose own bound is too low for the usual costs. */
static const uint64_t table_max = 64 << 20, beside_max = 1 << 20, memory_max = 66 << 20;

static struct {
    struct list waiting;
    unsigned waits, runs;
} line;

static uint64_t work_of(const struct scrypt_costs *c)
{
    return ((uint64_t)c->r * c->p) << c->ln;
}

/* The products stay below 64 bits: each factor is bounded first. RFC 7914 6 bounds N by r. */
bool scrypt_is_affordable(const struct scrypt_costs *c)
{
    return c->ln >= 1 && c->ln <= 24 && c->r >= 1 && c->r <= 8192 && c->p >= 1 && c->p <= 8192 &&
           c->ln < 16 * c->r && ((uint64_t)128 * c->r) << c->ln <= table_max &&
           (uint64_t)128 * c->r * (c->p + 2) <= beside_max &&
           work_of(c) <= 4 * work_of(&scrypt_usual);
}

static void run(struct pool_work *w)
{
    struct scrypt_job *j = container_of(w, struct scrypt_job, work);
    j->made = EVP_PBE_scrypt(j->password.p, j->password.n, j->salt, j->salt_len,
        (uint64_t)1 << j->costs.ln, j->costs.r, j->costs.p, memory_max, j->hash, j->hash_len);
    ERR_clear_error();
}

static void on_done(struct pool_work *w);

static enum rc begin(struct scrypt_job *j)
{
    j->work = (struct pool_work){.run = run, .done = on_done};
    enum rc rc = pool_submit(&j->work);
    if (rc)
        return rc;
    j->state = SCRYPT_RUNS;
    line.runs++;
    return RC_OK;
}

static void give_back(struct scrypt_job *j)
{
    j->state = SCRYPT_IDLE;
    j->done(j);
}

/* There are threads: others run. */
static void go_on(void)
{
    while (line.waits && line.runs < SCRYPT_AT_ONCE) {
        struct scrypt_job *j = container_of(list_shift(&line.waiting), struct scrypt_job, link);
        line.waits--;
        if (begin(j))
            give_back(j);
    }
}

static void on_done(struct pool_work *w)
{
    struct scrypt_job *j = container_of(w, struct scrypt_job, work);
    line.runs--;
    go_on();
    give_back(j);
}

enum rc scrypt_start(struct scrypt_job *j)
{
    check(j->state == SCRYPT_IDLE && scrypt_is_affordable(&j->costs));
    list_init(&j->link);
    j->made = false;
    if (line.runs < SCRYPT_AT_ONCE)
        return begin(j);
    if (line.waits == SCRYPT_WAITING)
        return RC_LIMIT;
    if (!line.waits)
        list_init(&line.waiting);
    list_append(&line.waiting, &j->link);
    line.waits++;
    j->state = SCRYPT_WAITS;
    return RC_OK;
}

void scrypt_leave(struct scrypt_job *j)
{
    if (j->state != SCRYPT_WAITS)
        return;
    list_remove(&j->link);
    line.waits--;
    give_back(j);
}
