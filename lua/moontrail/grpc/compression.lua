-- What messages are compressed with.
local status = require "moontrail.grpc.status"
local zlib = require "moontrail.zlib"

local codes = status.codes

local compression = {}

-- The formats of moontrail.zlib by their names in the protocols: deflate is zlib's format.
local formats = { gzip = "gzip", deflate = "zlib" }

-- What a peer may compress with.
compression.accepted = "identity, deflate, gzip"

function compression.is_known(encoding)
    return encoding == nil or encoding == "identity" or formats[encoding] ~= nil
end

-- Whether a peer takes an encoding, by its list of those that it does, which may weigh them
-- (RFC 9110 12.4.2): a weight of 0 excludes one.
function compression.accepts(list, encoding)
    for item in (list or ""):gmatch("[^,]+") do
        local name, rest = item:match("^%s*([^%s;]+)(.*)")
        if name == encoding then
            return not rest:find("^%s*;%s*[qQ]=0%.?0*%s*$")
        end
    end
    return false
end

function compression.pack(bytes, encoding)
    return zlib.compress(bytes, { format = formats[encoding] })
end

-- Raises that a message is larger than may be.
function compression.refuse_size(limit)
    error(status.new(codes.RESOURCE_EXHAUSTED,
        ("the message is larger than %d bytes"):format(limit)), 0)
end

-- The payload inflated, by the encoding that its peer has named; malformed is the code for one that
-- cannot be.
function compression.open(payload, encoding, limit, malformed)
    local format = formats[encoding]
    if not format then
        error(status.new(codes.INTERNAL, "a message is compressed, and no encoding is named"), 0)
    end
    local ok, result = pcall(zlib.decompress, payload, { format = format, limit = limit })
    if ok then
        return result
    end
    if result.kind == "limit" then
        compression.refuse_size(limit)
    end
    error(status.new(malformed, "a compressed message cannot be read: " .. result), 0)
end

return compression
