-- The first page: what there is, and the commands that show it.
local mt = require "moontrail"

local page = [[
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>moontrail</title>
<style>
  :root { color-scheme: light dark }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto;
         padding: 0 1rem }
  h1 { margin-bottom: 0 }
  dt { margin-top: 1.5rem; font-weight: 600 }
  dd { margin: 0 }
  pre { margin: .4rem 0; padding: .5rem .8rem; overflow-x: auto;
        border-radius: .4rem; background: rgb(128 128 128 / .15) }
  .fault { border-left: .3rem solid #c33; padding-left: .8rem }
</style>
<h1>moontrail</h1>
$fault
<p>Each route is a Lua file in <code>scripts/</code>. Here is what these do, and what to try.</p>
<dl>
  <dt><a href="/hello">/hello</a></dt>
  <dd>A body, and a trailer behind it.
    <pre>nghttp -nv $base/hello</pre></dd>
  <dt><a href="/protocol">/protocol</a></dt>
  <dd>What this hop speaks, and whether a trailer would be sent.
    <pre>curl -k --http1.1 -H 'TE: trailers' $base/protocol</pre></dd>
  <dt>/echo</dt>
  <dd>Sends the request's body back as it arrives, and its CRC-32 as a trailer.
    <pre>$curl -v -d 'some text' $base/echo</pre></dd>
  <dt><a href="/reset">/reset</a></dt>
  <dd>Resets its own stream, with the code of your choice: a number or a name.
    <pre>nghttp -nv '$base/reset?code=INTERNAL_ERROR'</pre></dd>
  <dt><a href="/clock?n=10">/clock</a></dt>
  <dd>Server-sent events, one a second.
    <pre>$curl -N '$base/clock?n=5'</pre></dd>
  <dt>/helloworld.Greeter/SayHello</dt>
  <dd>A service, for gRPC, gRPC-Web, Connect and JSON.
    <pre>$curl -d '{"name":"moon"}' -H 'content-type: application/json' \
    $base/helloworld.Greeter/SayHello</pre></dd>
</dl>
]]

local curl = {
    https = "curl -k --http2",
    http = "curl --http2-prior-knowledge",
}

local function escape(text)
    return (text:gsub("[&<>\"']", function(c) return ("&#%d;"):format(c:byte()) end))
end

local stale = [[
<div class="fault">The scripts on disk do not load; the last that did serve on.
<pre>$why</pre></div>
]]

local function fault()
    local why = mt.load_error()
    return why and stale:gsub("$why", { ["$why"] = escape(why) }) or ""
end

return function(ctx)
    local base = ctx.scheme .. "://" .. ctx.authority
    ctx:html((page:gsub("$(%l+)", {
        curl = curl[ctx.scheme],
        base = escape(base),
        fault = fault(),
    })))
end
