-- A service that pages of one other origin may call: $PAGE, such as https://shop.example.
local grpc = require "moontrail.grpc"

local Greeter = grpc.service("helloworld.proto", "helloworld.Greeter", {
    origins = { os.getenv "PAGE" },
})

function Greeter.SayHello(request, call)
    if request.name == "" then
        grpc.error("INVALID_ARGUMENT", "a name, please")
    end
    call:header("x-letters", #request.name)
    return { message = "Hello " .. request.name }
end

function Greeter.SayMany(request, call)
    for i = 1, 3 do
        call:send({ message = ("Hello %s, time %d"):format(request.name, i) })
    end
end

return Greeter
