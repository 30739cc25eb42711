-- Templates of paths: what each becomes, what it takes of a path, and what is none.
local template = require "moontrail.grpc.http_template"

local function equal(got, wanted, what)
    if got ~= wanted then
        error(("%s: got %s, not %s"):format(what, got, wanted), 2)
    end
end

local patterns = {
    { "/", "/" },
    { "/v1", "/v1" },
    { "/v1/shelves", "/v1/shelves" },
    { "/v1/{id}", "/v1/[id]" },
    { "/v1/{id=*}", "/v1/[id]" },
    { "/v1/{book.id}/x", "/v1/[book.id]/x" },
    { "/v1/*/x", "/v1/[2]/x" },
    { "/v1/**", "/v1/[...2?]" },
    { "/{path=**}", "/[...path?]" },
    { "/v1/{name=shelves/*}", "/v1/shelves/[name]" },
    { "/v1/{name=shelves/*/books/*}", "/v1/shelves/[name.3]/books/[name.5]" },
    { "/v1/{name=shelves/*/**}", "/v1/shelves/[name.3]/[...name.4?]" },
    { "/v1/{a}/{b}", "/v1/[a]/[b]" },
    { "/v1/{name=all}", "/v1/all" },
    { "/v1/shelves:clear", "/v1/shelves:clear" },
    { "/v1/{id}:lock", "/v1/[id]:lock" },
    { "/v1/{name=shelves/*}:lock", "/v1/shelves/[name]:lock" },
    { "/v1/{path=**}:lock", "/v1/[...path?]:lock" },
    { "/v1/a:b/c", "/v1/a:b/c" },
    { "/v1/a%20b/{id}", "/v1/a b/[id]" },
    { "/v1/{id}:%6Cock", "/v1/[id]:lock" },
}
for _, case in ipairs(patterns) do
    local got = assert(template.parse(case[1]))
    equal(got.pattern, case[2], case[1])
end

-- Shapes: what templates are called that match the same paths.
local function shape(text)
    return template.parse(text).shape
end
equal(shape("/v1/{a}/x/{b}"), shape("/v1/{b.c=*}/x/*"), "shape")
equal(shape("/v1/{name=shelves/*}"), shape("/v1/shelves/{id}"), "shape")
assert(shape("/v1/{a}") ~= shape("/v1/{a=**}") and shape("/v1/{a}") ~= shape("/v1/{a}:b"))

-- Values.
local values = {
    { "/v1/{id}", "/v1/7", "7" },
    { "/v1/{id}", "/v1/a%2Fb%20c%252F", "a/b c%2F" },
    { "/v1/{id}", "/v1/a:b", "a:b" },
    { "/v1/{id}", "/v1/%C3%A9+", "é+" },
    { "/v1/{id}:lock", "/v1/a:b:lock", "a:b" },
    { "/v1/{name=shelves/*}", "/v1/shelves/a%2fb%2Fc%20d", "shelves/a%2fb%2Fc d" },
    { "/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2", "shelves/1/books/2" },
    { "/v1/{name=shelves/*/books/*}:lock", "/v1/shelves/1/books/2:lock", "shelves/1/books/2" },
    { "/v1/{path=**}", "/v1/a/b%2Fc", "a/b%2Fc" },
    { "/v1/{path=**}", "/v1", "" },
    { "/v1/{path=**}:lock", "/v1/a/b:lock", "a/b" },
    { "/v1/{path=x/**}", "/v1/x", "x" },
    { "/v1/{path=**}", "/v1/a", "a" },
    { "/v1/{a}/{b.c}", "/v1/1/2", "1|2" },
    { "/v1/{name=all}", "/v1/%61ll", "all" },
    { "/v1/*/{b}", "/v1/1/2", "2" },
    { "/v1/shelves:clear", "/v1/shelves:clear", "" },
}
for _, case in ipairs(values) do
    local parsed = assert(template.parse(case[1]))
    equal(table.concat(template.values(parsed, case[2]), "|"), case[3], case[1] .. " " .. case[2])
end

-- Variables.
local variables = template.parse("/v1/{book.name=shelves/*}/{id}").variables
assert(#variables == 2 and variables[1].path == "book.name" and variables[1].names[2] == "name")
assert(not variables[1].is_single and variables[2].is_single)
assert(not template.parse("/{a=**}").variables[1].is_single)

local refused = {
    { "", "does not begin with a slash" },
    { "v1", "does not begin with a slash" },
    { ":x", "does not begin with a slash" },
    { "/:x", "has an empty segment" },
    { "/v1/", "has an empty segment" },
    { "/v1//x", "has an empty segment" },
    { "/v1/{}", "has a variable {}, which is no field's name" },
    { "/v1/{a.}", "has a variable {a.}, which is no field's name" },
    { "/v1/{1a}", "has a variable {1a}, which is no field's name" },
    { "/v1/{a", "has a stray {" },
    { "/v1/a}", "has a stray }" },
    { "/v1/{a}b", "has text behind a variable" },
    { "/v1/x{a}", "has a stray {" },
    { "/v1/{a={b}}", "has a stray {" },
    { "/v1/{a=}", "has an empty segment" },
    { "/v1/{a=x//y}", "has an empty segment" },
    { "/v1/**/x", "goes on behind **" },
    { "/v1/{a=**}/x", "goes on behind **" },
    { "/v1/{a=**/x}", "goes on behind **" },
    { "/v1/a*", "has a stray *" },
    { "/v1/***", "has a stray *" },
    { "/v1/{a}/{a}", "has the variable a twice" },
    { "/v1/{a}:", "has an empty segment" },
    { "/v1/a?b", "has a stray ?" },
    { "/v1/a b", "has a stray  " },
    { "/v1/[a]", "has a stray [" },
    { "/v1/%zz", "has a malformed escape" },
    { "/v1/%5Ba", "has an escape that no route may have" },
    { "/v1/a%2Fb", "has an escape that no route may have" },
    { "/v1/../x", "has a segment of dots, which no path may have" },
    { "/v1/{a}:x*", "has a stray *" },
}
for _, case in ipairs(refused) do
    local got, problem = template.parse(case[1])
    assert(not got, case[1])
    equal(problem, case[2], case[1])
end

return function() end
