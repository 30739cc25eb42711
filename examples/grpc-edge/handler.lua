-- A gRPC service behind the edge, by hand: it answers each message with the same message, as it
-- comes. A message is a byte, its length in four bytes, and its own bytes.
return function(ctx)
    ctx:header("content-type", "application/grpc")
    ctx:flush()
    local rest, piece = "", ctx:read()
    while piece do
        rest = rest .. piece
        while #rest >= 5 and #rest >= 5 + (">I4"):unpack(rest, 2) do
            local size = 5 + (">I4"):unpack(rest, 2)
            ctx:write(rest:sub(1, size))
            rest = rest:sub(size + 1)
        end
        piece = ctx:read()
    end
    ctx:append_trailer("grpc-status", "0")
    ctx:append_trailer("x-behind", ctx:protocol())
end
