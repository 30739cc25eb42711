#include "lua/modules/sqlite/database.h"

#include "core/list.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_EVERY = 10000 }; /* instructions of SQLite's machine between looks at the flag */

/* Kept by its text while it is not used. */
struct statement {
    struct list link; /* in open or kept; the last used is first in the latter */
    sqlite3_stmt *stmt;
    char *text;
    size_t n;
    bool writes;
    int64_t changes; /* in all, when it began */
};

struct database {
    sqlite3 *db;       /* NULL before ORDER_OPEN and after ORDER_CLOSE */
    struct order *now; /* in the thread that carries it out */
    struct list open, kept;
    int kept_count;
};

/* Orders. */

struct order *order_new(
    enum order_kind kind, const char *text, size_t n, int parameters, size_t bytes)
{
    size_t list = (size_t)parameters * sizeof(struct parameter);
    struct order *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->kind = kind;
    atomic_init(&o->is_stopped, false);
    o->reply.offset = -1;
    o->parameters = malloc(list + bytes + n + 1);
    if (!o->parameters) {
        free(o);
        return NULL;
    }
    o->text = (char *)o->parameters + list;
    memcpy(o->text, text, n);
    o->text[n] = '\0';
    o->n = n;
    return o;
}

/* Behind the text, and what was kept before. */
void order_keep(struct order *o, struct parameter *p, const char *bytes, size_t n)
{
    char *to = o->text + o->n + 1;
    for (int i = 0; i < o->count; i++)
        to += o->parameters[i].n;
    if (n)
        memcpy(to, bytes, n);
    p->bytes = to;
    p->n = n;
}

void order_free(struct order *o)
{
    if (!o)
        return;
    free(o->reply.names);
    free(o->reply.rows);
    free(o->parameters);
    free(o);
}

/* Problems. */

static void refuse(struct order *o, enum reply_kind kind, const char *message)
{
    o->reply.kind = kind;
    snprintf(o->reply.message, sizeof o->reply.message, "%s", message);
}

static void fail_with(struct order *o, int code, const char *message)
{
    refuse(o, REPLY_FAILED, message);
    o->reply.code = code;
}

/* What SQLite says last; base is where in the text the statement begins. */
static void fail(struct database *d, struct order *o, const char *base)
{
    fail_with(o, sqlite3_extended_errcode(d->db), sqlite3_errmsg(d->db));
    int offset = sqlite3_error_offset(d->db);
    if (offset >= 0)
        o->reply.offset = (int)(base - o->text) + offset;
}

/* Statements. */

static void drop(struct statement *s)
{
    list_remove(&s->link);
    sqlite3_finalize(s->stmt);
    free(s->text);
    free(s);
}

static void keep(struct database *d, struct statement *s)
{
    sqlite3_reset(s->stmt);
    sqlite3_clear_bindings(s->stmt);
    list_remove(&s->link);
    list_prepend(&d->kept, &s->link);
    if (++d->kept_count <= DATABASE_KEPT)
        return;
    d->kept_count--;
    drop(container_of(d->kept.prev, struct statement, link));
}

static struct statement *find(const struct database *d, const char *text, size_t n)
{
    for (struct list *node = d->kept.next; node != &d->kept; node = node->next) {
        struct statement *s = container_of(node, struct statement, link);
        if (s->n == n && memcmp(s->text, text, n) == 0)
            return s;
    }
    return NULL;
}

/* Whether what follows the first statement is more than space and comments. */
static bool has_more(struct database *d, const char *tail)
{
    sqlite3_stmt *next = NULL;
    while (*tail) {
        const char *from = tail;
        if (sqlite3_prepare_v2(d->db, from, -1, &next, &tail) || next) {
            sqlite3_finalize(next);
            return true;
        }
        if (tail == from)
            break;
    }
    return false;
}

