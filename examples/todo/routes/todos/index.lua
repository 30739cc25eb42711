-- GET /todos lists them; POST /todos adds one.
local json = require "moontrail.json"
local todos = require "_todos"

return {
    GET = function(ctx)
        ctx:json(json.array(todos.list()))
    end,

    POST = function(ctx)
        local ok, sent = pcall(json.decode, ctx:body(10000))
        if not ok or type(sent) ~= "table" or type(sent.title) ~= "string" or sent.title == "" then
            ctx:status(400)
            return ctx:json { error = 'an object with a "title" is wanted' }
        end
        local todo = todos.add(sent.title)
        ctx:status(201)
        ctx:header("location", "/todos/" .. todo.id)
        return ctx:json(todo)
    end,
}
