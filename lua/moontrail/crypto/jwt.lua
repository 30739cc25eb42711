-- JSON Web Tokens (RFC 7519) that are signed (RFC 7515), by the advice of RFC 8725: the algorithms
-- are the script's choice, each takes its own kind of key, and what a header says of keys is not
-- looked at but for the name of one that is known.
local blame = require("moontrail.runtime.script").blame
local json = require "moontrail.json"
local jwks = require "moontrail.crypto.jwks"
local keys = require "moontrail.crypto.keys"
local mt = require "moontrail"
local primitives = require "moontrail.crypto.primitives"

local jwt = {}

local encode = primitives.base64url.encode

-- Options.

local function is_strings(value)
    if type(value) ~= "table" then
        return type(value) == "string"
    end
    for _, one in ipairs(value) do
        if type(one) ~= "string" then
            return false
        end
    end
    return #value > 0
end

local function is_string(value)
    return type(value) == "string"
end

local function is_leeway(value)
    return type(value) == "number" and value >= 0 and value < math.huge
end

local for_sign = {
    alg = { is_string, "the name of an algorithm" },
    kid = { is_string, "a string" },
}
local for_verify = {
    alg = { is_strings, "the name of an algorithm, or a list of such" },
    aud = { is_strings, "a string, or a list of such" },
    iss = { is_strings, "a string, or a list of such" },
    leeway = { is_leeway, "a number of seconds" },
}

local function check_options(of, given, rules)
    if given ~= nil and type(given) ~= "table" then
        blame("the options of jwt.%s are a %s, not a table", of, type(given))
    end
    for name, value in pairs(given or {}) do
        local rule = rules[name] or blame("jwt.%s has no option %s", of, tostring(name))
        if not rule[1](value) then
            blame("%s is %s", name, rule[2])
        end
    end
    return given or {}
end

-- The strings of an option, as a set; nil for none.
local function set_of(option)
    if option == nil then
        return nil
    end
    local set = {}
    for _, one in ipairs(type(option) == "table" and option or { option }) do
        set[one] = true
    end
    return set
end

local function check_algorithms(set)
    for alg in pairs(set or {}) do
        if not keys.algorithms[alg] then
            blame("there is no algorithm %s", alg)
        end
    end
    return set
end

local function check_key(value)
    local key, why = keys.of(value)
    return key or blame("%s", why)
end

-- Signing.

local function quote(text)
    local ok, quoted = pcall(json.encode, text)
    return ok and quoted or blame("kid is no text in UTF-8")
end

local function header_of(alg, kid)
    local named = kid and (',"kid":%s'):format(quote(kid)) or ""
    return ('{"alg":"%s","typ":"JWT"%s}'):format(alg, named)
end

local function claims_of(claims)
    if type(claims) ~= "table" then
        blame("the claims are a %s, not a table", type(claims))
    end
    local ok, text = pcall(json.encode, claims)
    if not ok then
        blame("%s", text)
    end
    return text:sub(1, 1) == "{" and text or blame("the claims are a list, and not values by name")
end

-- sign(claims, key [, { alg=, kid= }]) → the token
function jwt.sign(claims, key, options)
    options = check_options("sign", options, for_sign)
    local text = claims_of(claims)
    if jwks.is(key) then
        blame("a key set signs nothing")
    end
    key = check_key(key)
    local alg = options.alg or key.alg or blame("alg is missing: the algorithm")
    check_algorithms { [alg] = true }
    if not keys.fits(key, alg) then
        blame("%s takes another kind of key", alg)
    end
    local signed = encode(header_of(alg, options.kid or key.kid)) .. "." .. encode(text)
    local signature = keys.sign(key, alg, signed) or blame("the key is public, and signs nothing")
    return signed .. "." .. encode(signature)
end

-- Verifying.

-- The object that a part of a token is; nil.
local function object_of(part)
    local bytes = keys.decode(part)
    if not bytes or not bytes:find("^%s*{") then
        return nil
    end
    local ok, value = pcall(json.decode, bytes)
    return ok and value or nil
end

