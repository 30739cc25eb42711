#include "store/table.h"

#include "core/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READERS = 1024,
    KEYS_VISITED = 1024, /* in one portion, at the most */
    BUFFER_KEPT = 64 << 10,
    WITH_LIMITS = 1, /* tables within */
};

static const char mark_key[] = "\1moontrail", mark[] = "store 1";

uint64_t table_now(const struct table *t)
{
    struct timespec now;
    clock_gettime(t->clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Opening. */

static int make_env(struct table *t, size_t bytes)
{
    int error = mdb_env_create(&t->env);
    if (!error)
        error = mdb_env_set_mapsize(t->env, bytes);
    if (!error)
        error = mdb_env_set_maxreaders(t->env, READERS);
    if (!error)
        error = mdb_env_set_maxdbs(t->env, WITH_LIMITS);
    return error;
}

/* A file that is new gets our mark; one that has none is another program's. */
static int check_mark(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_stat st;
    MDB_val key = {sizeof mark_key - 1, (void *)mark_key}, value = {sizeof mark - 1, (void *)mark};
    MDB_val found;
    int error = mdb_stat(txn, dbi, &st);
    if (!error && st.ms_entries == 0)
        return mdb_put(txn, dbi, &key, &value, 0);
    if (!error)
        error = mdb_get(txn, dbi, &key, &found);
    if (error == MDB_NOTFOUND)
        return MDB_INCOMPATIBLE;
    bool same = !error && found.mv_size == value.mv_size &&
                memcmp(found.mv_data, value.mv_data, value.mv_size) == 0;
    return error ? error : same ? 0 : MDB_VERSION_MISMATCH;
}

static int open_tables(struct table *t)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(t->env, NULL, 0, &txn);
    if (error)
        return error;
    error = mdb_dbi_open(txn, NULL, 0, &t->main);
    if (!error)
        error = check_mark(txn, t->main);
    if (!error)
        error = mdb_dbi_open(txn, "limits", MDB_CREATE, &t->limits);
    if (error)
        mdb_txn_abort(txn);
    else
        error = mdb_txn_commit(txn);
    return error;
}

static int open_reader(struct table *t)
{
    int error = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &t->reader);
    if (!error)
        mdb_txn_reset(t->reader);
    return error;
}

static int open_env(struct table *t, const char *path, unsigned flags)
{
    int error = mdb_env_open(t->env, path, flags | MDB_NOSUBDIR, 0600);
    int dead;
    if (!error)
        error = mdb_reader_check(t->env, &dead);
    if (!error)
        error = open_tables(t);
    if (!error)
        error = open_reader(t);
    return error;
}

/* LMDB opens names: a folder of our own has two, for as long as that takes. */

enum { LINK = 64, FOLDER = PATH_MAX - LINK };

static bool make_folder(char out[FOLDER])
{
    const char *const places[] = {getenv("TMPDIR"), "/dev/shm", "/tmp", "/var/tmp", "/run"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i])
            continue;
        int n = snprintf(out, FOLDER, "%s/moontrail-XXXXXX", places[i]);
        if (n < FOLDER && mkdtemp(out))
            return true;
    }
    return false;
}

static int link_to(int fd, const char *folder, const char *name, char out[PATH_MAX])
{
    char target[LINK];
    snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
    snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return symlink(target, out) ? errno : 0;
}

static int open_files(struct table *t, const struct area *a)
{
    char folder[FOLDER], data[PATH_MAX], locks[PATH_MAX];
    if (!make_folder(folder))
        return errno;
    int error = link_to(a->data, folder, "store", data);
    if (!error)
        error = link_to(a->locks, folder, "store-lock", locks);
    if (!error)
        error = open_env(t, data, MDB_WRITEMAP | MDB_NOSYNC | MDB_NOMEMINIT);
    unlink(data);
    unlink(locks);
    rmdir(folder);
    return error;
}

int table_format(const struct area *a)
{
    struct table t = {0};
    int error = make_env(&t, area_data_bytes(a->size));
    if (!error)
        error = open_files(&t, a);
    table_close(&t);
    return error;
}

enum rc table_open_memory(
    struct table *t, const struct area *a, struct area_page *p, char why[TABLE_WHY])
{
    *t = (struct table){
        .clock = CLOCK_BOOTTIME, .page = p, .shared = &p->memory, .most = (size_t)a->size << 20};
    int error = make_env(t, area_data_bytes(a->size));
    if (!error)
        error = open_files(t, a);
    if (!error)
        return RC_OK;
    snprintf(why, TABLE_WHY, "the store in memory cannot be opened: %s", mdb_strerror(error));
    table_close(t);
    return RC_SYSTEM;
}

/* Files. */

static const char *cure_for(int error)
{
    switch (error) {
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_CORRUPTED:
        return "it is no store of this program: give another path";
    case MDB_VERSION_MISMATCH:
        return "another version wrote it: give another path, or remove it";
    case ENOENT:
        return "its folder does not exist: make it, or give another path";
    case EACCES:
    case EPERM:
    case EROFS:
        return "the workers' user may not write there: give it the folder, or another path";
    case EISDIR:
        return "it is a folder: give the path of a file in it";
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return "the disk, or a limit on files, has no room for it: give less with --store-size, or "
               "another path";
    default:
        return mdb_strerror(error);
    }
}

static int look_at(const char *path, bool *is_new)
{
    struct stat st;
    *is_new = stat(path, &st) != 0;
    return !*is_new && S_ISDIR(st.st_mode) ? EISDIR : 0;
}

