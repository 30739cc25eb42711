/* Memory runs out inside each function that scripts can call: every allocation of a request fails
 * in its turn, alone and with all that follow it. The request ends, nothing is lost, and the next
 * one on the same vm is served. */
#include "support/other.h"
#include "support/peer.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALLOCATIONS_MAX = 2000, GROWTH_MAX = 32 << 10 };

static const struct trial {
    const char *name, *handler;
} calls[] = {
    {"channel.close", "local ch = mt.channel() local t = mt.spawn(function() ch:recv() end)\n"
                      "mt.sleep(0) ch:close() t:join()"},
    {"channel.messages", "local ch = mt.channel(9) for i = 1, 9 do ch:send({i}) end ch:close()\n"
                         "for m in ch:messages() do assert(m[1]) end"},
    {"channel.recv", "local ch = mt.channel() local t = mt.spawn(function() return ch:recv() end)\n"
                     "mt.sleep(0) ch:send(1) assert(t:join() == 1)"},
    {"channel.send", "local ch = mt.channel() local t = mt.spawn(function()\n"
                     "    for i = 1, 5 do ch:send(i) end end)\n"
                     "for i = 1, 5 do assert(ch:recv() == i) end t:join()"},
    {"channel.try_send", "local ch = mt.channel(50) for i = 1, 50 do assert(ch:try_send(i)) end"},
    {"coroutine.close",
        "local co = coroutine.create(function() local _ <close> = setmetatable({},\n"
        "    {__close = function() ctx:write('x') end}) coroutine.yield() end)\n"
        "coroutine.resume(co) assert(coroutine.close(co))"},
    {"coroutine.create", "for _ = 1, 3 do coroutine.create(print) end"},
    {"coroutine.isyieldable", "assert(not coroutine.isyieldable())"},
    {"coroutine.resume",
        "local function nest(n) if n == 0 then return mt.sleep(0) end\n"
        "    assert(coroutine.resume(coroutine.create(nest), n - 1)) end nest(12)"},
    {"coroutine.running", "ctx.own = coroutine.running()"},
    {"coroutine.status", "assert(coroutine.status(coroutine.create(print)) == 'suspended')"},
    {"coroutine.wrap", "local f = coroutine.wrap(function(...) mt.sleep(0) coroutine.yield(...)\n"
                       "    error('wrapped') end) f(1, 2, 3) pcall(f)"},
    {"coroutine.yield", "local f = coroutine.wrap(function() for i = 1, 50 do\n"
                        "    coroutine.yield(table.unpack({}, 1, i)) end end)\n"
                        "for _ = 1, 50 do f() end"},
    {"ctx.aborted", "ctx:reset() assert(ctx:aborted())"},
    {"ctx.add_header", "for i = 1, 9 do ctx:add_header('x-a', i) end"},
    {"ctx.append_trailer", "for i = 1, 9 do ctx:append_trailer('x-a', i) end ctx:write('x')"},
    {"ctx.args", "assert(ctx:args().x[2] == '3')"},
    {"ctx.body", "assert(#ctx:body() == 7)"},
    {"ctx.cookie", "assert(ctx:cookie('c') == 'd')"},
    {"ctx.deadline", "ctx:deadline(0.001) pcall(mt.sleep, 60) ctx:deadline(nil) mt.sleep(0)"},
    {"ctx.declare_trailer", "ctx:declare_trailer('x-a') ctx:declare_trailer('x-b')"},
    {"ctx.finish", "ctx:write(('x'):rep(20000)) ctx:finish(('y'):rep(20000))"},
    {"ctx.flush", "ctx:flush() ctx:write('x') ctx:flush()"},
    {"ctx.form", "assert(ctx:form().a == 'b')"},
    {"ctx.header", "ctx:header {['x-a'] = '1', ['x-b'] = 2} ctx:header('x-a', nil)\n"
                   "assert(ctx:header('x-b') == '2')"},
    {"ctx.html", "ctx:html('<p>x')"},
    {"ctx.inform", "ctx:inform(103, {link = '</a>', ['x-a'] = '1'})"},
    {"ctx.json", "ctx:json {list = {1, 2.5, 'x'}, text = ('x'):rep(2000)}"},
    {"ctx.on_abort", "for _ = 1, 5 do ctx:on_abort(function(why) ctx.own = why .. 'x' end) end\n"
                     "ctx:reset() ctx:on_abort(error)"},
    {"ctx.on_head", "for _ = 1, 5 do ctx:on_head(function() ctx:add_header('x-a', '1') end) end\n"
                    "ctx:header('x-b', '2') ctx:text('x')"},
    {"ctx.protocol", "assert(ctx:protocol() == 'HTTP/2')"},
    {"ctx.proxy", "pcall(ctx.proxy, ctx, 'h2c://127.0.0.1:1', {headers = {a = 'b'}})"},
    {"ctx.read", "local n = 0 while true do local piece = ctx:read(3)\n"
                 "    if not piece then break end n = n + #piece end assert(n == 7)"},
    {"ctx.read_exactly", "ctx:read_exactly(1) ctx:read_exactly(1000000)"},
    {"ctx.redirect", "ctx:redirect('/elsewhere', 303)"},
    {"ctx.request_header", "ctx:request_header('x-none', 'Cookie', 'x-b')"},
    {"ctx.request_trailers", "ctx:body() assert(ctx:request_trailers()['x-t'] == '1')"},
    {"ctx.reset", "ctx:write('x') ctx:reset('INTERNAL_ERROR')"},
    {"ctx.set_cookie", "ctx:set_cookie('a', 'b', {path = '/', max_age = 1, expires = 1})"},
    {"ctx.status", "ctx:status(404) assert(ctx:status() == 404)"},
    {"ctx.supports_trailers", "assert(ctx:supports_trailers())"},
    {"ctx.text", "ctx:text(12.5)"},
    {"ctx.try_write",
        "assert(ctx:try_write(('x'):rep(100000), 1, 'y') and not ctx:try_write('z'))"},
    {"ctx.write", "for i = 1, 20 do ctx:write(i, ('x'):rep(3000)) end"},
    {"errors.new", "pcall(error, errors.new('sql', 'x', {code = 'y', list = {1}}))"},
    {"folders.list", "assert(#folders.list('/') > 1 and not folders.list('/no/such'))"},
    {"gates.is_loading", "assert(not gates.is_loading())"},
    {"gates.new", "local gate = gates.new(1) local place = gate:take(1)\n"
                  "local t = mt.spawn(function() local other <close> = gate:take(9) end)\n"
                  "mt.sleep(0) assert(not gate:take(0.001)) place:close() t:join()\n"
                  "assert(gate:take(0))"},
    {"gates.now", "ctx.own = gates.now()"},
    {"gates.task", "assert(gates.task() ~= mt.spawn(gates.task):join())"},
    {"hook.close", "for _ = 1, 5 do mt.on_reload(function() end):close() end"},
    {"http.get", "assert(mt.http.get('http://h/'):body() == 'hello')"},
    {"http.open",
        "local c = mt.http.open {url = 'http://h/'} c:write('x') c:finish() c:response()"},
    {"http.post", "mt.http.post('http://h/', ('x'):rep(9000))\n"
                  "local n = 0 assert(mt.http.post('http://h/', function()\n"
                  "    n = n + 1 return n < 4 and ('x'):rep(900) or nil end):body() == 'hello')"},
    {"http.request", "local o = {url = 'http://h/', headers = {['x-a'] = {1, 2}, host = 'x'}}\n"
                     "assert(mt.http.request(o).headers['x-a'] == '1')"},
    {"json.array", "assert(json.encode(json.array()) == '[]')"},
    {"json.decode", "assert(json.decode('{\"a\": [1, 2.5, \"x\", null]}').a[2] == 2.5)"},
    {"json.encode", "json.encode({list = json.array {}, text = ('x'):rep(5000)})"},
    {"log.debug", "mt.log.debug('event', {a = 1, b = 'x', c = ctx, d = true})"},
    {"log.error", "mt.log.error('event', {a = 2.5})"},
    {"log.info", "mt.log.info('event')"},
    {"log.warn", "mt.log.warn('event', {a = mt})"},
    {"mt.all", "local a, b, c = mt.all(function() mt.sleep(0) return 1 end,\n"
               "    function() return 2, 3 end, function() mt.sleep(0) return 3 end)\n"
               "assert(a + b + c == 6) pcall(mt.all, function() mt.sleep(60) end, error)"},
    {"mt.channel", "for _ = 1, 5 do mt.channel(100) end"},
    {"mt.every", "pcall(mt.every, 1, print)"},
    {"mt.exec",
        "local r = mt.exec({'cat'}, {stdin = ('x'):rep(9000), env = {A = '1', B = false}})\n"
        "assert(r.code == 0 and r.stdout == ('x'):rep(9000))\n"
        "pcall(mt.exec, {'/no/such'}) pcall(mt.exec, {'yes'}, {limit = 10})"},
    {"mt.limit", "local limit = mt.limit {name = 'calls', rate = 10}"},
    {"mt.load_error", "mt.load_error()"},
    {"mt.now", "ctx.own = mt.now()"},
    {"mt.on_reload", "local hook <close> = mt.on_reload(function() end)"},
    {"mt.process", "mt.process {'true'} mt.process({'sleep', 1000}, {timeout = 10, cwd = '/'})"},
    {"mt.sleep", "mt.sleep(0) mt.sleep(0.0001)"},
    {"mt.spawn", "mt.spawn(function(...) mt.sleep(0) ctx.own = {...} end, 1, 'x', {})\n"
                 "mt.spawn(error, 'alone')"},
    {"mt.watch", "for i = 1, 40 do mt.watch('file' .. i) end"},
    {"mt.wrap", "assert(mt.wrap(print, {outer = print, failed = print}) == print)"},
    {"process.close", "local p = mt.process {'true'} p:close() p:close()"},
    {"process.finish", "local p = mt.process {'cat'} p:finish('x', ('y'):rep(90000))"},
    {"process.kill", "local p = mt.process {'sleep', 1000} p:kill('SIGKILL') p:wait()"},
    {"process.read", "local p = mt.process {'echo', 'x'} while p:read(1) do end"},
    {"process.read_error", "local p = mt.process {'sh', '-c', 'echo x >&2'} p:read_error()"},
    {"process.wait", "local p = mt.process {'sh', '-c', 'kill $$'} assert(not p:wait())"},
    {"process.write", "local p = mt.process {'cat'} p:write('x', 1) p:read()"},
    {"reader.expect", "local r = wire.reader() r:expect(3)\n"
                      "assert(#select(2, r:next(':1\\r\\n+a\\r\\n-ERR x\\r\\n')) == 3)"},
    {"reader.next",
        "local r = wire.reader()\n"
        "for c in ('*2\\r\\n$3\\r\\nabc\\r\\n*1\\r\\n:1\\r\\n'):gmatch('.') do r:next(c) end\n"
        "assert(select(2, r:next('$400\\r\\n' .. ('x'):rep(400) .. '\\r\\n')))"},
    {"redis.command", "assert(wire.command('set', 'k', 1, 0.5, ('x'):rep(3000)))"},
    {"redis.error", "assert(wire.error('redis', 'text', 'ERR').code == 'ERR')"},
    {"redis.reader", "for _ = 1, 9 do wire.reader() end"},
    {"redis.slot", "assert(wire.slot('foo') == 12182)"},
    {"response.append_trailer", "local c = mt.http.open {url = 'http://h/'}\n"
                                "for i = 1, 9 do c:append_trailer('x-a', i) end c:finish()"},
    {"response.body", "local r = mt.http.get('http://h/') assert(#r:body() == 5 and r.fields[1])"},
    {"response.close", "mt.http.open({url = 'http://h/'}):close()"},
    {"response.connected", "local c = mt.http.open {url = 'http://h/'} c:finish() c:response()\n"
                           "assert(c:connected() ~= nil)"},
    {"response.finish", "mt.http.open({url = 'http://h/'}):finish(('x'):rep(200000))"},
    {"response.read", "local r = mt.http.get('http://h/') while r:read(2) do end"},
    {"response.read_exactly", "assert(mt.http.get('http://h/'):read_exactly(9) == 'hello')"},
    {"response.response", "local c = mt.http.open {url = 'http://h/'} c:finish() c:response()"},
    {"response.trailers", "local r = mt.http.get('http://h/') r:body()\n"
                          "assert(r:trailers()['x-t'] == '2')"},
    {"response.write", "mt.http.open({url = 'http://h/'}):write('x', 1, ('x'):rep(20000))"},
    {"runtime.pcall", "for _ = 1, 5 do pcall(pcall, error, {}) end pcall(ctx.body, ctx, 1)"},
    {"runtime.print", "print('a', 1, {}, ('x'):rep(3000))"},
    {"runtime.warn", "warn('a', ('b'):rep(3000))"},
    {"runtime.xpcall", "xpcall(function() mt.sleep(0) error('x') end, debug.traceback)"},
    {"socket.close", "local s = mt.socket.connect(peer) s:write('x') s:close() s:close()"},
    {"socket.connect", "local options = {alpn = {'a', 'b'}, pool = ('p'):rep(2000)}\n"
                       "mt.socket.connect(peer, options) pcall(mt.socket.connect, 'unix:/none')\n"
                       "pcall(mt.socket.connect, 'tls://127.0.0.1:1', options)"},
    {"socket.finish", "local s = mt.socket.connect(peer) s:finish() assert(not s:read())"},
    {"socket.keep", "mt.socket.connect(peer):keep() local s = mt.socket.connect(peer)\n"
                    "assert(s.reused) s:close()"},
    {"socket.read",
        "local s = mt.socket.connect(peer) s:write('xyz') while s:read(1) ~= 'z' do end"},
    {"socket.read_exactly",
        "local s = mt.socket.connect(peer, {timeout = 0.02}) local n = 70000\n"
        "mt.spawn(function() for _ = 1, 7 do s:write(('x'):rep(n // 7)) end end)\n"
        "pcall(s.read_exactly, s, n)"},
    {"socket.read_line", "local s = mt.socket.connect(peer) s:write('x\\n') s:read_line()"},
    {"socket.read_until", "local s = mt.socket.connect(peer) s:write('a--') s:read_until('--')\n"
                          "s:write('12345') pcall(s.read_until, s, '--', 2)"},
    {"socket.set_timeout", "mt.socket.connect(peer):set_timeout(1)"},
    {"socket.start_tls", "local s = mt.socket.connect(peer, {server_name = 'x', verify = false})\n"
                         "pcall(s.start_tls, s, {alpn = 'a'})"},
    {"socket.write", "local s = mt.socket.connect(peer) s:write('a', 1, ('x'):rep(3000)) s:read()"},
    {"task.cancel", "local t = mt.spawn(function() local _ <close> = setmetatable({},\n"
                    "    {__close = function() error('second') end}) mt.sleep(0.1) end)\n"
                    "mt.sleep(0) t:cancel()"},
    {"task.join", "local t = mt.spawn(function(...) mt.sleep(0) return ... end, 1, 2, 3)\n"
                  "assert(select('#', t:join()) == 3) pcall(t.join, mt.spawn(error, {}))"},
    {"zlib.compress", "assert(zlib.decompress(zlib.compress(('x'):rep(9000))) == ('x'):rep(9000))"},
    {"zlib.decompress", "pcall(zlib.decompress, zlib.compress(('x'):rep(9000)), {limit = 10})"},
    {"zlib.deflate", "local s <close> = zlib.deflate() s:write('abc') s:flush() s:finish('d')"},
    {"zlib.inflate", "local s <close> = zlib.inflate() s:write(zlib.compress('abc')) s:finish()"},
};

