-- gRPC services in a script: docs/grpc.md. It stands on what every script has: ctx and the modules.
local health = require "moontrail.grpc.health"
local mt = require "moontrail"
local pb = require "moontrail.protobuf"
local reflection = require "moontrail.grpc.reflection"
local script = require "moontrail.runtime.script"
local service = require "moontrail.grpc.service"
local status = require "moontrail.grpc.status"

local blame = script.blame

local grpc = {}

-- Folders of .proto files behind those of the script and of all scripts, divided by semicolons.
grpc.path = mt.options.proto_path

-- The names of the statuses, to their numbers.
grpc.codes = status.codes

-- error(code, message, details) ends a call with a status.
grpc.error = status.raise

-- health.set(service, status)
grpc.health = { set = health.set }

-- Where .proto files are looked for: beside the script, among all scripts, along the path.
local function import_folders()
    if type(grpc.path) ~= "string" then
        blame("grpc.path is a %s, not a string of folders divided by semicolons",
            type(grpc.path))
    end
    local folders, seen = {}, {}
    local function add(folder)
        if folder and not seen[folder] then
            seen[folder] = true
            folders[#folders + 1] = folder
        end
    end
    add(script.folder())
    add(mt.options.folder)
    for folder in grpc.path:gmatch("[^;]+") do
        add(folder)
    end
    return folders
end

-- Each place where a file was looked for is watched, so that one that comes into being is seen, and
-- whatever mends a schema that does not load.
local function load(file, folders)
    local places = {}
    local ok, schema = pcall(pb.load, file, folders, nil, places)
    for _, place in ipairs(places) do
        mt.watch(place)
    end
    if not ok then
        blame("%s", schema)
    end
    return schema
end

-- The schemas by file and folders: the services of a file share one.
local loaded = {}

local function load_once(file, folders)
    local key = file .. "\0" .. table.concat(folders, "\0")
    loaded[key] = loaded[key] or load(file, folders)
    return loaded[key]
end

local function copy(from, to)
    for key, value in pairs(from) do
        to[key] = value
    end
end

-- The options of what is served beside services, by the names of what that is.
local extras = { [health.name] = "health" }
for _, name in ipairs(reflection.names) do
    extras[name] = "reflection"
end

-- By option: the service of a script that stands in place of ours; one beside which ours is served.
local own, beside = {}, {}

-- Whether to serve what an option stands for. A script may serve it itself, and then all others
-- do without ours.
local function wants(self, option)
    if not self.options[option] or extras[self.name] == option then
        return false
    end
    if own[option] then
        blame("a script serves %s: set %s = false for %s", own[option], option, self.name)
    end
    beside[option] = self.name
    return true
end

local function note_own(self)
    local option = extras[self.name]
    if option and beside[option] then
        blame("%s is served already, beside %s: set %s = false there", self.name, beside[option],
            option)
    elseif option then
        own[option] = self.name
    end
end

-- What is served beside a service, unless it wants none.
local function add_extras(self, routes, notes)
    note_own(self)
    local wants_health = wants(self, "health")
    if wants_health then
        health.add(self.name)
        copy(health.routes, routes)
        copy(health.notes, notes)
    end
    if wants(self, "reflection") then
        reflection.add(self.schema, self.name)
        if wants_health then
            reflection.add(health.schema, health.name)
        end
        copy(reflection.routes, routes)
        copy(reflection.notes, notes)
    end
end

-- service(file, name [, options]): a table for the methods' functions, for the script to return.
function grpc.service(file, name, options)
    if type(file) ~= "string" or type(name) ~= "string" then
        blame("grpc.service takes the file of a .proto and the full name of a service")
    end
    local schema = load_once(file, import_folders())
    return service.new(schema, name, options, add_extras)
end

-- One URL, or a list of them.
local url_types = { string = true, table = true }

-- client(url, file, name [, options]): a table with a function for each method of the service on
-- another server.
function grpc.client(url, file, name, options)
    if not url_types[type(url)] or type(file) ~= "string" or type(name) ~= "string" then
        blame("grpc.client takes a URL, the file of a .proto and the full name of a service")
    end
    local schema = load_once(file, import_folders())
    return require("moontrail.grpc.client").new(schema, url, name, options)
end

-- gateway(url [, options]): a handler that puts a gRPC server behind all other protocols.
function grpc.gateway(url, options)
    local folders = import_folders()
    return require("moontrail.grpc.gateway").new(url, options, function(file)
        return load_once(file, folders)
    end)
end

return grpc
