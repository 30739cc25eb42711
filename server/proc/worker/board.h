/*
 * The board: a page of memory that master and workers share, on which each worker shows that its
 * loop still turns, and what it is doing.
 */
#ifndef PROC_WORKER_BOARD_H
#define PROC_WORKER_BOARD_H

#include "core/rc.h"

#include <stdint.h>

struct activity;
struct board;

enum { BOARD_NONE = -1 };

/* RC_SYSTEM. */
enum rc board_new(struct board **out) MUST_CHECK;
void board_free(struct board *b);

/* For the master: a heart that nobody has, or BOARD_NONE; and back with it. */
int board_take(struct board *b);
void board_give(struct board *b, int heart);
/* What its owner is doing. */
struct activity *board_activity(struct board *b, int heart);
/* How often it has beaten. */
uint64_t board_beats(const struct board *b, int heart);

/* The seconds between two beats, if a worker silent for `timeout` seconds is killed. */
double board_pace(double timeout);
/* For a worker. */
void board_beat(struct board *b, int heart);

#endif
