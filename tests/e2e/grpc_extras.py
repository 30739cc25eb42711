"""Health and reflection, as their clients see them."""
from optional import need

need("google.protobuf")

from google.protobuf import descriptor_pb2

from grpc_service import Protos

HEALTH = Protos(health="""
    syntax = "proto3";
    package grpc.health.v1;
    message HealthCheckRequest { string service = 1; }
    message HealthCheckResponse {
      enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
      ServingStatus status = 1;
    }
    message HealthListRequest {}
    message HealthListResponse { map<string, HealthCheckResponse> statuses = 1; }
    service Health {
      rpc List(HealthListRequest) returns (HealthListResponse);
      rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
      rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
    }""")
Check = HEALTH.message("grpc.health.v1.HealthCheckRequest")

REFLECTION = """
    syntax = "proto3";
    package grpc.reflection.%s;
    service ServerReflection { rpc ServerReflectionInfo(stream Request) returns (stream Response); }
    message Request {
      string host = 1;
      oneof asked {
        string file = 3; string symbol = 4; Extension extension = 5; string numbers_of = 6;
        string list = 7;
      }
    }
    message Extension { string type = 1; int32 number = 2; }
    message Response {
      string host = 1;
      Request original = 2;
      oneof answer { Files files = 4; Numbers numbers = 5; Services services = 6; Error error = 7; }
    }
    message Files { repeated bytes file = 1; }
    message Numbers { string type = 1; repeated int32 number = 2; }
    message Services { repeated Service service = 1; }
    message Service { string name = 1; }
    message Error { int32 code = 1; string message = 2; }"""


def name_of(response):
    return type(response).DESCRIPTOR.fields_by_name["status"].enum_type \
        .values_by_number[response.status].name


class Reflection:
    def __init__(self, channel, version):
        package = f"grpc.reflection.{version}"
        protos = Protos(reflection=REFLECTION % version)
        self._request = protos.message(f"{package}.Request")
        self._info = protos.stub(channel, f"{package}.ServerReflection").ServerReflectionInfo

    def _make(self, asked):
        request = self._request(host="here")
        for name, value in asked.items():
            if isinstance(value, tuple):
                request.extension.type, request.extension.number = value
            else:
                setattr(request, name, value)
        return request

    def ask_all(self, *asked):
        """Asks on one stream, one by one."""
        requests = [self._make(each) for each in asked]
        responses = list(self._info(iter(requests)))
        assert [response.original for response in responses] == requests
        assert {response.host for response in responses} == {"here"}
        return responses

    def ask(self, **asked):
        response, = self.ask_all(asked)
        return response

    def files(self, **asked):
        return described(self.ask(**asked))

    def file(self, **asked):
        """The file that was asked for, without those that it imports."""
        return self.files(**asked)[0]


def described(response):
    return [descriptor_pb2.FileDescriptorProto.FromString(file) for file in response.files.file]
