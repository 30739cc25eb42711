-- Notes as clients send them, and as they are stored.
local json = require "moontrail.json"

local note = {}

-- What the request's body has, or nil once the client is told.
function note.read(ctx)
    local ok, sent = pcall(json.decode, ctx:body(1000000))
    if ok and type(sent) == "table" then
        return sent
    end
    ctx:status(400)
    ctx:json { error = "JSON is wanted" }
    return nil
end

-- Adds one to a database or a transaction; nil where the title is taken.
function note.add(db, sent)
    return db:row([[insert into notes (title, text) values ($1, $2)
        on conflict (title) do nothing returning id, title, text]],
        tostring(sent.title), tostring(sent.text or ""))
end

function note.refuse(ctx, sent)
    ctx:status(409)
    return ctx:json { error = "there is a note of the title " .. tostring(sent.title) }
end

return note
