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
    service Health {
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

    def ask(self, **asked):
        request = self._request(host="here")
        for name, value in asked.items():
            if isinstance(value, tuple):
                request.extension.type, request.extension.number = value
            else:
                setattr(request, name, value)
        response, = self._info(iter([request]))
        assert response.original == request and response.host == "here"
        return response

    def file(self, **asked):
        described, = self.ask(**asked).files.file
        return descriptor_pb2.FileDescriptorProto.FromString(described)
