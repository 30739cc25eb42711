-- Connect's streams: enveloped messages both ways, and a last one of JSON that has the status and
-- the trailers.
local connect = require "moontrail.grpc.protocol_connect"
local connect_error = require "moontrail.grpc.connect_error"
local connect_head = require "moontrail.grpc.connect_head"
local enveloped = require "moontrail.grpc.enveloped"
local json = require "moontrail.json"
local mt = require "moontrail"

local stream = {
    name = "connect",
    accepts = "connect-accept-encoding",
    encoding = "connect-content-encoding",
    malformed = connect.malformed,
    always_prepares = true,
    read = enveloped.read,
    read_only = enveloped.read_only,
    write = enveloped.write_between,
    encode_details = connect_error.encode_details,
}

stream.codecs = {
    ["application/connect+proto"] = "proto",
    ["application/connect+json"] = "json",
}

-- The flag of the last message.
local END = 2

function stream.serves(rpc)
    return rpc.is_any or not connect.serves(rpc)
end

function stream.prepare(self)
    local version, timeout, encoding = self.http:request_header(
        "connect-protocol-version", "connect-timeout-ms", "connect-content-encoding")
    connect_head.prepare(self, version, timeout)
    return enveloped.check_encoding(self, encoding)
end

-- The trailers by name, each with all of its values.
local function by_name(trailers)
    local lists = {}
    for _, pair in ipairs(trailers) do
        local name, value = pair[1], pair[2]
        lists[name] = lists[name] or {}
        table.insert(lists[name], value)
    end
    return lists
end

local function send_end(self, shown)
    local parts = { shown and '"error":' .. shown }
    if self.trailers then
        parts[#parts + 1] = '"metadata":' .. json.encode(by_name(self.trailers))
    end
    local text = "{" .. table.concat(parts, ",") .. "}"
    enveloped.write_end(self, mt.ctx.write, string.pack(">BI4", END, #text), text)
end

function stream.finish(self)
    send_end(self, nil)
end

function stream.fail(self, code, text, shown)
    send_end(self, connect_error.encode(code, text, shown))
end

return stream