enum { CALLS = sizeof calls / sizeof *calls };

/* Each function that the runtime gives to scripts, by its table and name. */
static const char inventory[] =
    "local names, peer = {}, 'unix:' .. PEER\n"
    "local function add(prefix, t) for name, f in pairs(t) do\n"
    "    if type(f) == 'function' then names[#names + 1] = prefix .. '.' .. name end end end\n"
    "local _, api = debug.getupvalue(getmetatable(ctx).__index, 1)\n"
    "add('ctx', api) add('mt', mt) add('log', mt.log) add('coroutine', coroutine)\n"
    "add('task', getmetatable(mt.spawn(print)).__index) add('http', mt.http)\n"
    "add('channel', debug.getmetatable(mt.channel()).__index)\n"
    "add('hook', debug.getmetatable(mt.on_reload(print)).__index)\n"
    "local process <close> = mt.process {'true'}\n"
    "add('process', debug.getmetatable(process).__index)\n"
    "local socket <close> = mt.socket.connect(peer)\n"
    "_, api = debug.getupvalue(debug.getmetatable(socket).__index, 1) add('socket', api)\n"
    "names[#names + 1] = 'socket.connect'\n"
    "_, api = debug.getupvalue(debug.getmetatable(mt.http.open {url = 'http://h/'}).__index, 1)\n"
    "add('response', api)\n"
    "add('errors', require 'moontrail.runtime.errors')\n"
    "add('folders', require 'moontrail.runtime.folder')\n"
    "add('gates', require 'moontrail.runtime.gate')\n"
    "add('json', require 'moontrail.json') add('zlib', require 'moontrail.zlib')\n"
    "local wire = require 'moontrail.redis.wire'\n"
    "add('redis', wire) add('reader', debug.getmetatable(wire.reader()).__index)\n"
    "add('runtime', {pcall = pcall, xpcall = xpcall, print = print, warn = warn})\n"
    "table.sort(names) note(table.concat(names, '\\n'))";

