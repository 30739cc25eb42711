-- Refuses patterns of bundled modules whose time may be more than linear in the text, which a peer
-- may have sent: matching is one call into C, and nothing stops it. Two shapes are refused:
--
--   A  a repetition that anything may fail behind, in a pattern that is tried at every place of the
--      text: "%s+$", "([^/]*)$". It is let through where what stands before the repetition cannot
--      lie in it: ";[^;]*=" begins anew behind each semicolon.
--   B  two repetitions that can divide the same bytes between them, and anything behind them that
--      may fail: "^(.-)%s*$", "^%s*(.*%S)".
--
-- A pattern has to be written where it is used, so that it can be judged.
--
--   lua patterns.lua FILE...     lua patterns.lua --self-test

-- The end of the single character class that begins at a place of a pattern.
local function class_end(pattern, at)
    local c = pattern:sub(at, at)
    if c == "%" then
        return at + 1
    end
    if c ~= "[" then
        return at
    end
    at = at + 1
    if pattern:sub(at, at) == "^" then
        at = at + 1
    end
    repeat -- a "]" right at the start is one of the set
        at = at + (pattern:sub(at, at) == "%" and 2 or 1)
    until pattern:sub(at, at) == "]" or at > #pattern
    return at
end

-- The bytes of a class, as a set.
local function bytes_of(class)
    local set = {}
    for byte = 0, 255 do
        if string.char(byte):find("^" .. class) then
            set[byte] = true
        end
    end
    return set
end

local function overlap(a, b)
    for byte in pairs(a) do
        if b[byte] then
            return true
        end
    end
    return false
end

local function is_all(set)
    for byte = 0, 255 do
        if not set[byte] then
            return false
        end
    end
    return true
end

local any = bytes_of(".")

