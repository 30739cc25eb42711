-- Clients of an etcd server, by gRPC. They are no connections: those are the worker's, and shared.
local grpc = require "moontrail.grpc"

local url = assert(os.getenv "ETCD", "ETCD names a server: h2c://127.0.0.1:2379")

local function client(service)
    return grpc.client(url, "../etcd.proto", "etcdserverpb." .. service)
end

return { kv = client "KV", watch = client "Watch", lease = client "Lease" }