static void Inventory_EachFunction_HasACase(void **state)
{
    (void)state;
    struct text names = {0}, handler = {0};
    for (size_t i = 0; i < CALLS; i++)
        text_print(&names, "%s\n", calls[i].name);
    text_print(&handler, "local PEER = '%s'\n%s", stage_path("peer"), inventory);
    struct wire *w = other_open(text_of(&handler));
    peer_listen(w->ev, stage_path("peer"));
    wire_get(w, "/");
    wire_wait(w);
    wire_expect_notes(w, text_of(&names));
    peer_end();
    text_clear(&names);
    text_clear(&handler);
}

/* The function is called where there is a query; without one, the handler tells what memory Lua
 * holds when all garbage is gone. */
static struct wire *open_wire(const struct trial *c)
{
    struct text script = {0};
    text_print(&script,
        "local json, zlib = require 'moontrail.json', require 'moontrail.zlib'\n"
        "local peer, wire = 'unix:%s', require 'moontrail.redis.wire'\n"
        "local errors = require 'moontrail.runtime.errors'\n"
        "local folders = require 'moontrail.runtime.folder'\n"
        "local gates = require 'moontrail.runtime.gate'\n"
        "return function(ctx)\n"
        "    if ctx.query then %s return end\n"
        "    collectgarbage() collectgarbage() note(collectgarbage('count') * 1024 // 1)\n"
        "end\n",
        stage_path("peer"), c->handler);
    struct wire *w = other_open_served(text_of(&script));
    text_clear(&script);
    peer_listen(w->ev, stage_path("peer"));
    return w;
}

