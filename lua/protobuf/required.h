/*
 * The required fields of a decoded message. They are checked after everything is read, since
 * several messages on the wire may be merged into one.
 */
#ifndef LUA_PROTOBUF_REQUIRED_H
#define LUA_PROTOBUF_REQUIRED_H

#include "lua/protobuf/value.h"

namespace codec
{

/* Raises if the message whose table is on the top lacks a required field. [-0, +0], may longjmp */
void required_check(decoder &d, const place &at, const message &m);

/* The same for the value of a field, which may be nil. [-0, +0], may longjmp */
void required_check_field(decoder &d, place &at, const field &f);

} // namespace codec

#endif
