-- A key of etcd: GET gives its value, PUT sets it, for so many seconds where the query has a ttl,
-- DELETE removes it.
local etcd = require "_etcd"

local function lease_for(seconds)
    return seconds and etcd.lease:LeaseGrant({ TTL = seconds }).ID or nil
end

return {
    GET = function(ctx)
        local found = etcd.kv:Range({ key = ctx.params.key }).kvs[1]
        if not found then
            ctx:status(404)
            return ctx:text("no such key\n")
        end
        ctx:header("x-revision", tostring(found.mod_revision))
        ctx:text(found.value)
    end,

    PUT = function(ctx)
        local ttl = ctx:args().ttl
        local seconds = ttl and math.tointeger(tonumber(ttl))
        if ttl and not (seconds and seconds > 0) then
            ctx:status(400)
            return ctx:text("ttl is seconds, 1 or more\n")
        end
        etcd.kv:Put { key = ctx.params.key, value = ctx:body(), lease = lease_for(seconds) }
        ctx:status(204)
    end,

    DELETE = function(ctx)
        local gone = etcd.kv:DeleteRange({ key = ctx.params.key }).deleted
        ctx:status(gone > 0 and 204 or 404)
    end,
}
