-- A gRPC service in all four kinds. The .proto is read when the script loads; no code is generated.
local grpc = require "moontrail.grpc"

local Greeter = grpc.service("helloworld.proto", "helloworld.Greeter")

function Greeter.SayHello(request)
    if request.name == "" then
        grpc.error("INVALID_ARGUMENT", "a name, please")
    end
    return { message = "Hello " .. request.name }
end

-- send waits while the client is slower, and raises once it has left.
function Greeter.SayMany(request, call)
    for i = 1, 3 do
        call:send({ message = ("Hello %s, time %d"):format(request.name, i) })
    end
end

function Greeter.Collect(call)
    local names = {}
    for request in call:messages() do
        table.insert(names, request.name)
    end
    return { message = "Hello " .. table.concat(names, " and ") }
end

-- Each request is answered before the next one is read.
function Greeter.Chat(call)
    for request in call:messages() do
        call:send({ message = request.name:upper() .. "!" })
    end
end

return Greeter
