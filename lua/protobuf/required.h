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

} // namespace codec

#endif
