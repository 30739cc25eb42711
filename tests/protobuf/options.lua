-- Options that are newer than the library, and where they stand.
local pb = require "moontrail.protobuf"
local check = require "_check"

local text = [[
syntax = "proto2";
package options;
import "google/protobuf/descriptor.proto";

option java_package = "a.b";
option features.field_presence = EXPLICIT;

extend google.protobuf.FieldOptions {
    optional string own = 50001 [retention = RETENTION_SOURCE, targets = TARGET_TYPE_FIELD,
        targets = TARGET_TYPE_FILE, edition_defaults = { edition: EDITION_2023, value: "x" },
        feature_support = { edition_introduced: EDITION_2023, deprecation_warning: "old" }];
}

message Login {
    option features = { json_format: ALLOW };
    option deprecated_legacy_json_field_conflicts = true;
    optional string user = 1 [(own) = "mine", features.utf8_validation = NONE];
    optional string password = 2 [debug_redact = true, deprecated = true];
    oneof choice {
        option features.enforce_naming_style = STYLE_LEGACY;
        int32 a = 3 [deprecated = true];
        Level b = 4;
    }
    extensions 100 to 199 [verification = UNVERIFIED];
    extensions 200 [declaration = { number: 200, full_name: ".a.b", type: ".c.D", reserved: false },
        verification = DECLARATION];
    extensions 300 to max [features.enum_type = OPEN];
}

enum Level {
    option features.enum_type = CLOSED;
    option deprecated_legacy_json_field_conflicts = false;
    LOW = 0 [debug_redact = true, features.enum_type = OPEN];
    HIGH = 1 [feature_support = { edition_removed: EDITION_2024, removal_error: "gone" }];
}

service S {
    option features.message_encoding = LENGTH_PREFIXED;
    rpc In(Login) returns (Login) {
        option idempotency_level = NO_SIDE_EFFECTS;
        option features.repeated_field_encoding = PACKED;
    }
}
]]

local schema = pb.parse(text, "options.proto")
local Login = schema:message("options.Login")
check.same(Login:decode(Login:encode({ user = "a", password = "b" })).password, "b")

-- They are in what describes the file, as those who know them read it.
local File = schema:message("google.protobuf.FileDescriptorProto")
local file = File:decode((schema:descriptor_of_file("options.proto")))
local fields, level = file.message_type[1].field, file.enum_type[1]
check.same(fields[2].options.debug_redact, true)
check.same(fields[1].options.features.utf8_validation, "NONE")
check.same(level.value[1].options.debug_redact, true)
check.same(level.value[2].options.feature_support.removal_error, "gone")
check.same(file.message_type[1].extension_range[2].options.declaration[1].type, ".c.D")
check.same(file.extension[1].options.targets, { "TARGET_TYPE_FIELD", "TARGET_TYPE_FILE" })
check.same(file.service[1].method[1].options.features.repeated_field_encoding, "PACKED")

-- Nothing is imported for them, and nothing that is not there passes for one.
assert(pb.parse('syntax = "proto3"; message A { string b = 1 [debug_redact = true]; }', "a.proto"))
assert(pb.parse("", "a.proto"):message("google.protobuf.FieldOptions") == nil)
local ok, message = pcall(pb.parse,
    'syntax = "proto3";\nmessage A { string b = 1 [redact = true]; }', "a.proto")
assert(not ok and message:find('^a.proto:2:27: Option "redact" unknown'), message)

return check.done
