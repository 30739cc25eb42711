-- The fields of a type, and the JSON of one of them.
local pb = require "moontrail.protobuf"
local check = require "_check"

local schema = pb.parse([[
syntax = "proto3";
package fields;
import "google/protobuf/struct.proto";
// What is lent.
message Book {
    // As on the cover.
    string full_title = 1;
    repeated int32 pages = 2;
    map<string, Shelf> shelves = 3;
    optional Shelf shelf = 4;
    Book sequel = 5 [deprecated = true];
    oneof size { float height = 6; bytes scan = 7; }
    google.protobuf.Value note = 8;
}
enum Shelf { UNSORTED = 0; NOVELS = 1; }
// Lends.
service Library {
    // Gives one.
    rpc Lend(Book) returns (Book);
}]], "fields.proto")
local Book = schema:message("fields.Book")

local title, pages, shelves, shelf, sequel, height = table.unpack(Book:fields())
check.same(title, { name = "full_title", json_name = "fullTitle", number = 1, type = "string" })
check.same(pages, { name = "pages", json_name = "pages", number = 2, type = "int32",
    repeated = true })
assert(shelves.map and shelves.key.type == "string" and shelves.value.enum == "fields.Shelf")
check.same(shelf.values, { "UNSORTED", "NOVELS" })
assert(shelf.oneof == nil and not shelf.required)
assert(sequel.message == Book and sequel.type == "message" and sequel.deprecated)
assert(height.oneof == "size" and height.type == "float")

-- What the source says.
check.same(schema:comment("fields.Book"), " What is lent.\n")
check.same(schema:comment("fields.Book.full_title"), " As on the cover.\n")
check.same(schema:comment("fields.Library"), " Lends.\n")
check.same(schema:comment("fields.Library.Lend"), " Gives one.\n")
check.same(schema:comment("fields.Book.pages") .. schema:comment("fields.Nothing"), "")

-- One field's JSON, by both of its names.
check.same(Book:field_from_json("full_title", '"x"'), "x")
check.same(Book:field_from_json("fullTitle", ' "x" '), "x")
check.same(Book:field_from_json("pages", "[1,2]"), { 1, 2 })
check.same(Book:field_from_json("shelves", '{"a":"NOVELS"}'), { a = "NOVELS" })
check.same(Book:field_from_json("sequel", '{"pages":[1]}').pages, { 1 })
check.same(Book:field_from_json("sequel", "null"), nil)
check.same(Book:field_from_json("note", "null"), { null_value = "NULL_VALUE" })
check.same(Book:field_from_json("shelf", '"OTHER"', { unknown = "ignore" }), nil)
check.raises("fields.Book.pages[2]: expected an integer, got a string (line 1, byte 4)",
    Book.field_from_json, Book, "pages", '[1,"x"]')
check.raises("fields.Book.full_title: not JSON: more text behind the value (line 1, byte 5)",
    Book.field_from_json, Book, "full_title", '"a" ,"b":1')
check.raises("protobuf: fields.Book has no field title", Book.field_from_json, Book, "title", "1")

check.same(Book:field_to_json("full_title", { full_title = "x" }), '"x"')
check.same(Book:field_to_json("pages", { pages = { 1, 2 } }), "[1,2]")
check.same(Book:field_to_json("shelves", { shelves = { a = 1 } }), '{"a":"NOVELS"}')
check.same(Book:field_to_json("sequel", { sequel = { full_title = "x" } }, { names = "proto" }),
    '{"full_title":"x"}')
local nothing = { full_title = '""', pages = "[]", shelves = "{}", shelf = "null", sequel = "null" }
for name, text in pairs(nothing) do
    check.same(Book:field_to_json(name, {}), text)
end
check.raises('fields.Book: there is no field "title"', Book.field_to_json, Book, "pages",
    { title = 1 })
check.raises("fields.Book.pages[1]: expected an integer, got string", Book.field_to_json, Book,
    "pages", { pages = { "x" } })

-- The annotation for HTTP, as bytes, whole and in parts.
local api = pb.parse([[
syntax = "proto3";
import "google/api/annotations.proto";
message A { string id = 1; }
service S {
    rpc Whole(A) returns (A) { option (google.api.http) = { get: "/a/{id}" body: "*" }; }
    rpc Parts(A) returns (A) {
        option (google.api.http).get = "/a/{id}";
        option (google.api.http).body = "*";
    }
    rpc None(A) returns (A);
}]], "api.proto")
local Rule = pb.load("google/api/http.proto"):message("google.api.HttpRule")
local whole, parts, none = table.unpack(api:service("S").methods)
for _, method in ipairs { whole, parts } do
    local rule = Rule:decode(method.http)
    assert(rule.get == "/a/{id}" and rule.body == "*")
end
assert(none.http == nil)

return check.done
