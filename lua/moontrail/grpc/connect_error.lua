-- Statuses as the Connect protocol tells them: JSON, and a status of HTTP for each code.
local base64 = require "moontrail.base64"
local details = require "moontrail.grpc.details"
local json = require "moontrail.json"
local status = require "moontrail.grpc.status"

local connect_error = {}

-- By code: its name, and the status of HTTP for it.
local codes = {
    { "canceled", 499 },
    { "unknown", 500 },
    { "invalid_argument", 400 },
    { "deadline_exceeded", 504 },
    { "not_found", 404 },
    { "already_exists", 409 },
    { "permission_denied", 403 },
    { "resource_exhausted", 429 },
    { "failed_precondition", 400 },
    { "aborted", 409 },
    { "out_of_range", 400 },
    { "unimplemented", 501 },
    { "internal", 500 },
    { "unavailable", 503 },
    { "data_loss", 500 },
    { "unauthenticated", 401 },
}

-- Connect has no codes but these.
local function known(code)
    return codes[code] or codes[status.codes.UNKNOWN]
end

-- The names of all codes.
function connect_error.names()
    local names = {}
    for i, known_code in ipairs(codes) do
        names[i] = known_code[1]
    end
    return names
end

function connect_error.http_status(code)
    return known(code)[2]
end

-- A text as JSON, where what is no UTF-8 is replaced.
function connect_error.quote(text)
    local parts, at = {}, 1
    while at <= #text do
        local _, bad = utf8.len(text, at)
        parts[#parts + 1] = text:sub(at, (bad or #text + 1) - 1)
        if bad then
            parts[#parts + 1] = "\u{FFFD}"
        end
        at = (bad or #text) + 1
    end
    return json.encode(table.concat(parts))
end

local quote = connect_error.quote

-- The message of a detail as JSON, for who reads along; nil where its type is not known.
local function debug_form(schema, name, bytes)
    local type = schema:message(name)
    local ok, text = pcall(function() return type:to_json(bytes) end)
    return ok and text or nil
end

local function encode_detail(schema, url, bytes)
    local name = url:match("^.*/(.*)") or url
    local shown = debug_form(schema, name, bytes)
    return ('{"type":%s,"value":%s%s}'):format(quote(name),
        quote((base64.encode(bytes):gsub("=", ""))), shown and ',"debug":' .. shown or "")
end

-- The details of a status as a JSON array, of what encode makes of each by its URL and bytes.
-- Raises for a detail that is not as its .proto has it.
function connect_error.list_details(problem, schema, encode)
    local list = {}
    for i, any in ipairs(details.anys(status.encode_details(problem, schema)) or {}) do
        list[i] = encode(schema, any.type_url, any.value)
    end
    return "[" .. table.concat(list, ",") .. "]"
end

function connect_error.encode_details(problem, schema)
    return connect_error.list_details(problem, schema, encode_detail)
end

-- A status as JSON.
function connect_error.encode(code, text, shown)
    return ('{"code":"%s"%s%s}'):format(known(code)[1],
        text ~= "" and ',"message":' .. quote(text) or "",
        shown and ',"details":' .. shown or "")
end

return connect_error
