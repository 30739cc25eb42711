/* How far two words are apart, for messages about a name that does not exist. */
#ifndef CORE_DISTANCE_H
#define CORE_DISTANCE_H

#include <stddef.h>

enum { DISTANCE_WORD = 64 }; /* longer words are mistaken for nothing */

/* How many letters must be put in, taken out or changed to make b of a; b is no longer than
 * DISTANCE_WORD. */
size_t distance(const char *a, const char *b);
/* Words that are less apart from one than this were probably meant by it: a slip or two, more in a
 * long word. 0 for a word that is too short or too long to tell. */
size_t distance_limit(const char *word);

#endif
