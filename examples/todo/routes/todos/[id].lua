-- GET shows one, PUT marks it as done, DELETE removes it.
local todos = require "_todos"

-- A handler for one todo, which is there.
local function with_todo(answer)
    return function(ctx)
        local todo = todos.find(ctx.params.id)
        if not todo then
            ctx:status(404)
            return ctx:json { error = "no todo has the id " .. ctx.params.id }
        end
        return answer(ctx, todo)
    end
end

return {
    GET = with_todo(function(ctx, todo)
        return ctx:json(todo)
    end),

    PUT = with_todo(function(ctx, todo)
        todo.done = true
        return ctx:json(todo)
    end),

    DELETE = with_todo(function(ctx, todo)
        todos.remove(todo)
        ctx:status(204)
    end),
}