static void close_wire(struct wire *w)
{
    peer_end();
    wire_close(w);
}

/* Turns until nothing moves. The time that a session gives to a client whose request goes on behind
 * its response is not waited for: here requests end. */
static void settle(struct wire *w)
{
    while (wire_turn(w) | other_turn())
        continue;
}

static void finish(struct wire *w)
{
    settle(w);
    while (live.waits) {
        ev_run(w->ev, EVRUN_ONCE);
        settle(w);
    }
}

/* One request, to its end. */
static void exchange_once(struct wire *w)
{
    int32_t stream = wire_begin(
        w, "POST", "/path?x=1&x=3", "cookie: c=d\ncontent-type: application/x-www-form-urlencoded");
    wire_send(w, stream, "a=b&", 4);
    settle(w);
    wire_send(w, stream, "c=d", 3);
    wire_end_with_trailers(w, stream, "x-t: 1\n");
    finish(w);
    if (w->session)
        assert_int_not_equal(nghttp2_session_get_stream_remote_close(w->client, stream), 0);
    wire_forget(w, stream);
}

static long memory_of(struct wire *w)
{
    text_clear(&w->frames.lines);
    int32_t stream = wire_get(w, "/");
    finish(w);
    char line[64];
    snprintf(line, sizeof line, "HEADERS stream=%d END_STREAM :status=200", (int)stream);
    if (!w->session || !strstr(text_of(&w->frames.lines), line))
        stage_fail("the next request got\n%s", text_of(&w->frames.lines));
    struct text notes = stage_take_notes();
    long bytes = atol(text_of(&notes));
    text_clear(&notes);
    return bytes;
}