/* That a file is there is on the disk once its folder is. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) + 1 : 1;
    snprintf(folder, sizeof folder, "%.*s", n, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int allocate(const struct table *t, size_t bytes)
{
    mdb_filehandle_t fd;
    int error = mdb_env_get_fd(t->env, &fd);
    return error ? error : posix_fallocate(fd, 0, (off_t)bytes);
}

enum rc table_open_file(
    struct table *t, const char *path, uint32_t size, struct area_page *p, char why[TABLE_WHY])
{
    bool is_new;
    *t = (struct table){
        .clock = CLOCK_REALTIME, .page = p, .shared = &p->file, .most = (size_t)size << 20};
    int error = look_at(path, &is_new);
    if (!error)
        error = make_env(t, area_data_bytes(size));
    if (!error)
        error = open_env(t, path, 0);
    if (!error)
        error = allocate(t, area_data_bytes(size));
    if (!error && is_new)
        sync_folder(path);
    if (!error)
        return RC_OK;
    snprintf(why, TABLE_WHY, "the store %.300s cannot be opened: %s", path, cure_for(error));
    table_close(t);
    return RC_SYSTEM;
}

void table_close(struct table *t)
{
    if (t->reader)
        mdb_txn_abort(t->reader);
    if (t->env)
        mdb_env_close(t->env);
    free(t->buffer);
    *t = (struct table){0};
}

/* Reading. */

static MDB_val val_of(struct str s)
{
    return (MDB_val){s.n, (void *)s.p};
}

static struct str str_of_val(MDB_val v)
{
    return (struct str){v.mv_data, v.mv_size};
}

/* What is larger than usual is not kept. */
static char *make_room(struct table *t, size_t n)
{
    if (n <= t->room && t->room <= BUFFER_KEPT)
        return t->buffer;
    size_t room = n < BUFFER_KEPT ? BUFFER_KEPT : n;
    free(t->buffer);
    t->buffer = malloc(room);
    t->room = t->buffer ? room : 0;
    return t->buffer;
}

static int keep_text(struct table *t, struct store_value *v)
{
    if (v->kind != STORE_STRING)
        return 0;
    char *copy = make_room(t, v->text.n + 1);
    if (!copy)
        return ENOMEM;
    memcpy(copy, v->text.p, v->text.n);
    v->text.p = copy;
    return 0;
}

static bool has_ended(const struct table *t, uint64_t expiry)
{
    return expiry && expiry <= table_now(t);
}

static int get(struct table *t, struct store_op *op)
{
    MDB_val key = val_of(op->key), data;
    struct record r;
    int error = mdb_get(t->reader, t->main, &key, &data);
    op->found = (struct store_value){STORE_ABSENT};
    op->version = 0;
    if (error == MDB_NOTFOUND)
        return 0;
    if (error)
        return error;
    if (!record_read(str_of_val(data), &r))
        return MDB_CORRUPTED;
    if (has_ended(t, r.expiry))
        return 0;
    op->found = r.value;
    op->version = r.version;
    return keep_text(t, &op->found);
}

struct listing {
    struct table *table;
    struct store_op *op;
    char *to;
    unsigned visited, count;
};

static void add_key(struct listing *l, struct str path)
{
    struct str key = store_path_key(path);
    uint16_t n = (uint16_t)key.n;
    memcpy(l->to, &n, sizeof n);
    memcpy(l->to + sizeof n, key.p, key.n);
    l->to += sizeof n + key.n;
    l->count++;
}

/* Whether the listing goes on. */
static bool visit(struct listing *l, MDB_val key, MDB_val data)
{
    struct record r;
    struct str path = str_of_val(key);
    if (!str_starts(path, l->op->key))
        return false;
    if (record_read(str_of_val(data), &r) && !has_ended(l->table, r.expiry))
        add_key(l, path);
    if (++l->visited < KEYS_VISITED && l->count < l->op->most)
        return true;
    memcpy(l->to, path.p, path.n);
    l->op->last = (struct str){l->to, path.n};
    return false;
}

static int list_keys(struct listing *l, MDB_cursor *cursor)
{
    struct str from = l->op->after.n ? l->op->after : l->op->key;
    MDB_val key = val_of(from), data;
    int error = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    if (!error && l->op->after.n && str_eq(str_of_val(key), from))
        error = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    while (!error && visit(l, key, data))
        error = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    return error == MDB_NOTFOUND ? 0 : error;
}

static int keys(struct table *t, struct store_op *op)
{
    MDB_cursor *cursor;
    struct listing l = {t, op, make_room(t, (op->most + 1) * (2 + STORE_PATH)), 0, 0};
    op->last = (struct str){0};
    if (!l.to)
        return ENOMEM;
    int error = mdb_cursor_open(t->reader, t->main, &cursor);
    if (error)
        return error;
    error = list_keys(&l, cursor);
    mdb_cursor_close(cursor);
    size_t n = (size_t)(l.to - t->buffer);
    op->keys = (struct str){t->buffer, n};
    return error;
}

void table_read(struct table *t, struct store_op *op)
{
    int error = mdb_txn_renew(t->reader);
    if (error == MDB_MAP_RESIZED)
        t->grown = true;
    if (!error) {
        error = op->action == STORE_GET ? get(t, op) : keys(t, op);
        mdb_txn_reset(t->reader);
    }
    op->result = STORE_YES;
    if (error)
        change_fail(op, error);
}

void table_check_readers(struct table *t)
{
    int dead;
    mdb_reader_check(t->env, &dead);
}

void table_grow(struct table *t)
{
    mdb_env_set_mapsize(t->env, 0);
    t->grown = false;
}

bool table_is_due(const struct table *t)
{
    return atomic_load_explicit(&t->shared->next_expiry, memory_order_relaxed) <= table_now(t);
}
