"""The gRPC service that several tests call, and clients for it without generated code."""
import ssl
import subprocess
import tempfile
from types import SimpleNamespace
from urllib.parse import urlsplit

from optional import need

need("grpc", "google.protobuf", "protoc")

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from server import write_scripts

PROTO = """
    syntax = "proto3";
    package test;
    message Data { string text = 1; int32 count = 2; bytes data = 3; }
    service Calls {
      rpc Echo(Data) returns (Data);
      rpc Fail(Data) returns (Data);
      rpc Raise(Data) returns (Data);
      rpc Wrong(Data) returns (Data);
      rpc Sleep(Data) returns (Data);
      rpc Missing(Data) returns (Data);
      rpc Count(Data) returns (stream Data);
      rpc Sum(stream Data) returns (Data);
      rpc First(stream Data) returns (Data);
      rpc Chat(stream Data) returns (stream Data);
      rpc FailLate(stream Data) returns (stream Data);
    }"""

SERVICE = """
    local grpc = require "moontrail.grpc"
    local mt = require "moontrail"
    local Calls = grpc.service("calls.proto", "test.Calls", %s)

    local function echo_metadata(call)
        for name, value in pairs(call.metadata) do
            if name:find("^x%%-") then
                call:header(name, value)
                call:trailer("trailing-" .. name, value)
            end
        end
    end

    function Calls.Echo(request, call)
        echo_metadata(call)
        call:trailer("x-compressed", tostring(call.compressed))
        call:trailer("x-deadline", tostring(call:deadline()))
        return request
    end

    function Calls.Fail(request, call)
        echo_metadata(call)
        local details
        if #request.data > 0 then
            details = { { type = "test.Data", value = request },
                        { type_url = "x/any", value = request.data } }
        end
        grpc.error(request.count, request.text, details)
    end

    function Calls.Raise(request) error(request.text) end

    function Calls.Wrong(request)
        if request.count == 0 then return end
        return { [request.text] = request.count }
    end

    -- Says how it ended.
    function Calls.Sleep(request, call)
        call.ctx:on_abort(function(reason) print("on_abort", reason) end)
        local ok, problem = pcall(mt.sleep, request.count)
        print("slept", ok, problem, call:cancelled())
        if request.text ~= "" then error(request.text) end
        return request
    end

    function Calls.Count(request, call)
        local sent <close> = setmetatable({}, { __close = function(self) print("sent", self.n) end })
        for i = 1, request.count do
            call:send({ count = i, data = request.data })
            sent.n = i
        end
    end

    function Calls.Sum(call)
        local count, text = 0, {}
        for request in call:messages() do
            count = count + 1
            text[#text + 1] = request.text
        end
        assert(call:recv() == nil)
        return { count = count, text = table.concat(text) }
    end

    function Calls.First(call)
        return call:recv()
    end

    function Calls.Chat(call)
        for request in call:messages() do call:send(request) end
    end

    function Calls.FailLate(call)
        call:send(call:recv())
        call:trailer("x-late", "yes")
        grpc.error("DATA_LOSS", "half of it is gone")
    end

    return Calls
    """


def scripts(options="nil"):
    return {"calls.proto": PROTO, "calls.lua": SERVICE % options}


class Protos:
    """The messages and services of .proto files, from the files' texts or from a folder."""

    def __init__(self, *files, folder=None, **texts):
        with tempfile.TemporaryDirectory() as made:
            texts = {f"{name}.proto": text for name, text in texts.items()}
            write_scripts(made, texts)
            subprocess.run(["protoc", f"-I{folder or made}", "--include_imports",
                            f"--descriptor_set_out={made}/set", *files, *texts], check=True)
            with open(f"{made}/set", "rb") as file:
                described = descriptor_pb2.FileDescriptorSet.FromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in described.file:
            self.pool.Add(file)
        self._factory = message_factory.MessageFactory(self.pool)

    def message(self, name):
        return self._factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def stub(self, channel, service):
        """Has a callable for each method of the service."""
        stub = SimpleNamespace()
        described = descriptor_pb2.ServiceDescriptorProto()
        self.pool.FindServiceByName(service).CopyToProto(described)
        for method in described.method:
            kind = getattr(channel, "_".join("stream" if streams else "unary" for streams in (
                method.client_streaming, method.server_streaming)))
            reply = self.message(method.output_type.lstrip("."))
            setattr(stub, method.name, kind(
                f"/{service}/{method.name}", response_deserializer=reply.FromString,
                request_serializer=lambda message: message.SerializeToString()))
        return stub


PROTOS = Protos(calls=PROTO)
Data = PROTOS.message("test.Data")


def open_channel(url, *options):
    """To a server whose certificate is for localhost, and is its own authority."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        return grpc.insecure_channel(parts.netloc, options)
    root = ssl.get_server_certificate((parts.hostname, parts.port))
    options += (("grpc.ssl_target_name_override", "localhost"),)
    return grpc.secure_channel(
        parts.netloc, grpc.ssl_channel_credentials(root.encode()), options)


def calls(channel):
    return PROTOS.stub(channel, "test.Calls")
