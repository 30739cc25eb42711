-- An OpenAPI 3.1 document of what is served: the routes of google.api.http, and those of Connect.
local connect_error = require "moontrail.grpc.connect_error"
local encode = require "moontrail.grpc.openapi_json"
local fields = require "moontrail.grpc.http_fields"
local schema = require "moontrail.grpc.openapi_schema"
local served = require "moontrail.grpc.served"
local transcode = require "moontrail.grpc.transcode"
local ways = require "moontrail.grpc.ways"

-- The methods of HTTP that a path can have in a document; custom ones have no place in it.
local operations = { GET = "get", PUT = "put", POST = "post", DELETE = "delete",
    OPTIONS = "options", HEAD = "head", PATCH = "patch", TRACE = "trace" }

-- Messages in a query within each other, at the most.
local QUERY_DEPTH = 5

local STATUS = { ["$ref"] = "#/components/schemas/google.rpc.Status" }
local CONNECT_ERROR = { ["$ref"] = "#/components/schemas/connect.Error" }

local function of_json(content)
    return { ["application/json"] = { schema = content } }
end

local function responses(content, error)
    return {
        ["200"] = { description = "The reply.", content = content },
        default = { description = "An error.", content = of_json(error) },
    }
end

local function service_of(rpc)
    return rpc.path:match("^/(.*)/")
end

-- What all operations of a method have.
local function begin(rpc, id)
    local name = rpc.path:sub(2):gsub("/", ".")
    local text = schema.comment(rpc.schema, name)
    return {
        operationId = id .. name,
        tags = { service_of(rpc) },
        summary = text and text:match("^[^\n]*"),
        description = text,
    }
end

-- Routes of google.api.http.

local function body_schema(all, rpc, type, field)
    return field and schema.of_field(all, field, rpc) or schema.of_message(all, type, rpc)
end

-- The variable whose only segment is that wildcard, which has its field's type; or nil.
local function whole_variable(parsed, index)
    for _, variable in ipairs(parsed.variables) do
        if variable.is_single and variable.first == index then
            return variable
        end
    end
    return nil
end

