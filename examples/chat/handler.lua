-- A chat: what one sends, all get as server-sent events, whichever worker they are connected to.
-- A browser gets the page, which reads the events of its own address.
local mt = require "moontrail"
local store = require "moontrail.store"

local s = store.open "chat"

local page = [[
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto }
  ol { list-style: none; padding: 0; min-height: 12rem }
  input { font: inherit; width: 100%; padding: .5rem; box-sizing: border-box }
</style>
<h1>Chat</h1>
<ol id="lines" aria-live="polite"></ol>
<form><input name="line" maxlength="200" autocomplete="off" aria-label="Your line" autofocus></form>
<script>
  const say = (line) => fetch("", { method: "POST", body: line });
  const events = new EventSource("");
  events.onmessage = (event) => {
    const line = document.createElement("li");
    line.textContent = event.data;
    document.querySelector("#lines").append(line);
  };
  events.addEventListener("welcome", () => say("somebody has come in"), { once: true });
  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    say(event.target.line.value);
    event.target.reset();
  };
</script>
</html>
]]

local function stream(ctx)
    local sub <close> = s:subscribe("room")
    local hook <close> = mt.on_reload(function() sub:close() end)
    ctx:header("content-type", "text/event-stream")
    ctx:write("event: welcome\ndata: ", mt.worker.id, "\n\n")
    ctx:flush()
    for message in sub do
        ctx:write("id: ", s:get("count"), "\ndata: ", message, "\n\n")
        ctx:flush()
    end
    hook:close()
end

return {
    GET = function(ctx)
        if (ctx.headers.accept or ""):find("text/html", 1, true) then
            return ctx:html(page)
        end
        stream(ctx)
    end,
    POST = function(ctx)
        local line = ctx:body(1000):gsub("%c", " ")
        s:incr("count")
        s:publish("room", line)
        ctx:status(204)
    end,
}