static struct statement *prepare(struct database *d, struct order *o)
{
    const char *tail;
    sqlite3_stmt *stmt = NULL;
    if (strlen(o->text) != o->n) {
        refuse(o, REPLY_MISUSE, "the text of a statement has a NUL");
        return NULL;
    }
    if (sqlite3_prepare_v3(
            d->db, o->text, (int)o->n + 1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail)) {
        fail(d, o, o->text);
        return NULL;
    }
    if (has_more(d, tail)) {
        sqlite3_finalize(stmt);
        refuse(o, REPLY_MISUSE, "a query is one statement, and this text has more");
        return NULL;
    }
    struct statement *s = calloc(1, sizeof *s);
    char *text = malloc(o->n + 1);
    if (!s || !text) {
        free(s);
        free(text);
        sqlite3_finalize(stmt);
        fail_with(o, SQLITE_NOMEM, "out of memory");
        return NULL;
    }
    memcpy(text, o->text, o->n + 1);
    *s = (struct statement){
        .stmt = stmt, .text = text, .n = o->n, .writes = stmt && !sqlite3_stmt_readonly(stmt)};
    list_init(&s->link);
    return s;
}

/* Takes the statement of the order's text; it is in the list of the open ones then. */
static struct statement *take(struct database *d, struct order *o)
{
    struct statement *s = find(d, o->text, o->n);
    if (s) {
        d->kept_count--;
        list_remove(&s->link);
    } else if (!(s = prepare(d, o))) {
        return NULL;
    }
    list_append(&d->open, &s->link);
    return s;
}

/* Parameters. */

static int bind_one(sqlite3_stmt *stmt, int at, const struct parameter *p)
{
    switch (p->kind) {
    case PARAMETER_NULL:
        return sqlite3_bind_null(stmt, at);
    case PARAMETER_INTEGER:
        return sqlite3_bind_int64(stmt, at, p->integer);
    case PARAMETER_FLOAT:
        return sqlite3_bind_double(stmt, at, p->number);
    case PARAMETER_TEXT:
        return sqlite3_bind_text64(stmt, at, p->bytes, p->n, SQLITE_TRANSIENT, SQLITE_UTF8);
    case PARAMETER_BLOB:
        return p->n ? sqlite3_bind_blob64(stmt, at, p->bytes, p->n, SQLITE_TRANSIENT)
                    : sqlite3_bind_zeroblob(stmt, at, 0);
    }
    return SQLITE_OK;
}

/* The number in a name such as "$3"; 0 for any other. */
static int number_of(const char *name)
{
    char *end;
    if (!name || name[0] != '$' || name[1] < '1' || name[1] > '9')
        return 0;
    long n = strtol(name + 1, &end, 10);
    return *end || n > 1000000 ? 0 : (int)n;
}

static void refuse_count(struct order *o, int wanted)
{
    char why[DATABASE_WHY];
    snprintf(why, sizeof why, "the statement has the parameter $%d, and %d %s given", wanted,
        o->count, o->count == 1 ? "is" : "are");
    refuse(o, REPLY_MISUSE, why);
}

/* Binds by name, so that $1 may come twice, and after $2. */
static bool bind(struct database *d, struct order *o, sqlite3_stmt *stmt)
{
    int most = 0;
    for (int at = 1; at <= sqlite3_bind_parameter_count(stmt); at++) {
        const char *name = sqlite3_bind_parameter_name(stmt, at);
        int number = number_of(name);
        if (!number) {
            refuse(o, REPLY_MISUSE, "parameters are $1, $2 and so on, and nothing else");
            return false;
        }
        most = number > most ? number : most;
        if (number > o->count) {
            refuse_count(o, number);
            return false;
        }
        if (bind_one(stmt, at, &o->parameters[number - 1])) {
            fail(d, o, o->text);
            return false;
        }
    }
    if (most == o->count)
        return true;
    char why[DATABASE_WHY];
    snprintf(why, sizeof why, "%d parameters are given, and the statement has %d", o->count, most);
    refuse(o, REPLY_MISUSE, why);
    return false;
}

/* Rows. */

static bool add(struct reply *r, char letter, const void *bytes, size_t n)
{
    size_t needed = r->n + 1 + n;
    if (needed > r->room) {
        size_t room = needed < DATABASE_PORTION / 16 ? DATABASE_PORTION / 16 : needed + needed / 2;
        char *rows = realloc(r->rows, room);
        if (!rows)
            return false;
        r->rows = rows;
        r->room = room;
    }
    if (letter)
        r->rows[r->n++] = letter;
    if (n)
        memcpy(r->rows + r->n, bytes, n);
    r->n += n;
    return true;
}

