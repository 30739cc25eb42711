-- What receiveuntil gives: a function that reads up to a mark, whole or in pieces of a size.
local UNBOUNDED = math.maxinteger

local until_mark = {}

-- The next piece of `size` bytes at the most, and whether the mark came behind it. A read of up to
-- `size` bytes that finds no mark takes nothing, and says that none begins in these.
local function read_piece(tcp, mark, size)
    local socket = tcp.socket
    if not socket then
        return nil, "closed"
    end
    socket:set_timeout(tcp.read_timeout)
    local ok, data, rest = pcall(socket.read_until, socket, mark, size)
    if not ok and type(data) == "table" and data.kind == "limit" then
        return tcp:_read("read_exactly", size)
    end
    local piece, err, partial = tcp:_taken(ok, data, rest)
    return piece, err, partial, true
end

function until_mark.iterator(tcp, mark, inclusive)
    local found = false
    local function take(size)
        if found and size then
            found = false
            return nil, nil, nil
        end
        local piece, err, partial, ends = read_piece(tcp, mark, size or UNBOUNDED)
        if not piece then
            return nil, err, partial
        end
        found = ends and size ~= nil
        return ends and inclusive and piece .. mark or piece
    end
    return take
end

return until_mark
