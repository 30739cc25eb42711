-- What a URL of PostgreSQL says (libpq, "Connection URIs"), with the names of servers looked up by
-- the server's own resolver: libpq's would stop the worker.
local links = require "moontrail.postgres"

local M = {}

local SECONDS <const>, ENDLESS <const> = 10, 86400

-- Options of libpq where the URL says nothing: a connection whose other side is gone is noticed,
-- and nothing looks for Kerberos.
local UNLESS_SAID <const> = {
    fallback_application_name = "moontrail",
    gssencmode = "disable",
    keepalives_idle = "30",
    keepalives_interval = "10",
    keepalives_count = "3",
}

-- Takes prepare=… out of the URL's query, which libpq does not know.
local function take_prepare(url)
    local prepare = true
    local rest = url:gsub("([?&])prepare=([^&]*)", function(mark, value)
        if value ~= "true" and value ~= "false" then
            error("prepare is true or false, not " .. value, 0)
        end
        prepare = value == "true"
        return mark
    end)
    return rest:gsub("([?&])&+", "%1"):gsub("[?&]$", ""), prepare
end

function M.parse(url)
    local rest, prepare = take_prepare(url)
    local params = links.parse(rest)
    for name, value in pairs(UNLESS_SAID) do params[name] = params[name] or value end
    params.client_encoding = "UTF8"
    local seconds = tonumber(params.connect_timeout) or SECONDS
    params.connect_timeout = nil
    return {params = params, prepare = prepare, seconds = seconds > 0 and seconds or ENDLESS}
end

local function split(list)
    local items = {}
    for item in list:gmatch("[^,]*") do items[#items + 1] = item end
    return items
end

local function is_socket(host)
    return host == "" or host:find("^[/@]") ~= nil
end

-- The ports of so many hosts: one each, or one for all.
local function ports_of(params, count)
    local ports = split(params.port or os.getenv("PGPORT") or "")
    if #ports ~= 1 and #ports ~= count then
        error(("%d ports for %d hosts"):format(#ports, count), 0)
    end
    return ports
end

local function addresses_of(host, seconds)
    if is_socket(host) then return true, {""} end
    return pcall(links.addresses, host, seconds)
end

-- The options with each host as often as it has addresses. Hosts that are unknown are left out,
-- unless all are.
function M.resolve(where)
    local params = where.params
    local said = params.host or os.getenv("PGHOST")
    if params.hostaddr or not said then return params end
    local hosts, addresses, ports, problem = {}, {}, {}, nil
    local given = split(said)
    local given_ports = ports_of(params, #given)
    for i, host in ipairs(given) do
        local ok, found = addresses_of(host, where.seconds)
        if not ok and found.kind ~= "unreachable" then error(found, 0) end
        problem = problem or not ok and found
        for _, address in ipairs(ok and found or {}) do
            hosts[#hosts + 1] = host
            addresses[#addresses + 1] = address
            ports[#ports + 1] = given_ports[i] or given_ports[1]
        end
    end
    if #hosts == 0 then error(problem, 0) end
    params.host, params.hostaddr = table.concat(hosts, ","), table.concat(addresses, ",")
    params.port = table.concat(ports, ",")
    return params
end

return M
