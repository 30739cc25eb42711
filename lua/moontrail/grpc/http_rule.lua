-- The annotations google.api.http of methods: what they bind, once it is checked against the types
-- of request and reply.
local blame = require("moontrail.runtime.script").blame
local fields = require "moontrail.grpc.http_fields"
local pb = require "moontrail.protobuf"
local template = require "moontrail.grpc.http_template"

local http_rule = {}

local HTTP_BODY = "google.api.HttpBody"

-- The patterns of a rule, each for a method of HTTP.
local methods = { get = "GET", put = "PUT", post = "POST", delete = "DELETE", patch = "PATCH" }

local HttpRule

-- Read with the first annotation.
local function decode(bytes)
    HttpRule = HttpRule or pb.load("google/api/http.proto"):message("google.api.HttpRule")
    return HttpRule:decode(bytes)
end

-- The method and the template of a rule.
local function pattern_of(rpc, rule)
    for name, method in pairs(methods) do
        if rule[name] then
            return method, rule[name]
        end
    end
    local custom = rule.custom
    if not custom then
        blame("%s: a google.api.http has no path", rpc)
    end
    if custom.kind ~= "*" and not custom.kind:find("^[%w!#$%%&'+.^_`|~-]+$") then
        blame("%s: the custom method %q is none", rpc, custom.kind)
    end
    return custom.kind, custom.path
end

-- The field of a type that a rule names, or nil for none and for the whole.
local function field_of(rpc, what, type, name)
    if name == "" or name == "*" and what == "body" then
        return nil
    end
    for _, field in ipairs(fields.of(type).list) do
        if field.name == name then
            return field
        end
    end
    blame("%s: its %s is %s: %s has no such field", rpc, what, name, type.name)
end

-- Whether a type, or a field of it, is the body as it is.
local function is_raw(type, field)
    if not field then
        return type.name == HTTP_BODY
    end
    return not field.repeated and field.message ~= nil and field.message.name == HTTP_BODY
end

local function check_variables(rpc, type, parsed)
    for _, variable in ipairs(parsed.variables) do
        local chain, problem = fields.find(type, variable.path)
        if not chain then
            blame("%s: the template %s: %s", rpc, parsed.text, problem)
        end
        if chain[#chain].repeated then
            blame("%s: the template %s: %s is repeated", rpc, parsed.text, variable.path)
        end
        variable.chain = chain
    end
end

-- What is set by the path and the body, and so by no query: a set of paths of fields.
local function taken_of(parsed, body_field)
    local taken = {}
    for _, variable in ipairs(parsed.variables) do
        taken[fields.name_of(variable.chain)] = "path"
    end
    if body_field then
        taken[body_field.name] = "body"
    end
    return taken
end

local function bind(rpc, method, rule)
    local verb, text = pattern_of(rpc, rule)
    local parsed, problem = template.parse(text)
    if not parsed then
        blame("%s: the template %s %s", rpc, text, problem)
    end
    check_variables(rpc, method.input, parsed)
    local body = field_of(rpc, "body", method.input, rule.body)
    local reply = field_of(rpc, "response_body", method.output, rule.response_body)
    if rule.body ~= "" and verb == "GET" then
        blame("%s: a GET has no body", rpc)
    end
    return {
        rpc = rpc,
        method = verb,
        template = parsed,
        has_body = rule.body ~= "",
        body = body,
        body_is_raw = rule.body ~= "" and is_raw(method.input, body),
        reply = reply,
        reply_is_raw = is_raw(method.output, reply),
        taken = taken_of(parsed, body),
    }
end

-- The bindings of a method of a service, in order: each has a method of HTTP, a template, and the
-- fields that are body and reply, nil for the whole message. rpc names the method.
function http_rule.bindings(rpc, method)
    if not method.http then
        return {}
    end
    local rule = decode(method.http)
    local list = { bind(rpc, method, rule) }
    for _, more in ipairs(rule.additional_bindings) do
        if #more.additional_bindings > 0 then
            blame("%s: an additional binding has additional bindings", rpc)
        end
        list[#list + 1] = bind(rpc, method, more)
    end
    return list
end

return http_rule
