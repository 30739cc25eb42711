-- GET /export gives all notes, one a line, as fast as they are read.
local db = require "_db"
local json = require "moontrail.json"

return {
    GET = function(ctx)
        ctx:header("content-type", "application/x-ndjson")
        for row in db:rows "select title, text from notes order by title" do
            ctx:write(json.encode { row.title, row.text }, "\n")
        end
    end,
}
