#!/bin/sh
# Calls a gRPC service that is a .proto and a Lua file. Usage: run.sh [PORT]
. "$(dirname "$0")/../grpc.sh"

client helloworld.proto
