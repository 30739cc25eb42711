/* What JSON is, read from the grammar (RFC 8259) as plainly as can be, to hold the module's decoder
 * against. */
#ifndef FUZZ_JSON_READER_H
#define FUZZ_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a text is a document that the module promises to read: UTF-8, whole surrogate pairs,
 * numbers that a float can hold, and no more than 100 levels. */
bool json_reader_accepts(const char *text, size_t n);

#endif
