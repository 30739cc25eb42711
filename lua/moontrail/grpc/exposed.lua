-- The fields of a reply that pages of other origins may see: browsers show no others.
local exposed = {}

local NAME = "access-control-expose-headers"

-- Adds a name to what is exposed, where anything is.
function exposed.add(ctx, name)
    local list = ctx:header(NAME)
    if list and not (", " .. list .. ","):find(", " .. name .. ",", 1, true) then
        ctx:header(NAME, name .. ", " .. list)
    end
end

-- Begins the list, with the names that are known beforehand. Browsers take "*" for all others, but
-- not where a page sends cookies.
function exposed.begin(ctx, names, has_credentials)
    ctx:header(NAME, table.concat(names, ", ") .. (has_credentials and "" or ", *"))
end

return exposed