static bool add_bytes(struct reply *r, sqlite3_stmt *stmt, int column)
{
    const void *bytes = sqlite3_column_type(stmt, column) == SQLITE_BLOB
                            ? sqlite3_column_blob(stmt, column)
                            : (const void *)sqlite3_column_text(stmt, column);
    uint64_t n = (uint64_t)sqlite3_column_bytes(stmt, column);
    if (n && !bytes)
        return false;
    return add(r, 's', &n, sizeof n) && add(r, 0, bytes, n);
}

static bool add_value(struct reply *r, sqlite3_stmt *stmt, int column)
{
    int64_t integer;
    double number;
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        integer = sqlite3_column_int64(stmt, column);
        return add(r, 'i', &integer, sizeof integer);
    case SQLITE_FLOAT:
        number = sqlite3_column_double(stmt, column);
        return add(r, 'f', &number, sizeof number);
    case SQLITE_NULL:
        return add(r, 'n', NULL, 0);
    default:
        return add_bytes(r, stmt, column);
    }
}

static bool add_row(struct reply *r, sqlite3_stmt *stmt)
{
    for (int i = 0; i < r->columns; i++)
        if (!add_value(r, stmt, i))
            return false;
    return true;
}

/* After the first step, which may prepare the statement anew. */
static bool name_columns(struct reply *r, sqlite3_stmt *stmt)
{
    r->columns = sqlite3_column_count(stmt);
    for (int i = 0; i < r->columns; i++)
        r->names_n += strlen(sqlite3_column_name(stmt, i)) + 1;
    char *to = r->names = malloc(r->names_n + 1);
    for (int i = 0; to && i < r->columns; i++)
        to = stpcpy(to, sqlite3_column_name(stmt, i)) + 1;
    return to;
}

/* Ends a statement that will not be stepped again, after which the code and message of a failure
 * are still those of its last step. */
static void end(struct database *d, struct order *o, struct statement *s, int rc)
{
    struct reply *r = &o->reply;
    if (rc == SQLITE_DONE) {
        r->kind = REPLY_DONE;
        r->affected = sqlite3_total_changes64(d->db) != s->changes ? sqlite3_changes64(d->db) : 0;
    } else if (rc == SQLITE_NOMEM) {
        fail_with(o, SQLITE_NOMEM, "out of memory");
    } else {
        fail(d, o, o->text);
    }
    keep(d, s);
}

/* Steps until the portion is full. */
static void step(struct database *d, struct order *o, struct statement *s, int rc)
{
    struct reply *r = &o->reply;
    while (rc == SQLITE_ROW) {
        if (!add_row(r, s->stmt)) {
            end(d, o, s, SQLITE_NOMEM);
            return;
        }
        if (r->n >= DATABASE_PORTION) {
            r->kind = REPLY_MORE;
            r->open = s;
            return;
        }
        rc = sqlite3_step(s->stmt);
    }
    end(d, o, s, rc);
}

static void query(struct database *d, struct order *o)
{
    struct statement *s = take(d, o);
    if (!s)
        return;
    if (!s->stmt) { /* nothing but space and comments */
        list_remove(&s->link);
        free(s->text);
        free(s);
        return;
    }
    if (s->writes && !o->may_write && sqlite3_get_autocommit(d->db)) {
        o->reply.kind = REPLY_TURN;
        keep(d, s);
        return;
    }
    if (!bind(d, o, s->stmt)) {
        keep(d, s);
        return;
    }
    s->changes = sqlite3_total_changes64(d->db);
    int rc = sqlite3_step(s->stmt);
    if ((rc == SQLITE_ROW || rc == SQLITE_DONE) && !name_columns(&o->reply, s->stmt))
        rc = SQLITE_NOMEM;
    step(d, o, s, rc);
}

static void more(struct database *d, struct order *o)
{
    struct statement *s = o->open;
    o->reply.columns = sqlite3_column_count(s->stmt);
    step(d, o, s, sqlite3_step(s->stmt));
}

