/* Numbers as JSON writes them (RFC 8259, section 6), read and written without loss. */
#ifndef LUA_PROTOBUF_NUMBER_H
#define LUA_PROTOBUF_NUMBER_H

#include <cstddef>
#include <cstdint>

namespace codec
{

enum { NUMBER_ROOM = 32 }; /* characters of a number that is written */

/* The end of the number that begins here; NULL if none does. */
const char *number_end(const char *at, const char *end);

/* Each function reads a number, which is the whole text; false if the type cannot hold it. An
 * integer may be written with a fraction or an exponent. */
bool number_to_int64(const char *at, const char *end, int64_t *v);
bool number_to_uint64(const char *at, const char *end, uint64_t *v);
/* The nearest number; false if it is beyond the largest. */
bool number_to_double(const char *at, const char *end, double *v);
bool number_to_float(const char *at, const char *end, float *v);

/* Each function writes the shortest text that reads back as the number, and returns its length. */
size_t number_of_int64(char *out, int64_t v);
size_t number_of_uint64(char *out, uint64_t v);
size_t number_of_double(char *out, double v);
size_t number_of_float(char *out, float v);

} // namespace codec

#endif
