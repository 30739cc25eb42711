#!/bin/sh
# Calls the route guide of the gRPC tutorials. Usage: run.sh [PORT]
. "$(dirname "$0")/../grpc.sh"

client route_guide.proto