-- The path of a place, whose wildcards are called as those of the first template there, and its
-- parameters, as the binding has them.
local function read_path(all, rpc, binding)
    local parsed, list, index = binding.template, {}, 0
    local path = binding.place.pattern:gsub("/([^/]*)", function(segment)
        index = index + 1
        local name, verb = segment:match("^%[(.-)%](.*)$")
        if not name then
            return nil
        end
        name = name:gsub("^%.%.%.", ""):gsub("%?$", "")
        local variable = whole_variable(parsed, index)
        list[#list + 1] = {
            name = name,
            ["in"] = "path",
            required = true,
            schema = variable and schema.of_field(all, variable.chain[#variable.chain], rpc)
                or { type = "string" },
        }
        return ("/{%s}%s"):format(name, verb)
    end)
    return path, list
end

local add_query

local function add_query_field(all, rpc, binding, list, field, prefix, depth, path)
    local name = path and path .. "." .. field.name or field.name
    local shown = prefix .. schema.name_of(field, rpc)
    if binding.taken[name] then
        return
    end
    if fields.is_text(field) then
        list[#list + 1] = {
            name = shown,
            ["in"] = "query",
            schema = schema.of_field(all, field, rpc),
            deprecated = field.deprecated,
        }
    elseif field.message and not field.repeated and depth < QUERY_DEPTH then
        add_query(all, rpc, binding, list, field.message, shown .. ".", depth + 1, name)
    end
end

-- Adds the fields of a type that may come in a query.
function add_query(all, rpc, binding, list, type, prefix, depth, path)
    for _, field in ipairs(fields.of(type).list) do
        if field.message ~= type or depth == 0 then
            add_query_field(all, rpc, binding, list, field, prefix, depth, path)
        end
    end
end

local ANYTHING = { ["*/*"] = {} }

local function request_body(all, rpc, binding)
    if not binding.has_body then
        return nil
    end
    if binding.body_is_raw then
        return { content = ANYTHING }
    end
    return { content = of_json(body_schema(all, rpc, rpc.input, binding.body)) }
end

local function reply_content(all, rpc, binding)
    if binding.reply_is_raw then
        return ANYTHING
    end
    local content = body_schema(all, rpc, rpc.output, binding.reply)
    if not rpc.server_streaming then
        return of_json(content)
    end
    return { ["application/x-ndjson"] = { schema = content },
        ["text/event-stream"] = { schema = content } }
end

-- A rest would go by the path of a variable in its place: a document has no other word for it.
local function tell_apart(document, path, last, method)
    if not last or not (document.paths[path] and document.paths[path][method]) then
        return path
    end
    local from, to = path:find("{" .. last.name .. "}", 1, true)
    last.name = last.name .. "**"
    return path:sub(1, from) .. last.name .. path:sub(to)
end

local function add_binding(document, rpc, binding, number)
    local all = document.components.schemas
    local operation = begin(rpc, number > 1 and ("%d."):format(number) or "")
    local path, parameters = read_path(all, rpc, binding)
    path = tell_apart(document, path, parameters[#parameters], operations[binding.method])
    if not binding.has_body or binding.body then
        add_query(all, rpc, binding, parameters, rpc.input, "", 0)
    end
    operation.parameters = parameters[1] and parameters or nil
    operation.requestBody = request_body(all, rpc, binding)
    operation.responses = responses(reply_content(all, rpc, binding), STATUS)
    document.paths[path] = document.paths[path] or {}
    document.paths[path][operations[binding.method]] = operation
end

-- Routes of Connect.

local function header(name, value)
    return { name = name, ["in"] = "header", schema = value }
end

local function connect_headers()
    return {
        header("connect-protocol-version", { const = "1" }),
        header("connect-timeout-ms", { type = "integer", minimum = 0 }),
    }
end

local function connect_content(all, rpc, type)
    if rpc.client_streaming or rpc.server_streaming then
        return { ["application/connect+json"] = {}, ["application/connect+proto"] = {} }
    end
    return { ["application/json"] = { schema = schema.of_message(all, type, rpc) },
        ["application/proto"] = {} }
end

local function connect_query()
    local list = connect_headers()
    for _, one in ipairs {
        { "message", { type = "string" }, true },
        { "encoding", { enum = { "json", "proto" } }, true },
        { "base64", { enum = { "0", "1" } } },
        { "compression", { enum = { "identity", "gzip", "deflate" } } },
        { "connect", { const = "v1" } },
    } do
        list[#list + 1] = { name = one[1], ["in"] = "query", schema = one[2], required = one[3] }
    end
    return list
end

local function add_connect(document, rpc)
    local all = document.components.schemas
    local post = begin(rpc, "connect.")
    local reply = connect_content(all, rpc, rpc.output)
    post.parameters = connect_headers()
    post.requestBody = { required = true, content = connect_content(all, rpc, rpc.input) }
    post.responses = responses(reply, CONNECT_ERROR)
    document.paths[rpc.path] = { post = post }
    if ways.has_get(rpc) then
        local get = begin(rpc, "connect.get.")
        get.parameters, get.responses = connect_query(), responses(reply, CONNECT_ERROR)
        document.paths[rpc.path].get = get
    end
end

-- The document.

local function error_schemas()
    return {
        ["connect.Error"] = {
            type = "object",
            required = { "code" },
            properties = {
                code = { type = "string", enum = connect_error.names() },
                message = { type = "string" },
                details = { type = "array", items = { type = "object" } },
            },
        },
        ["google.rpc.Status"] = {
            type = "object",
            properties = {
                code = { type = "integer", format = "int32" },
                message = { type = "string" },
                details = { type = "array", items = { type = "object" } },
            },
        },
    }
end

-- The services, each once and in order, with what their .proto says of them.
local function tags()
    local list, seen = {}, {}
    for _, rpc in ipairs(served) do
        local name = service_of(rpc)
        if not seen[name] then
            seen[name] = true
            list[#list + 1] = { name = name, description = schema.comment(rpc.schema, name) }
        end
    end
    return list
end

-- The version that a package names, as library.v1 does.
local function version_of(name)
    for part in name:gmatch("[^.]+") do
        if part:find("^v%d") then
            return part
        end
    end
    return "0"
end

local function info(list)
    local names = {}
    for i, tag in ipairs(list) do
        names[i] = tag.name
    end
    local title = #names > 0 and table.concat(names, ", ") or "no services"
    return { title = title, version = version_of(names[1] or "") }
end

-- The document as text.
return function()
    local list = tags()
    local document = { openapi = "3.1.0", info = info(list), tags = list[1] and list or nil,
        paths = {}, components = { schemas = error_schemas() } }
    for _, rpc in ipairs(served) do
        for number, binding in ipairs(transcode.of(rpc)) do
            if operations[binding.method] then
                add_binding(document, rpc, binding, number)
            end
        end
        if rpc.protocols.connect then
            add_connect(document, rpc)
        end
    end
    return encode(document)
end
