-- COPY … FROM STDIN of PostgreSQL: rows as the server reads them, at its pace.
local blame = require("moontrail.runtime.script").blame

local M = {}

local Copy = {}
Copy.__index = Copy

-- done is called once, when the connection is no longer needed.
function M.start(link, text, seconds, done)
    link:copy(text, seconds)
    return setmetatable({link = link, seconds = seconds, done = done}, Copy)
end

local function end_copy(self)
    local done = self.done
    self.link, self.done = nil, nil
    if done then done() end
end

local function check_open(self)
    if not self.link then blame("the copy has ended") end
    return self.link
end

local function carry_out(self, method, ...)
    local ok, result = pcall(method, check_open(self), ...)
    if ok then return result end
    end_copy(self)
    error(result, 0)
end

function Copy:write(...)
    check_open(self)
    local text = select("#", ...) == 1 and ... or table.concat({...})
    carry_out(self, self.link.put, text, self.seconds)
end

function Copy:finish()
    check_open(self)
    local count = carry_out(self, self.link.end_copy, self.seconds)
    end_copy(self)
    return count
end

-- What was written is not kept, unless finish was called.
function Copy:close()
    if self.link then end_copy(self) end
end

Copy.__close = Copy.close

return M
