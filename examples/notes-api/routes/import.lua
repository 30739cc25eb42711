-- POST /import adds a list of notes: all of them, or none.
local db = require "_db"
local note = require "_note"

return {
    POST = function(ctx)
        local list = note.read(ctx)
        if not list then
            return
        end
        local ok, taken = pcall(db.transaction, db, function(tx)
            for _, sent in ipairs(list) do
                if not note.add(tx, sent) then
                    error(sent, 0) -- which rolls back
                end
            end
        end)
        if not ok and type(taken) == "table" and taken.title then
            return note.refuse(ctx, taken)
        elseif not ok then
            error(taken, 0)
        end
        ctx:status(201)
        return ctx:json { added = #list }
    end,
}
