# Read by the run.sh of gRPC examples: serves as serve.sh does, on plaintext.
scheme=http
. "$(dirname "$0")/../serve.sh"

# Runs client.py with the Python modules that protoc makes of the .proto files given.
client() {
    protoc --proto_path="$here" --python_out="$tmp" "$@"
    PYTHONPATH="$tmp:$tmp/$(dirname "$1")" /usr/bin/python3 "$here/client.py" "${url#http://}"
}
