-- GET shows one, PUT gives it another text, DELETE removes it.
local db = require "_db"
local note = require "_note"

-- Answers with the row that a statement gives for the note.
local function answer(ctx, text, ...)
    local row = db:row(text, math.tointeger(tonumber(ctx.params.id)) or 0, ...)
    if not row then
        ctx:status(404)
        return ctx:json { error = "no note has the id " .. ctx.params.id }
    end
    return ctx:json(row)
end

return {
    GET = function(ctx)
        return answer(ctx, "select * from notes where id = $1")
    end,

    PUT = function(ctx)
        local sent = note.read(ctx)
        if sent then
            return answer(ctx, "update notes set text = $2 where id = $1 returning *",
                tostring(sent.text or ""))
        end
    end,

    DELETE = function(ctx)
        return answer(ctx, "delete from notes where id = $1 returning *")
    end,
}
