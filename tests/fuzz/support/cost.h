/*
 * What a run costs, in steps that are the same on every machine: the branches that instrumented
 * code takes, and each 16 bytes that it copies, clears, searches or moves in memory. Libraries that
 * are not instrumented, and the harness itself, are not counted; what they are made to do is, where
 * they call back.
 *
 * A cost that grows faster than the input is a way to make the server work for nothing. One input
 * in 16 is therefore repeated as well, up to COST_REPEATED bytes, where what is quadratic stands
 * out of any bound that short inputs need.
 */
#ifndef FUZZ_COST_H
#define FUZZ_COST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COST_REPEATED = 32768,
    COST_FIXED = 100000, /* of a session that is sent nothing */
    COST_HTTP_1 = 200,   /* of each byte of HTTP/1.x */
    COST_HTTP_2 = 1500,  /* of HTTP/2, where a byte may stand for a field of 4 KiB */
};

/* Steps are counted between the two, on top of what there is since cost_begin. */
void cost_begin(void);
void cost_resume(void);
void cost_pause(void);
/* Adds steps that nothing here sees. */
void cost_add(uint64_t steps);
/* Aborts where more was counted than `fixed`, and `each` for each of so many bytes. */
void cost_check(uint64_t fixed, uint64_t each, size_t bytes);

/* Runs the data; and one input in 16 once more, with all behind its first head bytes repeated. */
void cost_repeat(
    void (*run)(const uint8_t *data, size_t size), const uint8_t *data, size_t size, size_t head);

#ifdef __cplusplus
}
#endif

#endif
