-- Media types, as content-type has them.
local media = {}

-- A media type without its parameters, in lower case; "" for none.
function media.type_of(kind)
    return ((kind or ""):match("^[^;]*"):match("^.*%S") or ""):lower()
end

-- Whether it is that of gRPC with messages in protobuf.
function media.is_grpc(kind)
    local name = media.type_of(kind)
    return name == "application/grpc" or name == "application/grpc+proto"
end

-- Whether it is gRPC's with whatever codec; application/grpc-web is another protocol's.
function media.is_any_grpc(kind)
    return media.is_grpc(kind) or media.type_of(kind):find("^application/grpc%+") ~= nil
end

return media
