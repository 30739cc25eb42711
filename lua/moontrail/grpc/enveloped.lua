-- The messages of a call whose protocol puts each in an envelope: those of gRPC, of gRPC-Web, and
-- of the streams of Connect.
local compression = require "moontrail.grpc.compression"
local message = require "moontrail.grpc.message"
local mt = require "moontrail"
local status = require "moontrail.grpc.status"

local byte = string.byte
local heads, read_by, wrap = message.heads, message.read_by, message.wrap
local read, read_exactly, write = mt.ctx.read, mt.ctx.read_exactly, mt.ctx.write

local enveloped = {}

local function raise(code, text)
    error(status.new(code, text), 0)
end

-- What a request's messages are compressed with, by the field that says so.
function enveloped.check_encoding(self, encoding)
    if not compression.is_known(encoding) then
        self.http:header(self.way.accepts, compression.accepted)
        raise(status.codes.UNIMPLEMENTED, ("the encoding %s is not supported"):format(encoding))
    end
    return encoding
end

-- The next message's bytes, and whether it was compressed; nil at the end of them.
function enveloped.read(self, encoding)
    local way = self.way
    return read_by(read_exactly, self.http, encoding, way.limit, way.malformed)
end

-- What of a message, or of its head, is still to come behind a piece of it.
local function read_rest(self, piece, size)
    if #piece < size then
        piece = piece .. (read_exactly(self.http, size - #piece) or "")
    end
    if #piece < size then
        raise(self.way.malformed, "the request ends within a message")
    end
    return piece
end

local function refuse_none()
    raise(status.codes.UNIMPLEMENTED, "the request has no message")
end

local function refuse_second()
    raise(status.codes.UNIMPLEMENTED, "the request has more than one message")
end

-- The one message of a request: its bytes, whether it was compressed, and where in them it begins.
-- Mostly it comes in one piece.
function enveloped.read_only(self, encoding)
    local ctx, way = self.http, self.way
    local piece = read(ctx)
    if not piece then
        refuse_none()
    end
    if #piece < 5 then
        piece = read_rest(self, piece, 5)
    end
    local flag, a, b, c, d = byte(piece, 1, 5) -- faster than unpack
    local length = a << 24 | b << 16 | c << 8 | d
    if length > way.limit then
        message.refuse_size(way.limit)
    end
    if #piece < 5 + length then
        piece = read_rest(self, piece, 5 + length)
    end
    if #piece > 5 + length or read(ctx) then
        refuse_second()
    end
    if flag == 0 then
        return piece, false, 6
    end
    local payload, compressed =
        message.open(flag, piece:sub(6), encoding, way.limit, way.malformed)
    return payload, compressed, 1
end

-- The same where another function than read_exactly gives the bytes, a source at a time.
function enveloped.read_only_by(exactly, source, way, encoding)
    local payload, compressed = read_by(exactly, source, encoding, way.limit, way.malformed)
    if not payload then
        refuse_none()
    end
    if exactly(source, 1) then
        refuse_second()
    end
    return payload, compressed, 1
end

-- Sends a message, compressed where replies are.
function enveloped.write(self, bytes)
    local packing = self.packing
    if packing then
        return write(self.http, wrap(bytes, packing))
    end
    return write(self.http, heads[#bytes], bytes) -- as wrap; most messages go here
end

-- The same where the end of a call goes behind its messages. One that was cut short, by a deadline,
-- leaves no other end than a reset.
function enveloped.write_between(self, bytes)
    self.is_cut = true
    enveloped.write(self, bytes)
    self.is_cut = false
end

-- Writes the last bytes of such a call by a function of the call.
function enveloped.write_end(self, write_last, ...)
    if self.is_cut then
        return self.http:reset("CANCEL")
    end
    self.is_cut = true
    write_last(self.http, ...)
    self.is_cut = false
end

return enveloped
