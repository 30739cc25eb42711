-- gRPC-Web (PROTOCOL-WEB): gRPC for clients that see no trailers. They come as a last frame of the
-- body; where nothing went before the status, it goes with the headers: Trailers-Only.
local enveloped = require "moontrail.grpc.enveloped"
local grpc = require "moontrail.grpc.protocol_grpc"
local mt = require "moontrail"

local web = {
    name = "grpc-web",
    accepts = grpc.accepts,
    encoding = grpc.encoding,
    read = enveloped.read,
    read_only = enveloped.read_only,
    write = enveloped.write_between,
    write_frame = mt.ctx.write,
    prepare = grpc.prepare,
    serves = grpc.serves,
    encode_details = grpc.encode_details,
}

web.codecs = {
    ["application/grpc-web"] = "proto",
    ["application/grpc-web+proto"] = "proto",
    ["application/grpc-web+json"] = "json",
}

-- The flag of the frame that has the trailers.
local TRAILERS = 0x80

local function add_line(lines, name, value)
    lines[#lines + 1] = name .. ": " .. value .. "\r\n"
end

-- The last frame: the status, and what belongs to it, a line each.
local function send_trailers(self, code, text, details)
    local lines = {}
    add_line(lines, "grpc-status", code)
    grpc.tell(self, add_line, lines, text, details)
    local block = table.concat(lines)
    enveloped.write_end(self, self.way.write_frame,
        string.pack(">BI4", TRAILERS, #block) .. block)
end

function web.finish(self)
    send_trailers(self, 0, "", nil)
end

function web.fail(self, code, text, details)
    if not grpc.fail_at_once(self, code, text, details) then
        send_trailers(self, code, text, details)
    end
end

return web