-- Header, what was signed, claims as text, and signature; nil and why.
local function split(token)
    local first = token:find(".", 1, true)
    local second = first and token:find(".", first + 1, true)
    if not second or token:find(".", second + 1, true) then
        return nil, "the token has not three parts"
    end
    local header, signature = object_of(token:sub(1, first - 1)), keys.decode(token:sub(second + 1))
    if not header or not signature then
        return nil, "the token cannot be read"
    end
    return {
        header = header,
        signed = token:sub(1, second - 1),
        claims = token:sub(first + 1, second - 1),
        signature = signature,
    }
end

-- What is wrong with a header; nil. An extension that must be understood is not (RFC 7515 4.1.11).
local function fault_of_header(header, allowed)
    if type(header.alg) ~= "string" or not keys.algorithms[header.alg] then
        return "the token's algorithm is none that is known here"
    end
    if allowed and not allowed[header.alg] then
        return ("the token's algorithm is %s"):format(header.alg)
    end
    if header.kid ~= nil and type(header.kid) ~= "string" then
        return "the token's kid is no string"
    end
    return header.crit ~= nil and "the token asks for extensions" or nil
end

local function candidates_of(key, header)
    if jwks.is(key) then
        return key:candidates(header.kid, header.alg)
    end
    return keys.fits(key, header.alg) and { key } or {}
end

-- Whether one of the keys has signed the token; false and why.
local function is_signed(token, key)
    local alg = token.header.alg
    local candidates, why = candidates_of(key, token.header)
    if not candidates then
        return false, why
    end
    for _, candidate in ipairs(candidates) do
        if keys.verify(candidate, alg, token.signed, token.signature) then
            return true
        end
    end
    return false, #candidates == 0 and "there is no key for the token" or "the signature is wrong"
end

-- Whether a claim, a string or for some a list of such, names one of the set.
local function names_one(claim, set, may_be_list)
    if type(claim) ~= "table" then
        return type(claim) == "string" and set[claim] or false
    end
    for _, one in ipairs(may_be_list and claim or {}) do
        if type(one) == "string" and set[one] then
            return true
        end
    end
    return false
end

local function is_number_or_none(claim)
    return claim == nil or type(claim) == "number"
end

-- What is wrong with the claims at this time (RFC 7519 4.1); nil.
local function fault_of_claims(claims, options, now)
    local leeway = options.leeway or 0
    local audience, issuers = set_of(options.aud), set_of(options.iss)
    for _, name in ipairs { "exp", "nbf", "iat" } do
        if not is_number_or_none(claims[name]) then
            return ("%s is no number"):format(name)
        end
    end
    if claims.exp and now >= claims.exp + leeway then
        return "the token has expired"
    end
    if claims.nbf and now + leeway < claims.nbf then
        return "the token is not valid yet"
    end
    if issuers and not names_one(claims.iss, issuers, false) then
        return "the token is of another issuer"
    end
    if audience and not names_one(claims.aud, audience, true) then
        return "the token is for another audience"
    end
    return nil
end

-- The algorithms that a token may have; nil where the key set says.
local function allowed_for(key, options)
    local allowed = check_algorithms(set_of(options.alg))
    if not allowed and not jwks.is(key) and not key.alg then
        blame("alg is missing: the algorithms that a token may have")
    end
    return allowed
end

-- verify(token, key [, { alg=, aud=, iss=, leeway= }]) → the claims, or nil and why. No token, nil,
-- is none that is valid.
function jwt.verify(text, key, options)
    options = check_options("verify", options, for_verify)
    key = jwks.is(key) and key or check_key(key)
    local allowed = allowed_for(key, options)
    if text ~= nil and type(text) ~= "string" then
        blame("a token is a string, not a %s", type(text))
    end
    local token, why = split(text or "")
    if not token then
        return nil, why
    end
    local fault = fault_of_header(token.header, allowed)
    if fault then
        return nil, fault
    end
    local signed
    signed, why = is_signed(token, key)
    if not signed then
        return nil, why
    end
    local claims = object_of(token.claims)
    if not claims then
        return nil, "the claims are no object"
    end
    fault = fault_of_claims(claims, options, mt.now())
    if fault then
        return nil, fault
    end
    return claims
end

return jwt
