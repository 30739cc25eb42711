-- Digests, random bytes, codecs, seals, hashes of passwords, and signed tokens, by OpenSSL.
local primitives = require "moontrail.crypto.primitives"
local jwks = require "moontrail.crypto.jwks"
local jwt = require "moontrail.crypto.jwt"

return {
    base64 = primitives.base64,
    base64url = primitives.base64url,
    digest = primitives.digest,
    equal = primitives.equal,
    hex = primitives.hex,
    hmac = primitives.hmac,
    jwks = jwks.new,
    jwt = { sign = jwt.sign, verify = jwt.verify },
    open = primitives.open,
    password = primitives.password,
    random = primitives.random,
    seal = primitives.seal,
    uuid = primitives.uuid,
}
