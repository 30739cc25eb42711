#!/bin/sh
# Asks the service of the conformance tests for a reply, an error and a stream. Usage: run.sh [PORT]
scheme=http
. "$(dirname "$0")/../serve.sh"

service=$url/connectrpc.conformance.v1.ConformanceService

# Sends JSON to a method, and shows what comes without what differs from run to run.
ask() {
    curl -s -H 'content-type: application/json' -d "$2" "$service/$1" |
        sed 's/"requestInfo":{.*/"requestInfo":…}}/; s/"details":\[.*/"details":…}/'
    echo
}

ask Unary '{"responseDefinition": {"responseData": "bW9vbg=="}}'
ask Unary '{"responseDefinition": {"error": {"code": "CODE_NOT_FOUND", "message": "no such"}}}'
ask Unimplemented '{}'
curl -s -o /dev/null -w '%{http_code} %{content_type}\n' \
    "$service/IdempotentUnary?connect=v1&encoding=json&message=%7B%7D"
