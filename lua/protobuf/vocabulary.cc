#include "lua/protobuf/vocabulary.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace codec
{

using google::protobuf::DescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::compiler::Parser;
using google::protobuf::io::ArrayInputStream;
using google::protobuf::io::Tokenizer;

const char vocabulary_name[] = "google/protobuf/descriptor.proto";

/* What version 22 and later add: fields of existing messages, and new messages. */
static const char additions[] = R"(
syntax = "proto2";
package google.protobuf;

enum Edition {
    EDITION_UNKNOWN = 0; EDITION_1_TEST_ONLY = 1; EDITION_2_TEST_ONLY = 2; EDITION_LEGACY = 900;
    EDITION_PROTO2 = 998; EDITION_PROTO3 = 999; EDITION_2023 = 1000; EDITION_2024 = 1001;
    EDITION_2026 = 1002; EDITION_UNSTABLE = 9999; EDITION_99997_TEST_ONLY = 99997;
    EDITION_99998_TEST_ONLY = 99998; EDITION_99999_TEST_ONLY = 99999; EDITION_MAX = 0x7fffffff;
}

enum SymbolVisibility { VISIBILITY_UNSET = 0; VISIBILITY_LOCAL = 1; VISIBILITY_EXPORT = 2; }

message FileDescriptorProto {
    optional Edition edition = 14;
    repeated string option_dependency = 15;
}
message DescriptorProto { optional SymbolVisibility visibility = 11; }
message EnumDescriptorProto { optional SymbolVisibility visibility = 6; }

message ExtensionRangeOptions {
    message Declaration {
        optional int32 number = 1;
        optional string full_name = 2;
        optional string type = 3;
        optional bool reserved = 5;
        optional bool repeated = 6;
    }
    enum VerificationState { DECLARATION = 0; UNVERIFIED = 1; }
    repeated Declaration declaration = 2;
    optional VerificationState verification = 3 [default = UNVERIFIED];
    optional FeatureSet features = 50;
    extensions 990 to 998;
}
message FileOptions { optional FeatureSet features = 50; extensions 990 to 998; }
message MessageOptions {
    optional bool deprecated_legacy_json_field_conflicts = 11;
    optional FeatureSet features = 12;
    extensions 990 to 998;
}
message FieldOptions {
    enum OptionRetention { RETENTION_UNKNOWN = 0; RETENTION_RUNTIME = 1; RETENTION_SOURCE = 2; }
    enum OptionTargetType {
        TARGET_TYPE_UNKNOWN = 0; TARGET_TYPE_FILE = 1; TARGET_TYPE_EXTENSION_RANGE = 2;
        TARGET_TYPE_MESSAGE = 3; TARGET_TYPE_FIELD = 4; TARGET_TYPE_ONEOF = 5; TARGET_TYPE_ENUM = 6;
        TARGET_TYPE_ENUM_ENTRY = 7; TARGET_TYPE_SERVICE = 8; TARGET_TYPE_METHOD = 9;
    }
    message EditionDefault { optional string value = 2; optional Edition edition = 3; }
    message FeatureSupport {
        optional Edition edition_introduced = 1;
        optional Edition edition_deprecated = 2;
        optional string deprecation_warning = 3;
        optional Edition edition_removed = 4;
        optional string removal_error = 5;
    }
    optional bool debug_redact = 16;
    optional OptionRetention retention = 17;
    repeated OptionTargetType targets = 19;
    repeated EditionDefault edition_defaults = 20;
    optional FeatureSet features = 21;
    optional FeatureSupport feature_support = 22;
    extensions 990 to 998;
}
message OneofOptions { optional FeatureSet features = 1; extensions 990 to 998; }
message EnumOptions {
    optional bool deprecated_legacy_json_field_conflicts = 6;
    optional FeatureSet features = 7;
    extensions 990 to 998;
}
message EnumValueOptions {
    optional FeatureSet features = 2;
    optional bool debug_redact = 3;
    optional FieldOptions.FeatureSupport feature_support = 4;
    extensions 990 to 998;
}
message ServiceOptions { optional FeatureSet features = 34; extensions 990 to 998; }
message MethodOptions { optional FeatureSet features = 35; extensions 990 to 998; }

message FeatureSet {
    enum FieldPresence {
        FIELD_PRESENCE_UNKNOWN = 0; EXPLICIT = 1; IMPLICIT = 2; LEGACY_REQUIRED = 3;
    }
    enum EnumType { ENUM_TYPE_UNKNOWN = 0; OPEN = 1; CLOSED = 2; }
    enum RepeatedFieldEncoding {
        REPEATED_FIELD_ENCODING_UNKNOWN = 0; PACKED = 1; EXPANDED = 2;
    }
    enum Utf8Validation { UTF8_VALIDATION_UNKNOWN = 0; VERIFY = 2; NONE = 3; }
    enum MessageEncoding { MESSAGE_ENCODING_UNKNOWN = 0; LENGTH_PREFIXED = 1; DELIMITED = 2; }
    enum JsonFormat { JSON_FORMAT_UNKNOWN = 0; ALLOW = 1; LEGACY_BEST_EFFORT = 2; }
    enum EnforceNamingStyle {
        ENFORCE_NAMING_STYLE_UNKNOWN = 0; STYLE2024 = 1; STYLE_LEGACY = 2; STYLE2026 = 3;
    }
    message VisibilityFeature {
        enum DefaultSymbolVisibility {
            DEFAULT_SYMBOL_VISIBILITY_UNKNOWN = 0; EXPORT_ALL = 1; EXPORT_TOP_LEVEL = 2;
            LOCAL_ALL = 3; STRICT = 4;
        }
    }
    message ProtoLimitsFeature {
        enum EnforceProtoLimits {
            PROTO_LIMITS_UNKNOWN = 0; LEGACY_NO_EXPLICIT_LIMITS = 1; PROTO_LIMITS2026 = 2;
        }
    }
    optional FieldPresence field_presence = 1;
    optional EnumType enum_type = 2;
    optional RepeatedFieldEncoding repeated_field_encoding = 3;
    optional Utf8Validation utf8_validation = 4;
    optional MessageEncoding message_encoding = 5;
    optional JsonFormat json_format = 6;
    optional EnforceNamingStyle enforce_naming_style = 7;
    optional VisibilityFeature.DefaultSymbolVisibility default_symbol_visibility = 8;
    optional ProtoLimitsFeature.EnforceProtoLimits enforce_proto_limits = 9;
    extensions 1000 to 10000;
}

message FeatureSetDefaults {
    message FeatureSetEditionDefault {
        optional Edition edition = 3;
        optional FeatureSet overridable_features = 4;
        optional FeatureSet fixed_features = 5;
    }
    repeated FeatureSetEditionDefault defaults = 1;
    optional Edition minimum_edition = 4;
    optional Edition maximum_edition = 5;
}
)";

