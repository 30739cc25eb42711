-- gRPC-Web as a client speaks it (PROTOCOL-WEB): the trailers are the last frame of the body.
local client_frames = require "moontrail.grpc.client_frames"
local client_status = require "moontrail.grpc.client_status"
local grpc = require "moontrail.grpc.client_grpc"
local metadata = require "moontrail.grpc.metadata"

local web = {
    name = "grpc-web",
    kinds = { proto = "application/grpc-web+proto", json = "application/grpc-web+json" },
    bare = "application/grpc-web",
    prefix = "application/grpc-web+",
    wrap = grpc.wrap,
    headers = grpc.headers,
}

-- The bit of a frame's flag that says that it has the trailers.
local TRAILERS = 0x80

function web.prepare(call, fields, seconds)
    grpc.prepare(call, fields, seconds)
    fields["x-grpc-web"] = "1"
end

local function read_frame(call)
    return client_frames.read(call.http, call.limit, TRAILERS)
end

-- A head with a status is all (Trailers-Only), unless a frame follows: over HTTP/1.1 only the body
-- shows that.
function web.begin(call)
    local http = call.http
    local final = grpc.begin(call)
    call.first = nil
    if http.ended_by_head or not http.headers["grpc-status"] then
        return final
    end
    if final then
        return http:read_exactly(1) and final or grpc.end_at_once(call)
    end
    call.first = { read_frame(call) }
    return not call.first[1] and grpc.end_at_once(call) or nil
end

-- The next frame, which begin may have read.
local function take_frame(call)
    local first = call.first
    call.first = nil
    if first then
        return first[1], first[2]
    end
    return read_frame(call)
end

-- The fields of a frame of trailers: by name, and as a list of pairs.
local function parse(block)
    local by_name, list = {}, {}
    for line in block:gmatch("[^\r\n]+") do
        local colon = line:find(":", 2, true)
        if colon then
            local name, value = line:sub(1, colon - 1):lower(), metadata.trim(line:sub(colon + 1))
            by_name[name] = value
            list[#list + 1] = { name, value }
        end
    end
    return by_name, list
end

function web.read(call)
    local flag, payload = take_frame(call)
    if flag and flag & TRAILERS == 0 then
        return client_frames.open(call, flag, payload)
    end
    local block = flag and client_frames.open_end(call, flag ~ TRAILERS, payload) or ""
    local trailers, fields = parse(block)
    call.trailers = metadata.read(fields)
    return nil, client_status.of_trailers(trailers, call.trailers, call.client.schema)
end

return web
