-- Templates of paths, as google.api.http has them: "/v1/{name=shelves/*/books/*}:check".
--
-- A template is read once, as the script loads. It gives the pattern that the server's routes have
-- for it, and takes the values of its variables from a path that the pattern has matched.
local template = {}

-- A text with escapes, but for those of slashes where these are to stay.
local function decode(text, keeps_slashes)
    return (text:gsub("%%(%x%x)", function(digits)
        local byte = tonumber(digits, 16)
        return not (keeps_slashes and byte == 0x2f) and string.char(byte) or nil
    end))
end

-- Reading. What is wrong is raised, as a text that goes on from the template's.

local function fail(format, ...)
    error({ problem = format:format(...) }, 0)
end

-- The place of the colon before the verb: behind the last slash, and in no braces.
local function find_verb(text)
    local depth, colon = 0, nil
    for at = 1, #text do
        local c = text:sub(at, at)
        if c == "{" then
            depth = depth + 1
        elseif c == "}" then
            depth = depth - 1
        elseif c == "/" then
            colon = nil
        elseif c == ":" and depth == 0 then
            colon = at
        end
    end
    return colon
end

local function check_literal(text)
    if text == "" then
        fail("has an empty segment")
    end
    local stray = text:match("[^%w%-._~!$&'()+,;=:@%%]")
    if stray then
        fail("has a stray %s", stray)
    end
    if text:find("%%") and not text:gsub("%%%x%x", ""):find("^[^%%]*$") then
        fail("has a malformed escape")
    end
    local plain = decode(text)
    if plain == "." or plain == ".." then
        fail("has a segment of dots, which no path may have")
    end
    if plain:find("[%[%]/%z]") then
        fail("has an escape that no route may have")
    end
    return plain
end

local function add_part(self, part)
    if self.rest then
        fail("goes on behind **")
    end
    self.rest = part.kind == "rest"
    self.parts[#self.parts + 1] = part
end

-- A segment that is no variable.
local function add_segment(self, text)
    if text == "*" then
        add_part(self, { kind = "one" })
    elseif text == "**" then
        add_part(self, { kind = "rest" })
    else
        add_part(self, { kind = "literal", text = check_literal(text) })
    end
end

local function add_segments(self, text)
    for segment in text:gmatch("[^/]*") do
        add_segment(self, segment)
    end
end

-- The names in a variable's path to a field.
local function split_path(text)
    local names = {}
    for name in text:gmatch("[^.]*") do
        if not name:find("^[%a_][%w_]*$") then
            fail("has a variable {%s}, which is no field's name", text)
        end
        names[#names + 1] = name
    end
    return names
end

local function add_variable(self, inside)
    local path, segments = inside:match("^([^=]*)=(.*)$")
    path = path or inside
    local first = #self.parts + 1
    if self.by_path[path] then
        fail("has the variable %s twice", path)
    end
    local names = split_path(path)
    add_segments(self, segments or "*")
    self.by_path[path] = true
    self.variables[#self.variables + 1] = {
        path = path,
        names = names,
        first = first,
        last = #self.parts,
        is_single = first == #self.parts and not self.rest,
    }
end

-- Reads the segments of a text, without its verb.
local function read(self, text)
    local at = 1
    while at <= #text do
        if text:sub(at, at) ~= "/" then
            fail(at == 1 and "does not begin with a slash" or "has text behind a variable")
        end
        local segment = text:match("^{[^{}]*}", at + 1) or text:match("^[^/]*", at + 1)
        if segment:sub(1, 1) == "{" then
            if segment:sub(-1) ~= "}" then
                fail("has a stray {")
            end
            add_variable(self, segment:sub(2, -2))
        else
            add_segment(self, segment)
        end
        at = at + 1 + #segment
    end
end

-- Patterns.

-- The variable that a part belongs to, and what it is called in a pattern.
local function name_of(self, index)
    for _, variable in ipairs(self.variables) do
        if index >= variable.first and index <= variable.last then
            local wild = 0
            for i = variable.first, variable.last do
                wild = wild + (self.parts[i].kind ~= "literal" and 1 or 0)
            end
            return wild == 1 and variable.path or ("%s.%d"):format(variable.path, index)
        end
    end
    return tostring(index)
end

-- The pattern; without names it tells whether two templates match the same paths.
local function pattern_of(self, has_names)
    local list = { "" }
    for i, part in ipairs(self.parts) do
        local name = has_names and name_of(self, i) or "x"
        list[i + 1] = part.kind == "literal" and part.text
            or part.kind == "one" and "[" .. name .. "]" or "[..." .. name .. "?]"
    end
    return (#list == 1 and "/" or table.concat(list, "/")) .. (self.verb and ":" .. self.verb or "")
end

local function parse(text)
    local self = { text = text, parts = {}, variables = {}, by_path = {}, rest = false }
    local colon = find_verb(text)
    if colon then
        self.verb = check_literal(text:sub(colon + 1))
    end
    local path = colon and text:sub(1, colon - 1) or text
    if path == "" then
        fail("does not begin with a slash")
    end
    if path ~= "/" then
        read(self, path)
    elseif colon then
        fail("has an empty segment")
    end
    self.pattern, self.shape = pattern_of(self, true), pattern_of(self, false)
    return self
end

-- The template that a text is: its variables {path, names, is_single, …} in order, its verb, its
-- pattern, and its shape, which all have that match the same paths. Nil and what is wrong with it,
-- which reads well behind the template, for one that is none.
function template.parse(text)
    local ok, result = pcall(parse, text)
    if ok then
        return result
    end
    if type(result) ~= "table" then
        error(result, 0)
    end
    return nil, result.problem
end

-- Values.

-- The segments of a path that the pattern has matched, still escaped, without the verb.
local function split(self, path)
    local segments = {}
    for segment in path:gmatch("[^/]+") do
        segments[#segments + 1] = segment
    end
    local last = self.parts[#self.parts]
    if self.verb and last and last.kind ~= "literal" then
        local colon = segments[#segments]:find(":[^:]*$")
        segments[#segments] = segments[#segments]:sub(1, colon - 1)
    end
    return segments
end

-- The values of the variables, in order. A single segment is decoded whole; in several a slash that
-- is escaped stays so, that it is not taken for one that divides.
function template.values(self, path)
    local segments, values = split(self, path), {}
    for i, variable in ipairs(self.variables) do
        local last = self.parts[variable.last].kind == "rest" and #segments or variable.last
        values[i] = decode(table.concat(segments, "/", variable.first, last),
            not variable.is_single)
    end
    return values
end

return template
