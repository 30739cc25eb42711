#!/bin/sh
# Runs cases of gRPC's interoperability tests. Usage: run.sh [PORT]
. "$(dirname "$0")/../grpc.sh"

client grpc/testing/messages.proto grpc/testing/empty.proto
