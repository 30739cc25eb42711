-- A service for every client: gRPC, gRPC-Web, Connect, and curl.
--
--   curl -d '{"name":"moon"}' -H 'content-type: application/json' \
--       http://127.0.0.1:8080/helloworld.Greeter/SayHello
local grpc = require "moontrail.grpc"

local Greeter = grpc.service("helloworld.proto", "helloworld.Greeter")

function Greeter.SayHello(request)
    if request.name == "" then
        grpc.error("INVALID_ARGUMENT", "a name, please")
    end
    return { message = "Hello " .. request.name }
end

function Greeter.SayMany(request, call)
    for i = 1, 3 do
        call:send({ message = ("Hello %s, time %d"):format(request.name, i) })
    end
end

return Greeter