static void script(struct database *d, struct order *o)
{
    const char *from = o->text, *tail;
    while (*from) {
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(d->db, from, -1, &stmt, &tail);
        while (!rc && stmt && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
            rc = SQLITE_OK;
        if (rc && rc != SQLITE_DONE) {
            fail(d, o, from);
            while (o->reply.offset < 0 && *from && strchr(" \t\r\n", *from))
                from++;
            if (o->reply.offset < 0)
                o->reply.offset = (int)(from - o->text);
            sqlite3_finalize(stmt);
            return;
        }
        sqlite3_finalize(stmt);
        from = tail;
    }
}

/* Opening and closing. */

static int is_stopped(void *database)
{
    struct database *d = database;
    return atomic_load(&d->now->is_stopped);
}

/* Sets what is this module's choice. */
static bool set_up(struct database *d, const struct order *o)
{
    if (o->limit)
        sqlite3_limit(d->db, SQLITE_LIMIT_LENGTH, o->limit);
    sqlite3_extended_result_codes(d->db, 1);
    sqlite3_progress_handler(d->db, LOOK_EVERY, is_stopped, d);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return !sqlite3_exec(d->db,
        o->is_full
            ? "pragma foreign_keys = on; pragma journal_mode = wal; pragma synchronous = full"
            : "pragma foreign_keys = on; pragma journal_mode = wal; pragma synchronous = normal",
        NULL, NULL, NULL);
}

static void close_db(struct database *d)
{
    while (!list_empty(&d->open))
        drop(container_of(d->open.next, struct statement, link));
    while (!list_empty(&d->kept))
        drop(container_of(d->kept.next, struct statement, link));
    sqlite3_close(d->db);
    d->db = NULL;
}

static void open_db(struct database *d, struct order *o)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(o->text, &d->db, flags, NULL) == SQLITE_OK && set_up(d, o))
        return;
    if (!d->db) {
        fail_with(o, SQLITE_NOMEM, "out of memory");
        return;
    }
    fail(d, o, o->text);
    o->reply.system = sqlite3_system_errno(d->db);
    o->reply.offset = -1;
    close_db(d);
}

static void tidy(struct database *d)
{
    while (!list_empty(&d->open))
        keep(d, container_of(d->open.next, struct statement, link));
    if (!sqlite3_get_autocommit(d->db))
        sqlite3_exec(d->db, "pragma query_only = off; rollback", NULL, NULL, NULL);
}

/* Counts of memory for all connections together would be behind one lock. */
void database_set_up(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

struct database *database_new(void)
{
    struct database *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    list_init(&d->open);
    list_init(&d->kept);
    return d;
}

void database_free(struct database *d)
{
    free(d);
}

static void obey(struct database *d, struct order *o)
{
    switch (o->kind) {
    case ORDER_OPEN:
        open_db(d, o);
        break;
    case ORDER_QUERY:
        query(d, o);
        break;
    case ORDER_MORE:
        more(d, o);
        break;
    case ORDER_END:
        keep(d, o->open);
        break;
    case ORDER_SCRIPT:
        script(d, o);
        break;
    case ORDER_TIDY:
        tidy(d);
        break;
    case ORDER_CLOSE:
        close_db(d);
        break;
    }
}

void database_carry_out(struct database *d, struct order *o)
{
    bool always = o->kind == ORDER_CLOSE || o->kind == ORDER_TIDY || o->kind == ORDER_END;
    o->reply.kind = REPLY_DONE;
    if (!d->db && o->kind != ORDER_OPEN) {
        if (!always)
            fail_with(o, SQLITE_MISUSE, "the connection is closed");
        return;
    }
    if (!always && atomic_load(&o->is_stopped)) {
        fail_with(o, SQLITE_INTERRUPT, "interrupted");
        return;
    }
    d->now = o;
    obey(d, o);
}

void database_interrupt(struct database *d, struct order *o, bool is_running)
{
    atomic_store(&o->is_stopped, true);
    if (is_running)
        sqlite3_interrupt(d->db);
}

bool database_in_transaction(const struct database *d)
{
    return d->db && !sqlite3_get_autocommit(d->db);
}

bool database_is_reading(const struct database *d)
{
    return !list_empty(&d->open);
}

int database_writes(const struct database *d, const char *text, size_t n)
{
    const struct statement *s = find(d, text, n);
    return s ? s->writes : -1;
}
