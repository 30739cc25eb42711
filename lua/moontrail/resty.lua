-- As much of OpenResty's `ngx` as its client libraries use, on what every script has. Makes the
-- global `ngx`, and lets `require` find those libraries. Times are in milliseconds where those of
-- OpenResty are, and what fails gives nil and a text; what ends a request is still raised.
local mt = require "moontrail"
local codec = require "moontrail.resty.codec"
local environment = require "moontrail.resty.environment"
local tcp = require "moontrail.resty.tcp"
local thread = require "moontrail.resty.thread"
local timer = require "moontrail.resty.timer"

local levels = {
    [0] = "error", "error", "error", "error", "error", "warn", "info", "info", "debug",
}

local ngx = {
    STDERR = 0, EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
    null = require("moontrail.json").null,
    now = mt.now,
    sleep = mt.sleep,
    socket = { tcp = tcp.new, stream = tcp.new, connect = tcp.connect },
    thread = thread,
    timer = timer,
}

for name, fn in pairs(codec) do
    ngx[name] = fn
end

function ngx.time()
    return mt.now() // 1 | 0
end

-- Time is looked at whenever it is asked for.
function ngx.update_time()
end

function ngx.log(level, ...)
    local texts = table.pack(...)
    for i = 1, texts.n do
        texts[i] = tostring(texts[i])
    end
    mt.log[levels[level] or "error"](table.concat(texts))
end

function ngx.get_phase()
    return "content"
end

ngx.worker = {}

function ngx.worker.id()
    return mt.worker.id
end

function ngx.worker.count()
    return mt.worker.count
end

function ngx.worker.pid()
    local file <close> = assert(io.open("/proc/self/stat"))
    return file:read("n")
end

_G.ngx = ngx
environment.open(ngx)
return ngx
