#include "lua/protobuf/common_protos.h"

namespace codec
{

/* Each name and number is as the public files have it. */
static const struct {
    const char *name, *text;
} files[] = {
    {"google/api/annotations.proto", R"(syntax = "proto3";
package google.api;
import "google/api/http.proto";
import "google/protobuf/descriptor.proto";
extend google.protobuf.MethodOptions { HttpRule http = 72295728; }
)"},
    {"google/api/client.proto", R"(syntax = "proto3";
package google.api;
import "google/api/launch_stage.proto";
import "google/protobuf/descriptor.proto";
import "google/protobuf/duration.proto";
extend google.protobuf.MethodOptions { repeated string method_signature = 1051; }
extend google.protobuf.ServiceOptions {
    string default_host = 1049; string oauth_scopes = 1050; string api_version = 525000001;
}
message CommonLanguageSettings {
    string reference_docs_uri = 1 [deprecated = true];
    repeated ClientLibraryDestination destinations = 2;
    SelectiveGapicGeneration selective_gapic_generation = 3;
}
message ClientLibrarySettings {
    string version = 1; LaunchStage launch_stage = 2; bool rest_numeric_enums = 3;
    JavaSettings java_settings = 21; CppSettings cpp_settings = 22; PhpSettings php_settings = 23;
    PythonSettings python_settings = 24; NodeSettings node_settings = 25;
    DotnetSettings dotnet_settings = 26; RubySettings ruby_settings = 27;
    GoSettings go_settings = 28;
}
message Publishing {
    repeated MethodSettings method_settings = 2; string new_issue_uri = 101;
    string documentation_uri = 102; string api_short_name = 103; string github_label = 104;
    repeated string codeowner_github_teams = 105; string doc_tag_prefix = 106;
    ClientLibraryOrganization organization = 107;
    repeated ClientLibrarySettings library_settings = 109;
    string proto_reference_documentation_uri = 110; string rest_reference_documentation_uri = 111;
}
message JavaSettings {
    string library_package = 1; map<string, string> service_class_names = 2;
    CommonLanguageSettings common = 3;
}
message CppSettings { CommonLanguageSettings common = 1; }
message PhpSettings { CommonLanguageSettings common = 1; string library_package = 2; }
message PythonSettings {
    message ExperimentalFeatures {
        bool rest_async_io_enabled = 1; bool protobuf_pythonic_types_enabled = 2;
        bool unversioned_package_disabled = 3;
    }
    CommonLanguageSettings common = 1; ExperimentalFeatures experimental_features = 2;
}
message NodeSettings { CommonLanguageSettings common = 1; }
message DotnetSettings {
    CommonLanguageSettings common = 1; map<string, string> renamed_services = 2;
    map<string, string> renamed_resources = 3; repeated string ignored_resources = 4;
    repeated string forced_namespace_aliases = 5; repeated string handwritten_signatures = 6;
}
message RubySettings { CommonLanguageSettings common = 1; }
message GoSettings { CommonLanguageSettings common = 1; map<string, string> renamed_services = 2; }
message MethodSettings {
    message LongRunning {
        google.protobuf.Duration initial_poll_delay = 1; float poll_delay_multiplier = 2;
        google.protobuf.Duration max_poll_delay = 3;
        google.protobuf.Duration total_poll_timeout = 4;
    }
    string selector = 1; LongRunning long_running = 2; repeated string auto_populated_fields = 3;
    BatchingConfigProto batching = 4;
}
enum ClientLibraryOrganization {
    CLIENT_LIBRARY_ORGANIZATION_UNSPECIFIED = 0; CLOUD = 1; ADS = 2; PHOTOS = 3; STREET_VIEW = 4;
    SHOPPING = 5; GEO = 6; GENERATIVE_AI = 7;
}
enum ClientLibraryDestination {
    CLIENT_LIBRARY_DESTINATION_UNSPECIFIED = 0; GITHUB = 10; PACKAGE_MANAGER = 20;
}
message SelectiveGapicGeneration {
    repeated string methods = 1; bool generate_omitted_as_internal = 2;
}
message BatchingConfigProto {
    BatchingSettingsProto thresholds = 1; BatchingDescriptorProto batch_descriptor = 2;
}
message BatchingSettingsProto {
    int32 element_count_threshold = 1; int64 request_byte_threshold = 2;
    google.protobuf.Duration delay_threshold = 3; int32 element_count_limit = 4;
    int32 request_byte_limit = 5; int32 flow_control_element_limit = 6;
    int32 flow_control_byte_limit = 7;
    FlowControlLimitExceededBehaviorProto flow_control_limit_exceeded_behavior = 8;
}
enum FlowControlLimitExceededBehaviorProto {
    UNSET_BEHAVIOR = 0; THROW_EXCEPTION = 1; BLOCK = 2; IGNORE = 3;
}
message BatchingDescriptorProto {
    string batched_field = 1; repeated string discriminator_fields = 2;
    string subresponse_field = 3;
}
)"},
    {"google/api/field_behavior.proto", R"(syntax = "proto3";
package google.api;
import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions {
    repeated google.api.FieldBehavior field_behavior = 1052 [packed = false];
}
enum FieldBehavior {
    FIELD_BEHAVIOR_UNSPECIFIED = 0; OPTIONAL = 1; REQUIRED = 2; OUTPUT_ONLY = 3; INPUT_ONLY = 4;
    IMMUTABLE = 5; UNORDERED_LIST = 6; NON_EMPTY_DEFAULT = 7; IDENTIFIER = 8;
}
)"},
    {"google/api/http.proto", R"(syntax = "proto3";
package google.api;
message Http { repeated HttpRule rules = 1; bool fully_decode_reserved_expansion = 2; }
message HttpRule {
    string selector = 1;
    oneof pattern {
        string get = 2; string put = 3; string post = 4; string delete = 5; string patch = 6;
        CustomHttpPattern custom = 8;
    }
    string body = 7; string response_body = 12; repeated HttpRule additional_bindings = 11;
}
message CustomHttpPattern { string kind = 1; string path = 2; }
)"},
    {"google/api/httpbody.proto", R"(syntax = "proto3";
package google.api;
import "google/protobuf/any.proto";
message HttpBody {
    string content_type = 1; bytes data = 2; repeated google.protobuf.Any extensions = 3;
}
)"},
    {"google/api/launch_stage.proto", R"(syntax = "proto3";
package google.api;
enum LaunchStage {
    LAUNCH_STAGE_UNSPECIFIED = 0; UNIMPLEMENTED = 6; PRELAUNCH = 7; EARLY_ACCESS = 1; ALPHA = 2;
    BETA = 3; GA = 4; DEPRECATED = 5;
}
)"},
    {"google/rpc/code.proto", R"(syntax = "proto3";
package google.rpc;
enum Code {
    OK = 0; CANCELLED = 1; UNKNOWN = 2; INVALID_ARGUMENT = 3; DEADLINE_EXCEEDED = 4; NOT_FOUND = 5;
    ALREADY_EXISTS = 6; PERMISSION_DENIED = 7; UNAUTHENTICATED = 16; RESOURCE_EXHAUSTED = 8;
    FAILED_PRECONDITION = 9; ABORTED = 10; OUT_OF_RANGE = 11; UNIMPLEMENTED = 12; INTERNAL = 13;
    UNAVAILABLE = 14; DATA_LOSS = 15;
}
)"},
    {"google/rpc/error_details.proto", R"(syntax = "proto3";
package google.rpc;
import "google/protobuf/duration.proto";
message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
message RetryInfo { google.protobuf.Duration retry_delay = 1; }
message DebugInfo { repeated string stack_entries = 1; string detail = 2; }
message QuotaFailure {
    message Violation {
        string subject = 1; string description = 2; string api_service = 3;
        string quota_metric = 4; string quota_id = 5; map<string, string> quota_dimensions = 6;
        int64 quota_value = 7; optional int64 future_quota_value = 8;
    }
    repeated Violation violations = 1;
}
message PreconditionFailure {
    message Violation { string type = 1; string subject = 2; string description = 3; }
    repeated Violation violations = 1;
}
message BadRequest {
    message FieldViolation {
        string field = 1; string description = 2; string reason = 3;
        LocalizedMessage localized_message = 4;
    }
    repeated FieldViolation field_violations = 1;
}
message RequestInfo { string request_id = 1; string serving_data = 2; }
message ResourceInfo {
    string resource_type = 1; string resource_name = 2; string owner = 3; string description = 4;
}
message Help { message Link { string description = 1; string url = 2; } repeated Link links = 1; }
message LocalizedMessage { string locale = 1; string message = 2; }
)"},
    {"google/rpc/status.proto", R"(syntax = "proto3";
package google.rpc;
import "google/protobuf/any.proto";
message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
)"},
};

const char *common_proto(const std::string &name)
{
    for (const auto &file : files)
        if (name == file.name)
            return file.text;
    return nullptr;
}

} // namespace codec