/* Whether the message has a field with that number or name. */
static bool has_field(const DescriptorProto &m, const google::protobuf::FieldDescriptorProto &f)
{
    for (const auto &own : m.field())
        if (own.number() == f.number() || own.name() == f.name())
            return true;
    return false;
}

/* Adds what a later version of the message has in addition. */
static void extend(DescriptorProto &m, const DescriptorProto &more)
{
    DescriptorProto rest = more;
    rest.clear_name();
    rest.clear_field();
    m.MergeFrom(rest);
    for (const auto &field : more.field())
        if (!has_field(m, field))
            *m.add_field() = field;
}

static FileDescriptorProto make()
{
    FileDescriptorProto file, more;
    ArrayInputStream text(additions, sizeof additions - 1);
    Tokenizer tokens(&text, nullptr);
    Parser().Parse(&tokens, &more);
    FileDescriptorProto::descriptor()->file()->CopyTo(&file);
    for (const DescriptorProto &added : more.message_type()) {
        DescriptorProto *own = nullptr;
        for (DescriptorProto &m : *file.mutable_message_type())
            if (m.name() == added.name())
                own = &m;
        if (own)
            extend(*own, added);
        else
            *file.add_message_type() = added;
    }
    file.mutable_enum_type()->MergeFrom(more.enum_type());
    return file;
}

const FileDescriptorProto &vocabulary_file()
{
    static const FileDescriptorProto *file = new FileDescriptorProto(make());
    return *file;
}

namespace
{

/* Errors in the text are reported when all of it is read. */
struct silent : google::protobuf::io::ErrorCollector {
    void AddError(int, google::protobuf::io::ColumnNumber, const std::string &) override
    {
    }
};

} // namespace

bool vocabulary_find_edition(const std::string &text, int *line, int *column)
{
    silent errors;
    ArrayInputStream stream(text.data(), (int)text.size());
    Tokenizer tokens(&stream, &errors);
    tokens.set_comment_style(Tokenizer::CPP_COMMENT_STYLE);
    if (!tokens.Next() || tokens.current().text != "edition")
        return false;
    *line = tokens.current().line;
    *column = tokens.current().column;
    return tokens.Next() && tokens.current().text == "=";
}

} // namespace codec
