-- Keys as scripts have them: bytes, PEM, JWKs (RFC 7517). What comes of each says of itself what it
-- is for; an algorithm gets no key of another kind, whatever a token's header says.
local primitives = require "moontrail.crypto.primitives"

local keys = {}

-- The digests of what signs with bytes that both sides have.
local shared = { HS256 = "sha256", HS384 = "sha384", HS512 = "sha512" }

-- Every algorithm (RFC 7518 3.1, RFC 8037 3.1); "none" is no algorithm.
keys.algorithms = { EdDSA = true }
for _, kind in ipairs { "HS", "RS", "PS", "ES" } do
    for _, bits in ipairs { "256", "384", "512" } do
        keys.algorithms[kind .. bits] = true
    end
end

-- The fields of a JWK that are numbers or bytes, by its kty.
local fields = {
    oct = { "k" },
    RSA = { "n", "e", "d", "p", "q", "dp", "dq", "qi" },
    EC = { "x", "y", "d" },
    OKP = { "x", "d" },
}

-- The bytes of base64url without padding; nil for a text that the bytes would not be written as, so
-- that no two texts are the same bytes.
function keys.decode(text)
    local bytes = primitives.base64url.decode(text)
    return bytes and primitives.base64url.encode(bytes) == text and bytes or nil
end

-- Keys of PEM, as long as something uses them: reading one takes as long as a signature.
local read = setmetatable({}, { __mode = "v" })

local function of_pem(text)
    local key = read[text]
    if not key then
        local native, why = primitives.pem_key(text)
        if not native then
            return nil, why
        end
        key = { native = native }
        read[text] = key
    end
    return key
end

local function of_text(text)
    if text == "" then
        return nil, "the key is empty"
    end
    if text:find("-----BEGIN ", 1, true) then
        return of_pem(text)
    end
    return { secret = text }
end

-- The numbers of a JWK as bytes.
local function numbers_of(jwk)
    local numbers = { crv = type(jwk.crv) == "string" and jwk.crv or nil }
    for _, name in ipairs(fields[jwk.kty]) do
        local text = jwk[name]
        if text ~= nil then
            local bytes = type(text) == "string" and keys.decode(text)
            if not bytes then
                return nil, ("%s of the JWK is no base64url"):format(name)
            end
            numbers[name] = bytes
        end
    end
    return numbers
end

-- RFC 7517 4.2, 4.3: what a key is for.
local function is_for_signatures(jwk)
    local operations = jwk.key_ops
    if jwk.use ~= nil and jwk.use ~= "sig" then
        return false
    end
    if type(operations) ~= "table" then
        return operations == nil
    end
    for _, operation in ipairs(operations) do
        if operation == "verify" or operation == "sign" then
            return true
        end
    end
    return false
end

local function fault_of(jwk)
    if not fields[jwk.kty] then
        return "the kty of a JWK is oct, RSA, EC or OKP"
    end
    if jwk.alg ~= nil and not keys.algorithms[jwk.alg] then
        return "the JWK is for no algorithm that is known here"
    end
    if jwk.kid ~= nil and type(jwk.kid) ~= "string" then
        return "the kid of a JWK is a string"
    end
    if jwk.oth ~= nil then
        return "an RSA key has two primes"
    end
    return not is_for_signatures(jwk) and "the JWK is not for signatures" or nil
end

-- The key of a JWK; nil and why.
function keys.of_jwk(jwk)
    local fault = fault_of(jwk)
    if fault then
        return nil, fault
    end
    local numbers, why = numbers_of(jwk)
    local key = { alg = jwk.alg, kid = jwk.kid }
    if not numbers then
        return nil, why
    end
    if jwk.kty == "oct" then
        key.secret = numbers.k
        return (numbers.k or "") ~= "" and key or nil, "the key is empty"
    end
    key.native, why = primitives.number_key(jwk.kty, numbers)
    if not key.native then
        return nil, why
    end
    return key
end

-- The key of a script's value; nil and why.
function keys.of(value)
    if type(value) == "string" then
        return of_text(value)
    end
    if type(value) == "table" then
        return keys.of_jwk(value)
    end
    return nil, ("a key is bytes, PEM or a JWK, not a %s"):format(type(value))
end

-- Whether an algorithm takes the key.
function keys.fits(key, alg)
    if key.alg and key.alg ~= alg then
        return false
    end
    if shared[alg] then
        return key.secret ~= nil
    end
    return key.native ~= nil and primitives.takes(key.native, alg)
end

-- The signature; nil for a key that only verifies. The key fits.
function keys.sign(key, alg, data)
    if shared[alg] then
        return primitives.hmac(shared[alg], key.secret, data)
    end
    return primitives.sign(key.native, alg, data)
end

-- Whether it is a signature of the data. The key fits.
function keys.verify(key, alg, data, signature)
    if shared[alg] then
        return primitives.equal(primitives.hmac(shared[alg], key.secret, data), signature)
    end
    return primitives.verify(key.native, alg, data, signature)
end

return keys
