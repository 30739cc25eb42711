/*
 * The codec's tables of each message: its fields with everything that reading and writing need,
 * prepared once when a schema is loaded. The Lua values that the codec pushes (names, defaults) are
 * constants: a Lua table holds them under numbers from 1, so that pushing one needs no hashing.
 *
 * Nothing here changes after loading, except where the addresses of constants are filled in.
 */
#ifndef LUA_PROTOBUF_TABLE_H
#define LUA_PROTOBUF_TABLE_H

#include <cstdint>
#include <deque>
#include <google/protobuf/descriptor.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace codec
{

struct message;

/* Maps the address of a Lua string, which the constants keep alive, to a number. Lua has each short
 * string only once, so most look-ups end at the first comparison. */
struct names {
    struct entry {
        int constant;
        const char *text; /* the Lua string's text; NULL if the entry is free */
        uint32_t value;
    };
    std::vector<entry> listed; /* in the order added */
    std::vector<entry> slots;  /* hashed by address; a power of two of them */

    void add(int constant, uint32_t value);
    /* Makes room for the entries added. */
    void reserve();
    /* Sets the address of the listed entry's string. Must not fail. */
    void fill(entry &listed_entry, const char *text);
};

struct enumeration {
    const google::protobuf::EnumDescriptor *descriptor;
    struct value {
        int32_t number;
        int constant; /* its first name */
    };
    std::vector<value> values; /* by number, each number once */
    std::vector<int> dense;    /* constants of the numbers 0, 1, ...; 0 for none */
    names by_name;             /* the value is the number */
    std::unordered_map<std::string_view, int32_t> by_text;
    bool closed; /* has no number but those of its values */
};

enum shape : uint8_t { SINGLE, LIST, MAP };

struct field {
    const google::protobuf::FieldDescriptor *descriptor;
    const char *name;
    const char *json_name;
    const message *type_message; /* for a map, the message of its entries */
    const enumeration *type_enum;
    uint32_t index;  /* among the message's fields */
    uint32_t number; /* on the wire */
    uint32_t tag;    /* as it is written */
    uint32_t oneof;  /* among the message's oneofs, plus one; 0 for none */
    int key;         /* constant: the name */
    int absent;      /* constant: the value if the field is not set; for scalars */
    uint8_t type;    /* FieldDescriptor::Type */
    uint8_t wire;    /* WireFormatLite::WireType of one value */
    enum shape shape;
    bool packed;   /* written in one piece */
    bool implicit; /* not written if it has its default, which it also has if not set */
    bool required;
    bool null_value; /* of the enum whose value is null in JSON */
};

/* Messages with a JSON form of their own. */
enum known : uint8_t {
    PLAIN,
    ANY,
    DURATION,
    EMPTY,
    FIELD_MASK,
    LIST_VALUE,
    STRUCT,
    TIMESTAMP,
    VALUE,
    WRAPPER
};

struct message {
    const google::protobuf::Descriptor *descriptor;
    std::vector<field> fields;     /* by number */
    std::vector<uint32_t> dense;   /* by number: the index plus one; 0 for none */
    std::vector<uint64_t> filled;  /* bits of the fields that are always set after decoding */
    std::vector<uint32_t> checked; /* indices of fields that are required, or hold what is */
    uint32_t oneofs = 0;           /* number of oneofs */
    uint32_t presence_words = 0;   /* that presence takes: a bit a field, half a word a oneof */
    names by_name;                 /* the value is the field's index */
    std::vector<int> defaults;     /* constants of name, value, name, ...: proto2's defaults */
    std::unordered_map<std::string_view, uint32_t> by_text; /* both JSON names, to the index */
    enum known known = PLAIN;
    int metatable = 0;          /* constant: its __index gives the defaults; 0 for none */
    int room = 0;               /* about how many entries a decoded message has */
    bool requires_own = false;  /* has a required field */
    bool requires_some = false; /* it, or a message that it can contain, has one */
};

struct constant {
    enum { STRING, INTEGER, NUMBER, BOOLEAN, METATABLE } kind;
    std::string text;
    int64_t integer;
    double number;
};

/* What a file says that the library, to which it is one of proto2, does not know: by full names. */
struct nuances {
    std::unordered_set<std::string> implicit; /* fields, which have no presence of their own */
    std::unordered_set<std::string> open;     /* enums, which take any number */
};

struct tables {
    nuances beside;
    std::deque<message> messages;
    std::deque<enumeration> enums;
    std::vector<constant> constants; /* number n is at n - 1 */
    std::unordered_map<const google::protobuf::Descriptor *, message *> by_descriptor;
    std::unordered_map<const google::protobuf::EnumDescriptor *, enumeration *> by_enum;
    std::unordered_map<std::string, int> strings;
    std::unordered_set<const google::protobuf::FileDescriptor *> files; /* prepared */
    /* How many of each Lua has. */
    size_t constants_pushed = 0, enums_pushed = 0, messages_pushed = 0;

    /* Prepares the messages and enums of the files, which include all imports, unless they are
     * prepared already. Throws std::bad_alloc. */
    void build(const std::vector<const google::protobuf::FileDescriptor *> &list);
};

inline uint32_t table_hash(const char *text)
{
    return (uint32_t)(((uintptr_t)text >> 3) * 0x9e3779b97f4a7c15u >> 32);
}

/* As table_find_name, but compares texts. */
const names::entry *table_search_name(const names &n, const char *text);

/* The entry of a Lua string, or NULL. */
inline const names::entry *table_find_name(const names &n, const char *text)
{
    uint32_t mask = (uint32_t)n.slots.size() - 1;
    for (uint32_t at = table_hash(text) & mask; n.slots[at].text; at = (at + 1) & mask)
        if (n.slots[at].text == text)
            return &n.slots[at];
    return table_search_name(n, text);
}

/* As table_find_field, for a message of many fields. */
const field *table_search_field(const message &m, uint32_t number);

/* The field of that number, or NULL. */
inline const field *table_find_field(const message &m, uint32_t number)
{
    if (number >= m.dense.size())
        return table_search_field(m, number);
    uint32_t index = m.dense[number];
    return index ? &m.fields[index - 1] : nullptr;
}

/* The constant with the name of the enum's value; 0 if the number is unknown. */
int table_find_value(const enumeration &e, int32_t number);

} // namespace codec

#endif
