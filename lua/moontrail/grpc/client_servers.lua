-- The servers that a client's calls go round: one or more, by their URLs. One that cannot be
-- reached is left out for some seconds; where all are, the one that has been out longest is asked.
local mt = require "moontrail"

local servers = {}

-- Seconds that one is left out.
local OUT = 5

-- Schemes whose URLs mean HTTP/1.1, unless a call asks for HTTP/2.
local function is_http_1(url)
    url = url:lower()
    return url:find("^http:") ~= nil or url:find("^unix:") ~= nil
end

function servers.new(urls)
    local list = {}
    for i, url in ipairs(urls) do
        list[i] = { url = url, is_http_1 = is_http_1(url), out_until = 0 }
    end
    return { list = list, last = 0 }
end

-- The one whose turn it is, of those that are not among the ones asked already; nil for none.
function servers.pick(self, asked)
    local list, now = self.list, mt.now()
    local best, index
    for i = 1, #list do
        local at = (self.last + i - 1) % #list + 1
        local one = list[at]
        local is_better = not best or best.out_until > now and one.out_until < best.out_until
        if not asked[one] and is_better then
            best, index = one, at
        end
    end
    self.last = index or self.last
    return best
end

-- How the one asked has done.
function servers.note(server, failed)
    server.out_until = failed and mt.now() + OUT or 0
end

return servers
