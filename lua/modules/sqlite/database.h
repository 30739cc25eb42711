/*
 * A connection to a SQLite database, as threads use it: orders are carried out one at a time, and
 * nothing here knows of Lua or of the loop. Memory is malloc's, since an order is written in one
 * thread and carried out in another.
 *
 *     order_new, database_new ──▶ thread: database_carry_out(d, order) ──▶ order->reply
 *
 * Statements are kept by their text. One that has not ended stays open, and ORDER_MORE goes on with
 * it, so that a result is never in memory as a whole.
 */
#ifndef LUA_MODULES_SQLITE_DATABASE_H
#define LUA_MODULES_SQLITE_DATABASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DATABASE_KEPT = 32,       /* statements that are kept for later */
    DATABASE_PORTION = 65536, /* bytes of rows after which a reply is sent */
    DATABASE_WHY = 512,       /* bytes of a problem */
};

struct database;
struct statement;

enum parameter_kind {
    PARAMETER_NULL,
    PARAMETER_INTEGER,
    PARAMETER_FLOAT,
    PARAMETER_TEXT,
    PARAMETER_BLOB,
};

struct parameter {
    enum parameter_kind kind;
    union {
        int64_t integer;
        double number;
    };
    const char *bytes;
    size_t n;
};

enum order_kind {
    ORDER_OPEN,   /* text is the file's name, or a URI */
    ORDER_QUERY,  /* one statement with its parameters */
    ORDER_MORE,   /* of an open statement */
    ORDER_END,    /* an open statement is read no further */
    ORDER_SCRIPT, /* statements without parameters or results */
    ORDER_TIDY,   /* ends what is open: statements, a transaction */
    ORDER_CLOSE,
};

enum reply_kind {
    REPLY_DONE,   /* the statement has ended */
    REPLY_MORE,   /* it has more rows */
    REPLY_TURN,   /* it writes, and the order was not allowed to: nothing was done */
    REPLY_FAILED, /* code and message tell why */
    REPLY_MISUSE, /* message tells why: text and parameters do not fit */
};

/* Rows are a sequence of values, each a letter and what follows it: "n", "i" with 8 bytes, "f" with
 * 8 bytes, "s" with 8 bytes of its length and its bytes. */
struct reply {
    enum reply_kind kind;
    int code;   /* SQLite's extended one */
    int offset; /* of the problem in the text; -1 if that is not known */
    int system; /* for ORDER_OPEN: the system's error, or 0 */
    char message[DATABASE_WHY];
    int columns;
    char *names; /* of the columns, each with a NUL; with the first reply of a statement */
    size_t names_n;
    char *rows;
    size_t n, room;
    int64_t affected;
    struct statement *open; /* with REPLY_MORE */
};

struct order {
    enum order_kind kind;
    atomic_bool is_stopped;
    bool may_write;         /* or is in a transaction that does */
    bool is_full;           /* for ORDER_OPEN: synchronous=FULL */
    int limit;              /* likewise: bytes of a value or a row; 0 is SQLite's own */
    struct statement *open; /* for ORDER_MORE and ORDER_END */
    char *text;
    size_t n;
    struct parameter *parameters;
    int count;
    struct reply reply;
};

/* An order with a copy of its text and room for so many parameters with so many bytes in all, which
 * the caller fills by order_keep. NULL when memory ran out. */
struct order *order_new(
    enum order_kind kind, const char *text, size_t n, int parameters, size_t bytes);
/* Copies bytes of a parameter. */
void order_keep(struct order *o, struct parameter *p, const char *bytes, size_t n);
void order_free(struct order *o);

/* To be called before any thread uses SQLite, once. */
void database_set_up(void);
struct database *database_new(void);
/* After ORDER_CLOSE. */
void database_free(struct database *d);
/* In any thread, one at a time. */
void database_carry_out(struct database *d, struct order *o);
/* Has an order fail that is being carried out in another thread, or will be. is_running: it may be
 * under way, and neither opens nor closes. */
void database_interrupt(struct database *d, struct order *o, bool is_running);
/* While no order is carried out: whether a transaction is open; whether a statement is. */
bool database_in_transaction(const struct database *d);
bool database_is_reading(const struct database *d);
/* Likewise: whether a statement that is kept writes; -1 if it is not kept. */
int database_writes(const struct database *d, const char *text, size_t n);
/* The name of a code. */
const char *database_code_name(int code);

#endif
