#include "lua/protobuf/decode.h"
#include "lua/protobuf/json_printer.h"
#include "lua/protobuf/scalar.h"
#include "lua/protobuf/time_text.h"

#include <cmath>
#include <cstring>

namespace codec
{

enum { STEP_BYTES = 16 /* of the value of an Any that are one thing */ };

/* The place of a field whose value is found, or 0. */
static place place_of(const place &up, const fields &found, const field &f)
{
    return {&up, nullptr, &f, 0, 0, fields_has(found, f.index) ? found.slots[f.index] : 0};
}

/* Timestamp, Duration. */

static int64_t to_integer(json_printer &p, const place &at, const field &f)
{
    if (at.value == 0)
        return 0;
    int64_t v = (int64_t)scalar_to_bits(json_state(p), at, f);
    return f.type == google::protobuf::FieldDescriptor::TYPE_INT32 ? (int32_t)v : v;
}

static void print_time(json_printer &p, const place &up, const message &m, const fields &found)
{
    const field &seconds = m.fields[0], &nanos = m.fields[1];
    instant t = {to_integer(p, place_of(up, found, seconds), seconds),
        (int32_t)to_integer(p, place_of(up, found, nanos), nanos)};
    bool point = m.known == TIMESTAMP;
    if (point ? !timestamp_is_valid(t) : !duration_is_valid(t))
        place_fail(json_state(p), up, "%lld seconds and %d nanos are no %s", (long long)t.seconds,
            (int)t.nanos, point ? "time of the years 1 to 9999" : "duration of up to 10,000 years");
    json_put_char(p.out, up, '"');
    char *out = json_room(p.out, up, TIME_ROOM);
    p.out.at += point ? timestamp_write(out, t) : duration_write(out, t);
    json_put_char(p.out, up, '"');
}

/* FieldMask. */

/* Puts the path in camelCase; false where it could not be told from another then. */
static bool put_camel_case(json_printer &p, const place &at, const char *path, size_t n)
{
    char *out = json_room(p.out, at, n);
    bool upper = false;
    for (size_t i = 0; i < n; i++) {
        bool letter = path[i] >= 'a' && path[i] <= 'z';
        bool other = (path[i] >= '0' && path[i] <= '9') || path[i] == '.';
        if (path[i] == '_' && !upper)
            upper = true;
        else if (letter || (other && !upper)) {
            *out++ = upper ? (char)(path[i] - 0x20) : path[i];
            upper = false;
        } else {
            return false;
        }
    }
    p.out.at = out;
    return n > 0 && !upper;
}

static void print_path(json_printer &p, const place &at)
{
    size_t n;
    lua_State *L = json_state(p);
    if (lua_type(L, at.value) != LUA_TSTRING)
        place_fail_type(L, at, "a string");
    const char *path = lua_tolstring(L, at.value, &n);
    pace_step(p.out.pace);
    if (!put_camel_case(p, at, path, n))
        place_fail(L, at, "\"%.60s\" is no path of names in lower case with underscores", path);
}

static void print_field_mask(
    json_printer &p, const place &up, const message &m, const fields &found)
{
    lua_State *L = json_state(p);
    place at = place_of(up, found, m.fields[0]);
    json_put_char(p.out, at, '"');
    if (at.value && !lua_istable(L, at.value))
        place_fail_type(L, at, "a list");
    lua_Integer n = at.value ? fields_count_elements(p.out.pace, at) : 0;
    int list = at.value;
    at.value = lua_gettop(L) + 1;
    for (at.element = 1; at.element <= n; at.element++) {
        if (at.element > 1)
            json_put_char(p.out, at, ',');
        lua_rawgeti(L, list, at.element);
        print_path(p, at);
        lua_pop(L, 1);
    }
    json_put_char(p.out, up, '"');
}

/* Struct, ListValue, Value, and the wrappers. */

static void print_only_field(
    json_printer &p, const place &up, const message &m, const fields &found)
{
    const field &f = m.fields[0];
    place at = place_of(up, found, f);
    if (f.shape == SINGLE && at.value)
        json_print_scalar(p, at, f);
    else if (f.shape == SINGLE)
        json_print_default(p, at, f);
    else if (!at.value)
        json_put(p.out, at, f.shape == LIST ? "[]" : "{}", 2);
    else if (f.shape == LIST)
        json_print_list(p, at, f);
    else
        json_print_map(p, at, f);
}

static void print_any_value(json_printer &p, const place &up, const message &m, const fields &found)
{
    lua_State *L = json_state(p);
    if (!found.chosen[0])
        place_fail(L, up, "none of its kinds is set");
    const field &f = m.fields[found.chosen[0] - 1];
    place at = place_of(up, found, f);
    if (f.type == google::protobuf::FieldDescriptor::TYPE_DOUBLE &&
        lua_type(L, at.value) == LUA_TNUMBER && !std::isfinite(lua_tonumber(L, at.value)))
        place_fail(L, at, "JSON has no number for it");
    json_print_value(p, at, f);
}

/* Any. */

/* The string of the field that the place tells; none is an empty one. */
static const char *to_string(json_printer &p, const place &at, size_t *n)
{
    *n = 0;
    if (!at.value)
        return "";
    if (lua_type(json_state(p), at.value) != LUA_TSTRING)
        place_fail_type(json_state(p), at, "a string");
    return lua_tolstring(json_state(p), at.value, n);
}

static const message &message_of(json_printer &p, const place &at, const char *url, size_t n)
{
    const message *m = nullptr;
    auto slash = (const char *)memrchr(url, '/', n);
    bool named = slash && strlen(url) == n;
    if (!named || schema_find_message(p.schema, slash + 1, &m) || !m)
        place_fail(json_state(p), at, "unknown type %.60s", slash ? slash + 1 : url);
    return *m;
}

/* Puts the message whose table is on the top; the brace is open, and "@type" is put. */
static void print_inner(json_printer &p, const place &up, const message &m)
{
    place at = up;
    at.value = lua_gettop(json_state(p));
    if (json_is_known(m)) {
        json_put(p.out, at, ",\"value\":", 9);
        json_print_known(p, at, m);
    } else {
        json_print_members(p, at, m, false);
    }
}

static void print_any(json_printer &p, const place &up, const message &m, const fields &found)
{
    place type = place_of(up, found, m.fields[0]), value = place_of(up, found, m.fields[1]);
    size_t n, size;
    const char *url = to_string(p, type, &n);
    auto bytes = (const uint8_t *)to_string(p, value, &size);
    json_put_char(p.out, up, '{');
    if (n > 0) {
        const message &inner = message_of(p, type, url, n);
        json_put(p.out, up, "\"@type\":", 8);
        json_put_string(p.out, type, url, n);
        pace_make(p.out.pace, value, size / STEP_BYTES);
        decode_push(json_state(p), inner, p.constants, {bytes, bytes + size}, 0);
        print_inner(p, up, inner);
    } else if (size > 0) {
        place_fail(json_state(p), type, "a value without the URL of its type");
    }
    json_put_char(p.out, up, '}');
}

void json_print_known(json_printer &p, const place &at, const message &m)
{
    fields_few few;
    int top = lua_gettop(json_state(p));
    fields found = fields_push(p.out.pace, at, m, few);
    switch (m.known) {
    case ANY:
        print_any(p, at, m, found);
        break;
    case TIMESTAMP:
    case DURATION:
        print_time(p, at, m, found);
        break;
    case FIELD_MASK:
        print_field_mask(p, at, m, found);
        break;
    case VALUE:
        print_any_value(p, at, m, found);
        break;
    default:
        print_only_field(p, at, m, found);
    }
    lua_settop(json_state(p), top);
}

} // namespace codec
