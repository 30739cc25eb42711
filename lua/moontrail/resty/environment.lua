-- Lets require find the libraries that were written for OpenResty, and gives each an environment of
-- its own, which has what Lua 5.1 and LuaJIT have and Lua 5.4 lacks.
local bit = require "moontrail.resty.bit"

local DEBIAN = "/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"

local environment = {}

local own_modules = { bit = bit }

local function require_own(name)
    return own_modules[name] or require(name)
end

local own_table = setmetatable({
    getn = function(t) return #t end,
    maxn = function(t)
        local most = 0
        for key in pairs(t) do
            most = type(key) == "number" and key > most and key or most
        end
        return most
    end,
}, { __index = table })

local own_math = setmetatable({ pow = function(a, b) return a ^ b end }, { __index = math })

-- Compiles a text, or what a function gives, in that environment, as 5.1's functions do.
local function loader(env)
    return function(chunk, name)
        return load(chunk, name, "t", env)
    end
end

function environment.new(ngx)
    local env = {
        ngx = ngx, bit = bit, require = require_own, unpack = table.unpack,
        table = own_table, math = own_math,
    }
    env._G = env
    env.loadstring = loader(env)
    env.load = loader(env)
    return setmetatable(env, { __index = _G })
end

-- Finds nginx.* and resty.*: where others are found, then among Debian's.
local function search(ngx, name)
    if not (name:find("^nginx%.") or name:find("^resty%.")) then
        return nil
    end
    local path, problem = package.searchpath(name, package.path .. ";" .. DEBIAN)
    if not path then
        return problem
    end
    local chunk, wrong = loadfile(path, "t", environment.new(ngx))
    if not chunk then
        error(("error loading module '%s' from file '%s':\n\t%s"):format(name, path, wrong), 0)
    end
    return chunk, path
end

-- It comes before the searcher that would give these libraries the environment of scripts.
function environment.open(ngx)
    table.insert(package.searchers, 2, function(name)
        return search(ngx, name)
    end)
end

return environment
