-- The todos, in the memory of one worker: they live until the scripts change or the server ends. A
-- file whose name begins with "_" is no route.
local todos, list, last = {}, {}, 0

function todos.list()
    return list
end

function todos.add(title)
    last = last + 1
    local todo = { id = last, title = title, done = false }
    list[#list + 1] = todo
    return todo
end

function todos.find(id)
    for _, todo in ipairs(list) do
        if tostring(todo.id) == id then
            return todo
        end
    end
end

function todos.remove(todo)
    for i, other in ipairs(list) do
        if other == todo then
            return table.remove(list, i)
        end
    end
end

return todos
