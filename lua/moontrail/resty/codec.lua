-- What ngx has of codecs and digests.
local base64 = require "moontrail.base64"
local digest = require "moontrail.crypto.primitives"
local percent = require "moontrail.runtime.percent"

local codec = {}

local function hex(byte)
    return string.format("%%%02X", byte:byte())
end

function codec.escape_uri(text)
    return (tostring(text):gsub("[^%w%-._~]", hex))
end

function codec.unescape_uri(text)
    return percent.decode((tostring(text):gsub("+", " ")))
end

function codec.encode_base64(text, no_padding)
    local encoded = base64.encode(tostring(text))
    return no_padding and encoded:match("^[^=]*") or encoded
end

function codec.decode_base64(text)
    return base64.decode(text)
end

function codec.md5_bin(text)
    return digest.digest("md5", tostring(text))
end

function codec.md5(text)
    return digest.hex.encode(codec.md5_bin(text))
end

function codec.sha1_bin(text)
    return digest.digest("sha1", tostring(text))
end

function codec.hmac_sha1(key, text)
    return digest.hmac("sha1", key, tostring(text))
end

return codec
