-- The page, which another server serves. It calls the service at ?at=URL.
local file = assert(io.open((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "page.html"))
local page = file:read("a")
file:close()

return function(ctx)
    ctx:html(page)
end
