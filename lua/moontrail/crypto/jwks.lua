-- Sets of keys that another server publishes (RFC 7517 5), kept fresh: they are asked for when the
-- first token comes, when their time is over, and when a token names a key that is not among them.
local json = require "moontrail.json"
local keys = require "moontrail.crypto.keys"
local mt = require "moontrail"
local script = require "moontrail.runtime.script"

local jwks = {}

local Set = {}
Set.__index = Set
Set.__name = "jwks"

-- What a server may have us read, and how many keys a token without a kid is tried with.
local BODY_MAX, KEYS_MAX, TRIED_MAX = 1 << 20, 100, 4

-- Seconds: how long keys hold, by what the server says; how long they are used on where it cannot
-- be asked; and how soon it is asked again after it has failed, without keys and with.
local AGE, AGE_MIN, AGE_MAX, STALE = 600, 60, 86400, 86400
local RETRY, RETRY_WITH_KEYS, PATIENCE = 1, 10, 5

-- A token may name any key: so often such a name is asked for at once, and then once in so many
-- seconds.
local ASKS, ASK_EVERY = 5, 10

local known = { ca = "string", verify = "boolean" }

-- The options are those of mt.http: ca and verify.
function jwks.new(url, options)
    if type(url) ~= "string" or not url:find("^https?://") then
        script.blame("the URL of a key set is http:// or https://")
    end
    if options ~= nil and type(options) ~= "table" then
        script.blame("the options of a key set are a %s, not a table", type(options))
    end
    for name, value in pairs(options or {}) do
        if type(value) ~= known[name] then
            script.blame("a key set has no option %s that is a %s", tostring(name), type(value))
        end
    end
    options = options or {}
    return setmetatable({
        url = url,
        options = { ca = options.ca, verify = options.verify, timeout = PATIENCE },
        asks = ASKS,
        asked = mt.now(),
    }, Set)
end

function jwks.is(value)
    return getmetatable(value) == Set
end

local function age_of(res)
    local told = tostring(res.headers["cache-control"] or ""):match("max%-age=(%d+)")
    return math.max(AGE_MIN, math.min(tonumber(told) or AGE, AGE_MAX))
end

-- The keys of a set that verify, or nil and why; others, and what is no key that is known here, are
-- passed over. Nobody publishes a key that both sides keep.
local function read(body)
    local ok, set = pcall(json.decode, body)
    local found = {}
    if not ok then
        return nil, set
    end
    if type(set) ~= "table" or type(set.keys) ~= "table" then
        return nil, "it has no keys"
    end
    for i, jwk in ipairs(set.keys) do
        local key = type(jwk) == "table" and jwk.kty ~= "oct" and keys.of_jwk(jwk)
        found[#found + 1] = key or nil
        if i == KEYS_MAX then
            break
        end
    end
    return found
end

local function fetch(set)
    local res <close> = mt.http.get(set.url, set.options)
    if res.status ~= 200 then
        error(("%s: %d"):format(set.url, res.status), 0)
    end
    local found, why = read(res:body(BODY_MAX))
    if not found then
        error(("%s: no key set: %s"):format(set.url, why), 0)
    end
    return found, age_of(res)
end

-- Asks the server, or waits for who asks already. Who is aborted meanwhile leaves it to the others.
local function load(set)
    if set.loading then
        set.loading:recv()
        return
    end
    set.loading = mt.channel()
    local _ <close> = setmetatable({}, { __close = function()
        local loading = set.loading
        set.loading = nil
        loading:close()
    end })
    local ok, found, age = pcall(fetch, set)
    if ok then
        set.keys, set.problem, set.loaded, set.age = found, nil, mt.now(), age
    elseif type(found) == "table" and found.kind == "abort" then
        error(found, 0)
    else
        set.problem, set.failed = found, mt.now()
    end
end

-- Whether a time was less than so many seconds ago; not where the clock was set back meanwhile.
local function is_recent(time, seconds)
    local passed = mt.now() - time
    return passed >= 0 and passed < seconds
end

local function failed_within(set, seconds)
    return set.problem ~= nil and is_recent(set.failed, seconds)
end

-- Makes sure that there are keys; nil and why.
local function ensure(set)
    if set.keys and not is_recent(set.loaded, set.age) and not set.loading
        and not failed_within(set, RETRY_WITH_KEYS) then
        load(set)
        if not is_recent(set.loaded, set.age + STALE) then
            set.keys = nil
        end
    end
    while not set.keys do
        if failed_within(set, RETRY) then
            return nil, set.problem
        end
        load(set)
    end
    return true
end

-- Whether a name that is not known may be asked for now.
local function may_ask(set)
    local now = mt.now()
    set.asks = math.min(ASKS, set.asks + math.max(0, now - set.asked) / ASK_EVERY)
    set.asked = now
    if set.asks < 1 then
        return false
    end
    set.asks = set.asks - 1
    return true
end

local function find(set, kid, alg)
    local found = {}
    for _, key in ipairs(set.keys or {}) do
        if (kid == nil or key.kid == kid) and #found < TRIED_MAX and keys.fits(key, alg) then
            found[#found + 1] = key
        end
    end
    return found
end

-- The keys that may have signed a token; nil and why.
function Set:candidates(kid, alg)
    local there, why = ensure(self)
    if not there then
        return nil, why
    end
    local found = find(self, kid, alg)
    if #found == 0 and may_ask(self) then
        load(self)
        found = find(self, kid, alg)
    end
    return found
end

return jwks
