/* What can be wrong with the form of a message of HTTP/1.x, and what a server answers to it.
 * http/head.h has what can be wrong with what a request says. */
#ifndef H1_FAULT_H
#define H1_FAULT_H

enum h1_fault {
    H1_NO_FAULT,
    H1_BARE_LF,
    H1_BARE_CR,
    H1_CONTROL,
    H1_EMPTY_LINES,
    H1_BAD_START,
    H1_BAD_VERSION,
    H1_FOLDED,
    H1_BAD_FIELD,
    H1_TOO_LARGE,
    H1_TOO_MANY_FIELDS,
    H1_LONG_CONNECTION,
    H1_BAD_LENGTH,
    H1_TWO_LENGTHS,
    H1_BAD_CODING,
    H1_UNKNOWN_CODING,
    H1_CODING_IN_1_0,
    H1_LENGTH_AND_CODING,
    H1_BAD_CHUNK,
    H1_LONG_CHUNK_LINE,
    H1_CUT_SHORT,
    H1_NO_MEMORY,
};

/* For the log. */
const char *h1_fault_text(enum h1_fault fault);
/* The option whose bound was passed; NULL for any other fault. */
const char *h1_fault_limit(enum h1_fault fault);
/* The status that a server answers with; the connection is over then. */
int h1_fault_status(enum h1_fault fault);

#endif