/* One round on the vm of the last, or on a new one where the connection did not survive that.
 * Returns how many allocations went well. */
static uint64_t play(struct wire **w, const struct trial *c, uint64_t fail_at, int sticky)
{
    if (!(*w)->session) {
        close_wire(*w);
        *w = open_wire(c);
    }
    uint64_t before = mem_stats()->mallocs;
    mem_fail_at(fail_at, sticky);
    exchange_once(*w);
    mem_fail_at(0, 0);
    assert_int_equal(live.tasks, 0);
    assert_int_equal(live.waits, 0);
    assert_int_equal(live.exchanges, 0);
    return mem_stats()->mallocs - before;
}

/* Nothing that a failure leaves behind is kept by the vm. */
static void expect_no_growth(const struct trial *c, struct wire *w, long before)
{
    long after = w->session ? memory_of(w) : 0;
    if (after > before + GROWTH_MAX)
        stage_fail("%s: %ld bytes more", c->name, after - before);
}

static void fail_each(const struct trial *c)
{
    struct wire *w = open_wire(c);
    play(&w, c, 0, 0);
    play(&w, c, 0, 0);
    long before = memory_of(w);
    uint64_t count = 0;
    while (count < ALLOCATIONS_MAX && play(&w, c, count + 1, 0) > count) {
        count++;
        if (w->session)
            memory_of(w);
    }
    assert_in_range(count, 3, ALLOCATIONS_MAX - 1);
    for (uint64_t n = 1; n <= count; n++)
        play(&w, c, n, 1);
    expect_no_growth(c, w, before);
    close_wire(w);
    struct text log = stage_take_log();
    text_clear(&log);
}

static void EachFunction_EachAllocationFails_NextRequestWorks(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++)
        fail_each(&calls[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(Inventory_EachFunction_HasACase),
        wire_test(EachFunction_EachAllocationFails_NextRequestWorks),
    };
    return cmocka_run_group_tests_name("session/exhaustion", tests, NULL, NULL);
}
