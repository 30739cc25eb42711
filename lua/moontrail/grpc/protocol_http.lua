-- Calls by the routes of google.api.http: plain HTTP with JSON, whose path, query and body make the
-- request. What fails has a status of HTTP, and a google.rpc.Status in JSON as its body.
local compression = require "moontrail.grpc.compression"
local connect = require "moontrail.grpc.protocol_connect"
local fields = require "moontrail.grpc.http_fields"
local http_error = require "moontrail.grpc.http_error"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"
local template = require "moontrail.grpc.http_template"

local write = mt.ctx.write -- where call.ctx was seen, its own raises

local protocol = {
    name = "http",
    accepts = "accept-encoding",
    encoding = "content-encoding",
    malformed = status.codes.INVALID_ARGUMENT,
    always_prepares = true,
    is_whole = true,
    encode_details = http_error.encode_details,
}

local function refuse(format, ...)
    error(status.new(status.codes.INVALID_ARGUMENT, format:format(...)), 0)
end

-- The request.

function protocol.prepare(self)
    local encoding, length = self.http:request_header("content-encoding", "content-length")
    if self.way.binding.has_body and length and tonumber(length) > self.way.limit then
        compression.refuse_size(self.way.limit)
    end
    return encoding and compression.is_known(encoding) and encoding
        or encoding and refuse("the encoding %s is not supported", encoding)
end

-- The body is read where the binding has one. The call itself comes where others say at which byte
-- a message begins: way.decode needs it.
function protocol.read_only(self, encoding)
    if not self.way.binding.has_body then
        return "", false, self
    end
    local body, compressed = connect.read_only(self, encoding)
    return body, compressed, self
end

local function raw_body(ctx, body)
    return { content_type = ctx:request_header("content-type") or "", data = body, extensions = {} }
end

local function read_json(read, ...)
    local ok, result = pcall(read, ...)
    if not ok then
        error(status.unreadable(protocol.malformed, result), 0)
    end
    return result
end

-- How a body is read: what is required may be in the path or in the query.
local function options_for(way, input)
    if not way.body_options and fields.requires(input) then
        way.body_options = { partial = true, unknown = way.json and way.json.unknown }
    end
    return way.body_options or way.json
end

-- The request's message with what the body has of it.
local function decode_body(way, input, body, ctx)
    local binding, field = way.binding, way.binding.body
    if binding.body_is_raw and not field then
        return raw_body(ctx, body)
    end
    if binding.has_body and not field and body ~= "" then
        return read_json(input.from_json, input, body, options_for(way, input))
    end
    local request = fields.empty(input)
    if binding.body_is_raw then
        request[field.name] = raw_body(ctx, body)
    elseif field and body ~= "" then
        local value = read_json(input.field_from_json, input, field.name, body,
            options_for(way, input))
        if value ~= nil then
            request[field.name] = value
        end
    end
    return request
end

local function set_variables(way, input, request, ctx)
    local parsed = way.binding.template
    for i, value in ipairs(template.values(parsed, ctx.path)) do
        local variable = parsed.variables[i]
        fields.set(input, request, variable.chain, { value }, way.json, variable.path)
    end
end

-- The field that a name in the query means; nil where it is skipped.
local function find_parameter(way, input, name)
    local binding, chain, problem = way.binding, nil, "the body is all of the request"
    if not binding.has_body or binding.body then
        chain, problem = fields.find(input, name)
    end
    local taken = chain and (binding.taken[fields.name_of(chain)] or binding.taken[chain[1].name])
    if chain and not taken then
        return chain
    end
    if way.json and way.json.unknown == "ignore" then
        return nil
    end
    refuse("the query's %s: %s", name, problem or "it is in the " .. taken)
end

-- A field may come by either of its names, but in one way.
local function set_query(way, input, request, ctx)
    local ok, args = pcall(ctx.args, ctx)
    if not ok then
        refuse("the query cannot be read: %s", args)
    end
    local seen = {}
    for name, value in pairs(args) do
        local chain = find_parameter(way, input, name)
        local path = chain and fields.name_of(chain)
        if path and seen[path] then
            refuse("the query's %s is given twice", name)
        end
        if path then
            seen[path] = true
            fields.set(input, request, chain, type(value) == "table" and value or { value },
                way.json, "the query's " .. name)
        end
    end
end

-- The request that body, path and query make.
function protocol.decode(body, self)
    local way, ctx = self.way, self.http
    local input = way.input
    local request = decode_body(way, input, body, ctx)
    set_variables(way, input, request, ctx)
    if ctx.query then
        set_query(way, input, request, ctx)
    end
    if fields.requires(input) then
        read_json(input.encode, input, request)
    end
    return request
end

-- The reply: its JSON, or the field's that is the body; or the HttpBody itself.

function protocol.encoder(binding, output, options)
    local field = binding.reply
    if binding.reply_is_raw then
        return function(_, reply)
            output:encode(reply) -- raises for one that is none
            return field and rawget(reply, field.name) or not field and reply or {}
        end
    end
    if field then
        return function(_, reply)
            return output:field_to_json(field.name, reply, options)
        end
    end
    return function(_, reply)
        return output:to_json(reply, options)
    end
end

-- The bytes of what an encoder gives, whose media type is set.
local function bytes_of(self, reply)
    if type(reply) == "string" then
        return reply
    end
    local kind = reply.content_type
    if not self.begun then
        self.http:header("content-type",
            kind and kind ~= "" and kind or "application/octet-stream")
    end
    return reply.data or ""
end

function protocol.write(self, reply)
    connect.write(self, bytes_of(self, reply))
end

function protocol.finish()
end

function protocol.fail(self, code, text, shown)
    connect.fail_with(self, http_error.encode, code, text, shown)
end

-- Streams of replies: JSON in lines, or events.

local stream = setmetatable({ is_whole = false, accepts = false }, { __index = protocol })

local function write_line(self, text)
    write(self.http, text, "\n")
end

local function write_event(self, text)
    write(self.http, "data: ", text, "\n\n")
end

local function begin(self)
    self.is_answered = true
end

local function fail_line(self, text)
    write_line(self, '{"error":' .. text .. "}")
end

local function fail_event(self, text)
    write(self.http, "event: error\ndata: ", text, "\n\n")
end

-- What was sent as bytes has no place for an error.
local function fail_raw(self)
    self.http:reset("INTERNAL_ERROR")
end

local function write_raw(self, reply)
    write(self.http, bytes_of(self, reply))
end

-- Trailers are for clients that take them; there is no other place for them by now.
local function end_stream(self)
    for _, pair in ipairs(self.http:supports_trailers() and self.trailers or {}) do
        self.http:append_trailer(pair[1], pair[2])
    end
end

-- The protocol of a stream whose replies are written so; fail is for what fails behind the first.
local function stream_by(write_reply, fail)
    local made = setmetatable({}, { __index = stream })
    function made.write(self, reply)
        begin(self)
        self.is_cut = true
        write_reply(self, reply)
        self.is_cut = false
    end
    function made.finish(self)
        if self.is_cut then
            return self.http:reset("CANCEL")
        end
        end_stream(self)
    end
    function made.fail(self, code, text, shown)
        if not self.is_answered then
            return protocol.fail(self, code, text, shown)
        elseif self.is_cut then
            return self.http:reset("CANCEL")
        end
        fail(self, http_error.encode(code, text, shown))
        end_stream(self)
    end
    return made
end

protocol.lines = stream_by(write_line, fail_line)
protocol.events = stream_by(write_event, fail_event)
protocol.pieces = stream_by(write_raw, fail_raw)

return protocol
