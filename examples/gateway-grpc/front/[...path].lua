-- Puts the gRPC server whose URL is in $BACKEND behind gRPC-Web, Connect, JSON and its own
-- templates of google.api.http. What types it has the server tells by reflection.
local grpc = require "moontrail.grpc"

return grpc.gateway(os.getenv("BACKEND"), { origins = { "https://app.example" } })