-- The items of a pattern without its captures: each has a set of bytes, and how often one comes
-- ("1", "?", "*", "+", "-"); and whether the pattern is anchored.
local function items_of(pattern)
    local items, at = {}, 1
    local anchored = pattern:sub(1, 1) == "^"
    if anchored then
        at = 2
    end
    while at <= #pattern do
        local c, two = pattern:sub(at, at), pattern:sub(at, at + 1)
        if c == "(" or c == ")" then
            at = at + 1
        elseif c == "$" and at == #pattern then
            items[#items + 1] = { set = {}, times = "$" }
            at = at + 1
        elseif two == "%b" then -- looks to the end of the text for its close
            items[#items + 1] = { set = any, times = "*" }
            items[#items + 1] = { set = bytes_of("%" .. pattern:sub(at + 3, at + 3)), times = "1" }
            at = at + 4
        elseif two == "%f" then
            at = class_end(pattern, at + 2) + 1
            items[#items + 1] = { set = {}, times = "$" }
        elseif two:find("^%%%d") then
            items[#items + 1] = { set = any, times = "+" }
            at = at + 2
        else
            local last = class_end(pattern, at)
            local times = pattern:match("^[*+?-]", last + 1)
            items[#items + 1] = { set = bytes_of(pattern:sub(at, last)), times = times or "1" }
            at = last + 1 + (times and 1 or 0)
        end
    end
    return items, anchored
end

local function repeats(item)
    return item.times == "*" or item.times == "+" or item.times == "-"
end

-- Whether what stands from a place on may fail to match.
local function may_fail(items, from)
    for i = from, #items do
        local times = items[i].times
        if times == "1" or times == "+" then
            return true
        end
        if times == "$" then -- never behind ".*"
            local before = items[i - 1]
            return not (i > from and before.times == "*" and is_all(before.set))
        end
    end
    return false
end

-- Behind ".*" that is the last before "$", or the last of all, nothing fails.
local function is_fallible(items, index)
    local item, after = items[index], items[index + 1]
    if item.times == "*" and is_all(item.set) and after and after.times == "$" then
        return false
    end
    return may_fail(items, index + 1)
end

-- Shape A.
local function restarts(items)
    for i, item in ipairs(items) do
        local before = items[i - 1]
        local separate = before and before.times == "1" and not overlap(before.set, item.set)
        if repeats(item) and not separate and is_fallible(items, i) then
            return true
        end
    end
    return false
end

-- Whether the bytes of all items between two may be the first one's.
local function are_within(items, first, last)
    for i = first + 1, last - 1 do
        if items[i].times ~= "?" and not overlap(items[i].set, items[first].set) then
            return repeats(items[i]) and items[i].times ~= "+"
        end
    end
    return true
end

-- Shape B.
local function divides(items)
    for i, first in ipairs(items) do
        for j = i + 1, repeats(first) and #items or 0 do
            local second = items[j]
            if repeats(second) and overlap(first.set, second.set) and is_fallible(items, j)
                and are_within(items, i, j) then
                return true
            end
        end
    end
    return false
end

-- What is wrong with a pattern, or nil.
local function judge(pattern)
    local items, anchored = items_of(pattern)
    if not anchored and restarts(items) then
        return "is tried at every place of the text, and what follows its repetition may fail there"
    end
    if divides(items) then
        return "has two repetitions that divide the same bytes between them"
    end
    return nil
end

-- The text of a literal in quotes.
local escapes = { n = "\n", t = "\t", r = "\r", v = "\v", f = "\f", ["0"] = "\0" }

local function unquote(text)
    text = text:gsub("\\x(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
    return (text:gsub("\\(.)", function(c) return escapes[c] or c end))
end

local names = { find = true, gmatch = true, gsub = true, match = true }

-- The pattern that a call's arguments give; nil where it is no literal, false for a plain find.
local function pattern_of(arguments, is_function)
    if is_function then
        arguments = arguments:gsub("^[^,]*,%s*", "")
    end
    if arguments:find(", true)", 1, true) then
        return false
    end
    local literal = arguments:match('^"(.-[^\\])"') or arguments:match('^("")')
    return literal and unquote(literal)
end

-- Calls see(pattern, line), with nil for a pattern that is no literal.
local function visit(source, see)
    local number = 0
    for line in (source .. "\n"):gmatch("(.-)\n") do
        number = number + 1
        local code = line:gsub("^%s*%-%-.*", "")
        local at, last, object, mark, name = code:find("(%w*)([:.])(%l+)%(")
        while at do
            if names[name] and (mark == ":" or object == "string") then
                local arguments = code:match("^%b()", last) or code:sub(last)
                local pattern = pattern_of(arguments:sub(2), mark == ".")
                if pattern ~= false then
                    see(pattern, number)
                end
            end
            at, last, object, mark, name = code:find("(%w*)([:.])(%l+)%(", last)
        end
    end
end

local function check_file(path)
    local file = assert(io.open(path))
    local source, count = file:read("*a"), 0
    file:close()
    visit(source, function(pattern, line)
        local problem = pattern == nil and "a pattern is no literal"
            or judge(pattern) and ("the pattern %q %s"):format(pattern, judge(pattern))
        if problem then
            io.stderr:write(("%s:%d: %s\n"):format(path, line, problem))
            count = count + 1
        end
    end)
    return count
end

local refused = {
    "%s+$", "([^/]*)$", "%s*(.-)%s*,", "^(.-)%s*$", "^%s*(.*%S)", "^.*/.*x", "a*b", "(%w+)=(%w+)",
    "^%s*(.-)%s*$", ".-x", "^%d*%w*;", "%b()", "[^,]+,",
}
local accepted = {
    "[^;]+", "^.*/(.*)", "^.*/(.*)$", "^.*%S", "%S", "%-bin$", "^[^=]*=*$", "^(%d+)([HMSmun])$",
    "^h%w+://[^/?#]*[/?#].", "..?.?", "%%(%x%x)", "[^\32-\126]", ";[^;]*=", "[^%s,]+", "%s*",
    "^[%w._-]+$",
}

local function self_test()
    for _, pattern in ipairs(refused) do
        assert(judge(pattern), pattern .. " is let through")
    end
    for _, pattern in ipairs(accepted) do
        assert(not judge(pattern), pattern .. " is refused")
    end
    local seen = {}
    local source = [[
f(a:match("x\"y"))
string.find(a, "%s")
b:find("z", 1, true)
c:gsub(d, e)
t.find(u)
]]
    visit(source,
        function(pattern, line) seen[#seen + 1] = line .. (pattern or "none") end)
    assert(table.concat(seen, " ") == '1x"y 2%s 4none', table.concat(seen, " "))
end

local count = 0
self_test()
for _, path in ipairs(arg) do
    count = count + check_file(path)
end
os.exit(count == 0 and 0 or 1)
