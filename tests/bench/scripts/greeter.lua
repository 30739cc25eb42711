local grpc = require "moontrail.grpc"

local Greeter = grpc.service("greeter.proto", "bench.Greeter")

function Greeter.SayHello(request)
    return { message = "Hello " .. request.name }
end

return Greeter
