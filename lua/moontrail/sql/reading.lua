-- Rows as a loop asks for them: called for each, and closed where the loop ends. A connection of
-- the pool that it holds is let go of then.
local Reading = { __name = "rows" }
Reading.__index = Reading

function Reading:close()
    local stream, held = self.stream, self.held
    self.stream, self.held = nil, nil
    if stream then
        stream:close()
    end
    if held then
        held:close()
    end
end

Reading.__close = Reading.close

function Reading:__call()
    local row = self.stream and self.stream:next()
    if not row then
        self:close()
    end
    return row
end

-- Opens the stream of a statement on a connection; held may be nil.
return function(connection, held, text, params, timeout)
    local reading = setmetatable({ held = held }, Reading)
    local ok, stream = pcall(connection.rows, connection, text, params, timeout)
    if not ok then
        reading:close()
        error(stream, 0)
    end
    reading.stream, reading.columns = stream, stream.columns
    return reading
end
