-- GET /notes?q=WORD lists them; POST /notes adds one.
local db = require "_db"
local note = require "_note"

return {
    GET = function(ctx)
        return ctx:json(db:query([[select id, title from notes
            where lower(title) like '%' || lower($1) || '%' order by id]], ctx:args().q or ""))
    end,

    POST = function(ctx)
        local sent = note.read(ctx)
        if not sent then
            return
        end
        local added = note.add(db, sent)
        if not added then
            return note.refuse(ctx, sent)
        end
        ctx:status(201)
        ctx:header("location", "/notes/" .. added.id)
        return ctx:json(added)
    end,
}
