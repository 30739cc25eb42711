-- Statuses of gRPC: their names and numbers, the errors that carry them, and how they travel.
local nearest = require "moontrail.grpc.nearest"
local pb = require "moontrail.protobuf"
local script = require "moontrail.runtime.script"

local blame = script.blame

local status = {}

local names = {
    [0] = "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

-- The number of each name.
status.codes = {}
for code, name in pairs(names) do
    status.codes[name] = code
end

-- What grpc.error raises: code, message, and perhaps details with the line that gave them.
local Status = { __name = "moontrail.grpc.status" }

function Status:__tostring()
    return (names[self.code] or self.code) .. ": " .. self.message
end

-- As the other errors of the runtime, a status is taken for its text where a string would be.

local function text_of(value)
    return getmetatable(value) == Status and tostring(value) or value
end

function Status.__concat(a, b)
    return text_of(a) .. text_of(b)
end

function Status:__len()
    return #tostring(self)
end

-- A function of strings, as a method: problem:find("NOT_FOUND").
function Status.__index(_, name)
    local method = string[name]
    return method and function(self, ...)
        return method(text_of(self), ...)
    end
end

function status.is(value)
    return getmetatable(value) == Status
end

-- Names the status that was meant, or all that there are.
local function blame_code(code)
    local meant = type(code) == "string" and nearest(code, names)
    if meant then
        blame("no status of an error: %s: is it %s?", code, meant)
    end
    blame("no status of an error: %s: it is a number above 0, or one of %s",
        code, table.concat(names, ", "))
end

-- The number of a status given by name or number.
function status.check_code(code)
    local number = status.codes[code] or math.tointeger(code)
    if number == 0 then
        blame("no status of an error: %s: a method that returns has it", code)
    end
    if not number or number < 1 or number > 0x7fffffff then
        blame_code(code)
    end
    return number
end

local function check_detail(detail)
    if type(detail) ~= "table" or type(detail.type or detail.type_url) ~= "string" then
        blame("a detail is a table with a type, the full name of a message, and a value")
    end
    local wanted = detail.type and "table" or "string"
    if type(detail.value) ~= wanted then
        blame("the value of the detail %s is a %s, not a %s",
            detail.type or detail.type_url, type(detail.value), wanted)
    end
end

local function check_details(details)
    if details == nil or type(details) == "string" then
        return
    end
    if type(details) ~= "table" or #details == 0 and next(details) ~= nil then
        blame("details are a list of tables, or the bytes of a google.rpc.Status")
    end
    for _, detail in ipairs(details) do
        check_detail(detail)
    end
end

function status.new(code, message, details)
    return setmetatable(
        { kind = "grpc", code = code, message = message, details = details }, Status)
end

-- The status for a message that cannot be decoded.
function status.unreadable(code, problem)
    return status.new(code, "a message cannot be read: " .. problem)
end

-- The text of a message, which may be an error that was caught.
local function check_message(message)
    return script.text(message or "") or blame("the message of a status is a table, not a string")
end

-- grpc.error
function status.raise(code, message, details)
    local raised = status.new(status.check_code(code), check_message(message), details)
    if details ~= nil then
        check_details(details)
        raised.line = script.line()
    end
    error(raised, 0)
end

local function escape(byte)
    return ("%%%02X"):format(byte:byte())
end

-- A message as grpc-message has it: percent-encoded but for printable ASCII.
function status.encode_message(message)
    return (message:gsub("[^\x20-\x24\x26-\x7E]", escape))
end

-- The few bytes of google.rpc.Status are put together by hand, so that it needs no .proto.

local function varint(n)
    local bytes = {}
    while n > 0x7f do
        bytes[#bytes + 1] = string.char(n & 0x7f | 0x80)
        n = n >> 7
    end
    bytes[#bytes + 1] = string.char(n)
    return table.concat(bytes)
end

-- A field of wire type 2: a string, bytes or a message.
local function field(number, bytes)
    return string.char(number << 3 | 2) .. varint(#bytes) .. bytes
end

local common

-- The message type of that name in a schema, or one of those that details mostly have; nil.
function status.type_of(schema, name)
    local found = schema and schema:message(name)
    if found or not name:find("^google%.rpc%.") then
        return found
    end
    common = common or pb.load("google/rpc/error_details.proto")
    return common:message(name)
end

-- A google.protobuf.Any; messages are found in the schema.
local function encode_detail(detail, schema)
    local url, value = detail.type_url, detail.value
    if not url then
        local message = status.type_of(schema, detail.type)
        if not message then
            error(("there is no message %s"):format(detail.type), 0)
        end
        url, value = "type.googleapis.com/" .. detail.type, message:encode(value)
    end
    return field(1, url) .. field(2, value)
end

-- The bytes of grpc-status-details-bin; of a status that another server gave, as they came. Raises
-- for a detail that is not as its .proto has it.
function status.encode_details(self, schema)
    if self.encoded then
        return self.encoded
    end
    if type(self.details) == "string" then
        return self.details
    end
    local parts = { "\x08", varint(self.code), field(2, self.message) }
    for _, detail in ipairs(self.details) do
        parts[#parts + 1] = field(3, encode_detail(detail, schema))
    end
    return table.concat(parts)
end

-- A message as it was before status.encode_message.
function status.decode_message(text)
    return (text:gsub("%%(%x%x)", function(digits)
        return string.char(tonumber(digits, 16))
    end))
end

return status
