/* How far two words are apart, for messages about a name that does not exist. */
#ifndef CORE_DISTANCE_H
#define CORE_DISTANCE_H

#include <stddef.h>

enum { DISTANCE_WORD = 64 }; /* longer words are mistaken for nothing */

/* How many letters must be inserted, removed or changed to turn a into b; b has at most
 * DISTANCE_WORD letters. */
size_t distance(const char *a, const char *b);
/* A word closer to this one than the limit is probably what was meant: a slip or two, more in a
 * long word. 0 for a word that is too short or too long to tell. */
size_t distance_limit(const char *word);

#endif
