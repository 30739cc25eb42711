-- One operation on the store, by the query.
local mt = require "moontrail"
local s = require("moontrail.store").open "bench"

mt.spawn(function()
    for _ in s:subscribe("channel") do end
end)

local operations = {
    get = function() s:get("key") end,
    set = function() s:set("key", "a value of some bytes") end,
    incr = function() s:incr("count") end,
    publish = function() s:publish("channel", "a message of some bytes") end,
}

return function(ctx)
    operations[ctx.query]()
    ctx:text("Hello world\n")
end
