/*
 * Another server in memory, in place of the pool (proxy/pool.h): the calls that a forward makes go
 * to a session whose bytes are the fuzzer's. One that is over makes room for another, up to a few;
 * then the server can't be reached. Of HTTP/1.x what the session sends is read as that server would
 * read it, and must be well-formed.
 */
#ifndef FUZZ_UPSTREAM_H
#define FUZZ_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of HTTP/2, or of HTTP/1.x. */
void upstream_begin(bool http2);
/* The server sends these. */
void upstream_receive(const uint8_t *data, size_t n);
/* The server closes its connection. */
void upstream_close(void);
/* The server is gone for good. */
void upstream_vanish(void);
/* Hands calls over, and takes what is sent. */
void upstream_turn(void);
/* Aborts where a call is left. */
void upstream_end(void);

#endif
