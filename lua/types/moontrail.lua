---@meta

-- What a script sees, for editors that speak to lua-language-server. docs/api.md is the reference.

---What `ctx:on_abort` and the waits tell: a reset code's name such as `"CANCEL"`, or one of these.
---@alias moontrail.reason string
---| "connection lost"
---| "reload" # the scripts were loaded anew, and this generation of them closes
---| "reset" # `ctx:reset` was called
---| "shutdown"
---| "timeout"

---What is raised for what happens outside of the script; its text, by `tostring`, `..` and the
---functions of strings, is the message behind the line. docs/api.md tells what each kind adds.
---@alias moontrail.error_kind "abort"|"timeout"|"unreachable"|"refused"|"reset"|"lost"|"protocol"
---|"upload"|"limit"|"system"|"redis"|"sql"|"grpc"
---@class moontrail.error: string
---@field kind moontrail.error_kind
---@field message string
---@field where? string the line of the script that called
---@field reason? moontrail.reason|"cancelled" of an abort
---@field code? string of a reset: the code's name; of the system: the error's, `"ENOENT"`; of a
---database: its own
---@field constraint? string of a database: the one that does not hold
---@field detail? string of a database: more than the message
---@field position? integer of a database: the byte in the statement, from 1
---@field cause? any of an upload: what its function raised
---@field limit? string of a limit: its name

---A code of RFC 9113 section 7 by name, or any integer 0..2^32-1.
---@alias moontrail.code integer
---| "NO_ERROR"
---| "PROTOCOL_ERROR"
---| "INTERNAL_ERROR"
---| "FLOW_CONTROL_ERROR"
---| "SETTINGS_TIMEOUT"
---| "STREAM_CLOSED"
---| "FRAME_SIZE_ERROR"
---| "REFUSED_STREAM"
---| "CANCEL"
---| "COMPRESSION_ERROR"
---| "CONNECT_ERROR"
---| "ENHANCE_YOUR_CALM"
---| "INADEQUATE_SECURITY"
---| "HTTP_1_1_REQUIRED"

---A script returns a function that serves every method, or a table of functions by method; or a
---value whose metatable has `__routes`.
---@alias moontrail.handler fun(ctx: moontrail.ctx)
---@alias moontrail.script moontrail.handler | table<string, moontrail.handler>

---What the client's end of the TLS connection agreed on.
---@class moontrail.tls
---@field version string
---@field cipher string
---@field sni? string the name that the client asked for

---The options of `ctx:set_cookie`.
---@class moontrail.cookie_options
---@field path? string
---@field domain? string
---@field max_age? integer seconds; 0 or less removes the cookie
---@field expires? number|string seconds since 1970-01-01 UTC, or a date
---@field http_only? boolean
---@field secure? boolean
---@field same_site? "Strict"|"Lax"|"None" `"None"` wants `secure`; in any case

---One request and its response. A script may put fields of its own in it.
---@class moontrail.ctx
---@field method string
---@field scheme string
---@field authority string
---@field path string percent-encoded, without the query
---@field query? string what follows the `?`, as it came; nil where there is none
---@field params table<string, string> the path's parameters, decoded, by name
---@field headers table<string, string> by lower-case name; repeated fields are joined by `", "`
---@field fields string[][] an array of `{name, value}` in the order in which they came, none joined
---@field remote string the client's address and port: `"127.0.0.1:51234"`
---@field id string a string that no other request of this server has
---@field tls? moontrail.tls nil on plaintext
local ctx = {}

-- Protocol, trailers, reset.

---What this hop speaks.
---@return string protocol `"HTTP/2"`, `"HTTP/1.1"` or `"HTTP/1.0"`
function ctx:protocol() end

---Whether trailers may be appended: true on HTTP/2; on HTTP/1.1 where the request says
---`TE: trailers` and no `content-length` is set.
---@return boolean
function ctx:supports_trailers() end

---Adds the name to the response's `Trailer` header, once. Raises once the headers are sent.
---@param name string a token that may be a trailer
function ctx:declare_trailer(name) end

---Adds a trailer, sent after the body, in the order appended; it need not have been declared.
---@param name string a token that may be a trailer; it goes out in lower case
---@param value string|number without control characters
function ctx:append_trailer(name, value) end

---Aborts the request: on HTTP/2, RST_STREAM with that code. A second call changes nothing.
---@param code? moontrail.code `"CANCEL"` when left out
function ctx:reset(code) end

-- Request.

---The next piece of the body, or nil at its end. Waits until there is one.
---@param max? integer the bytes that it has at the most
---@return string? piece
function ctx:read(max) end

---The value of each header, as `ctx.headers` has it, or nil, without the cost of the whole table.
---@param name string the field's name, in any case
---@param ... string more of them
---@return string? value
---@return string? ...
function ctx:request_header(name, ...) end

---The next bytes of the body: as many as asked for, or what is left; nil at its end.
---@param n integer how many bytes
---@return string? piece
function ctx:read_exactly(n) end

---The whole body. Over the limit the request is answered with 413 and the call raises.
---@param limit? integer bytes; 1 MiB unless given
---@return string body
function ctx:body(limit) end

---The query's arguments, decoded; a name that comes more than once has an array of its strings.
---@return table<string, string|string[]> args
function ctx:args() end

---The same of a form's body. It waits for the whole body, with the limit of `ctx:body`.
---@param limit? integer bytes; 1 MiB unless given
---@return table<string, string|string[]> form
function ctx:form(limit) end

---The value of the request's first cookie of that name, or nil.
---@param name string in its case
---@return string? value
function ctx:cookie(name) end

---The request's trailers by lower-case name, once the body has been read to its end.
---@return table<string, string> trailers
function ctx:request_trailers() end

-- Response.

---Sends an interim response before the final one, and waits until it has been handed over.
---@param status integer 100 to 199 but 101
---@param headers? table<string, string|number> by the rules of `ctx:header`
function ctx:inform(status, headers) end

---Sets the status; without an argument it returns what is set.
---@param status integer 200 to 599
---@overload fun(self: moontrail.ctx): integer
function ctx:status(status) end

---Sets a header, or several; nil as value removes; with the name alone it returns what is set.
---@param name string a token; it goes out in lower case
---@param value string|number|nil without control characters; nil removes
---@overload fun(self: moontrail.ctx, name: string): string?
---@overload fun(self: moontrail.ctx, headers: table<string, string|number>)
function ctx:header(name, value) end

---Adds a header beside those of the name.
---@param name string a token; it goes out in lower case
---@param value string|number without control characters
function ctx:add_header(name, value) end

---Sends pieces of the body, and waits while the client is slower than the handler.
---@param ... string|number a number goes out as `tostring` gives it
function ctx:write(...) end

---Sends all the pieces of the body or none of them, and never waits: all, where nothing is queued
---or there is room for them.
---@param ... string|number a number goes out as `tostring` gives it
---@return boolean taken
function ctx:try_write(...) end

---Waits until what is written, headers included, has been handed to the connection.
function ctx:flush() end

---Sends a last piece, ends the response, and waits until it has been handed to the connection.
---@param last? string|number the last piece of the body
function ctx:finish(last) end

---Writes a body of plain text, with a `content-type` unless one is set.
---@param s string|number the whole body
function ctx:text(s) end

---Writes a body of HTML, with a `content-type` unless one is set.
---@param s string|number the whole body; nothing is escaped
function ctx:html(s) end

---Writes a value as JSON, with a `content-type` unless one is set.
---@param value any what `json.encode` takes
function ctx:json(value) end

---Sets the status and `location`. The handler goes on, and may write a body.
---@param url string sent as it is; nothing is encoded
---@param code? 301|302|303|307|308 302 when left out
function ctx:redirect(url, code) end

---Adds a `set-cookie` header.
---@param name string a token
---@param value string|number without white space, quotes, commas, semicolons and backslashes
---@param options? moontrail.cookie_options its attributes; none when left out
function ctx:set_cookie(name, value, options) end

---What `ctx:proxy` changes of the request on its way.
---@class moontrail.proxy_options
---@field path? string path and query in place of the request's own
---@field headers? table<string, string|number|false> in place of its own; false leaves one out
---@field timeout? number seconds to wait for the other server
---@field response? moontrail.proxy_response sees the head, and may change it
---@field retry? { statuses?: integer[], attempts?: integer } when the request is made again

---@alias moontrail.proxy_response fun(status: integer, headers: table<string, any>): integer?

---Hands the request to another server, whose answer is the response. Waits until that has ended.
---@param url string `http://`, `https://` or `h2c://` with a host, `unix:PATH`, or `upstream:POOL`
---@param options? moontrail.proxy_options all as the request has it when left out
---@return integer status of the response
function ctx:proxy(url, options) end

-- Lifetime.

---False, or the reason for which the request was aborted.
---@return false|moontrail.reason
function ctx:aborted() end

---Registers a function that runs once when the request is aborted. It may not wait.
---@param fn fun(reason: moontrail.reason) its errors are logged
function ctx:on_abort(fn) end

---Registers a function that runs once, just before the head is fixed: it may set headers, and may
---neither write nor wait.
---@param fn fun() what it raises is raised where the head would have been fixed
function ctx:on_head(fn) end

---Sets a time past which every wait of the handler raises; without an argument: the seconds left.
---@param seconds number|nil nil removes it
---@overload fun(self: moontrail.ctx): number?
function ctx:deadline(seconds) end

---A function that runs beside the handler.
---@class moontrail.task
local task = {}

---Waits for its results and returns them, or raises its error.
---@return any ...
function task:join() end

---Makes its waits raise.
function task:cancel() end

---A queue of values between the tasks of a worker: any value but nil.
---@class moontrail.channel
local channel = {}

---Puts a value in, and waits while the channel is full. Raises on a closed one.
---@param value any but nil
function channel:send(value) end

---Puts a value in where there is room. It never waits.
---@param value any but nil
---@return boolean taken false where the channel is full or closed
function channel:try_send(value) end

---The next value, for which it waits; nil once the channel is closed and empty.
---@return any value
function channel:recv() end

---The values for a `for` loop, which ends with the channel.
---@return fun(channel: moontrail.channel): any
---@return moontrail.channel
function channel:messages() end

---Nothing more goes in; what is in comes out still.
function channel:close() end

---The options of `mt.exec` and `mt.process`.
---@class moontrail.process_options
---@field stdin? string its input
---@field timeout? number seconds, after which it is killed
---@field limit? integer bytes of each output, beyond which it is killed
---@field env? table<string, string|number|false> added to the server's; false removes one
---@field cwd? string the folder that it works in

---What becomes of a program that `mt.exec` has run.
---@class moontrail.exec_result
---@field code? integer its exit status
---@field signal? string the name of the signal that ended it
---@field stdout string
---@field stderr string

---A program that runs. It ends with the task that started it.
---@class moontrail.process
local process = {}

---The next piece of what it writes, or nil at the end. Waits for it.
---@param max? integer the bytes that it has at the most
---@return string? piece
function process:read(max) end

---The next piece of its error output, or nil at the end. Waits for it.
---@param max? integer the bytes that it has at the most
---@return string? piece
function process:read_error(max) end

---Writes pieces of its input, and waits while it is slower.
---@param ... string|number pieces
---@return boolean takes whether it still takes any
function process:write(...) end

---Writes the last pieces of its input, and ends it.
---@param ... string|number pieces
---@return boolean takes whether it took all of them
function process:finish(...) end

---Waits for its end.
---@return integer? code its exit status
---@return string? signal the name of the signal that ended it
function process:wait() end

---Sends its group a signal.
---@param signal? string|integer `"SIGTERM"` unless given
function process:kill(signal) end

---Ends what is left of it.
function process:close() end

---A function that `mt.on_reload` has registered.
---@class moontrail.hook
local hook = {}

---Takes the function back, as the end of a `<close>` variable does. No effect on one that runs.
function hook:close() end

---Lines of the log: the event, and a table of fields, 32 at the most.
---@class moontrail.log
local log = {}

---Writes a line to the log at debug.
---@param event string what happened, in a few words
---@param fields? table<string, any> numbers, booleans, and what has a `tostring`
function log.debug(event, fields) end

---Writes a line to the log at info.
---@param event string what happened, in a few words
---@param fields? table<string, any> numbers, booleans, and what has a `tostring`
function log.info(event, fields) end

---Writes a line to the log at warn.
---@param event string what happened, in a few words
---@param fields? table<string, any> numbers, booleans, and what has a `tostring`
function log.warn(event, fields) end

---Writes a line to the log at error.
---@param event string what happened, in a few words
---@param fields? table<string, any> numbers, booleans, and what has a `tostring`
function log.error(event, fields) end

---What of the command line concerns a script.
---@class moontrail.options
---@field dev boolean whether `--dev` is given
---@field folder string where the scripts and their modules lie
---@field proto_path string the folders of `--proto-path`, divided by semicolons

---@class moontrail.every_options
---@field once? boolean one worker of all runs it
---@field name? string of 1 to 64 bytes, with `once`

---@class moontrail.limit_options
---@field name string of 1 to 64 bytes
---@field rate number what a bucket gains
---@field per? number in so many seconds: 1 unless given
---@field burst? number what it holds: the rate unless given

---@class moontrail.limiter
local limiter = {}

---Takes from the bucket of a key, if there is so much in it; else the seconds until then.
---@param key string whom it is for
---@param cost? number what is taken: 1 unless given
---@return boolean taken
---@return number? seconds
function limiter:take(key, cost) end

---Which of the worker processes this is.
---@class moontrail.worker
---@field id integer from 0
---@field count integer how many of them serve

---`local mt = require "moontrail"`
---@class moontrail
---@field ctx moontrail.ctx the functions of every ctx, found once: `mt.ctx.write(ctx, ...)`
---@field http moontrail.http
---@field log moontrail.log
---@field options moontrail.options
---@field socket moontrail.socket
---@field version string the server's version
---@field worker moontrail.worker
local moontrail = {}

---A queue of values between the tasks of this worker.
---@param capacity? integer the values that it holds: 1 unless given
---@return moontrail.channel channel
function moontrail.channel(capacity) end

---Runs a function every so many seconds, never beside itself, as long as these scripts are the
---current ones. Only while a script loads.
---@param seconds number above 0, up to 1e8
---@param fn fun() it may wait; an error is logged
---@param options? moontrail.every_options whether one worker of all runs it
function moontrail.every(seconds, fn, options) end

---Buckets that fill at a rate, shared by all workers.
---@param options moontrail.limit_options its name and its numbers
---@return moontrail.limiter limit
function moontrail.limit(options) end

---Runs a function once when newer scripts have taken over, or the worker drains.
---@param fn fun(what: "reload"|"shutdown") it may wait
---@return moontrail.hook hook
function moontrail.on_reload(fn) end

---Runs a program to its end, and waits for that.
---@param argv string[] the program and its arguments
---@param options? moontrail.process_options input, time, limits, surroundings
---@return moontrail.exec_result result
function moontrail.exec(argv, options) end

---Starts a program that is talked to.
---@param argv string[] the program and its arguments
---@param options? moontrail.process_options input, time, limits, surroundings
---@return moontrail.process process
function moontrail.process(argv, options) end

---Waits; other requests go on.
---@param seconds number 0 to 1e8; of 0 it lets the others run once
function moontrail.sleep(seconds) end

---Seconds since 1970-01-01 UTC, with fractions.
---@return number seconds
function moontrail.now() end

---Why the scripts on disk do not load, where the ones that serve are older; nil when they do.
---@return string|nil
function moontrail.load_error() end

---Loads the scripts anew when this file changes too: a template, say.
---@param path string the file, which need not exist
function moontrail.watch(path) end

---@class moontrail.wrap_options
---@field outer? fun(ctx: moontrail.ctx, next: fun()) goes around all middleware
---@field failed? fun(ctx: moontrail.ctx, problem: any): boolean may answer what that raises

---Puts more around a handler, which it returns.
---@param handler fun(ctx: moontrail.ctx) as scripts return it
---@param around moontrail.wrap_options each may be left out
---@return fun(ctx: moontrail.ctx) handler the same
function moontrail.wrap(handler, around) end

---Runs `fn(...)` as a task of its own, beside the handler, and returns the task.
---@param fn fun(...: any): ... it may wait, and use a live `ctx`
---@param ... any the arguments of `fn`
---@return moontrail.task task
function moontrail.spawn(fn, ...) end

---Runs several functions at once, waits for all, and returns the first result of each.
---@param ... fun(): any each runs as a task
---@return any ...
function moontrail.all(...) end

---The options of a call of another server.
---@class moontrail.http.options
---@field url? string `http:`, `https:`, `h2c:` (HTTP/2 by prior knowledge) or `unix:`
---@field path? string path and query, in place of the URL's
---@field method? string `"GET"` unless given
---@field headers? table<string, string|number|(string|number)[]> by name
---@field body? string|fun(): string? a function gives the next piece, and nil at the end
---@field timeout? number seconds until the response is whole; no limit unless given
---@field connect_timeout? number seconds until there is a connection; 10 unless given
---@field idle_timeout? number seconds in which nothing moves; 60 unless given
---@field keepalive? number HTTP/2: seconds without a frame until a sign of life is asked for
---@field spread? boolean whether calls go round all addresses of the host's name
---@field version? "1.1"|"2" else as the URL says, and with `https` as the servers agree
---@field verify? boolean `false`: the certificate is not verified
---@field ca? string a file of certificates, PEM, in place of the system's

---Calls of other servers. What fails raises an error that names the URL.
---@class moontrail.http
local http = {}

---Makes a call, and waits for the head of its response.
---@param options moontrail.http.options what is asked of whom
---@return moontrail.http.response res
function http.request(options) end

---The same with `GET`.
---@param url string what is asked for
---@param options? moontrail.http.options the others
---@return moontrail.http.response res
function http.get(url, options) end

---The same with `POST`.
---@param url string where it is sent to
---@param body? string|fun(): string? a function gives the next piece, and nil at the end
---@param options? moontrail.http.options the others
---@return moontrail.http.response res
function http.post(url, body, options) end

---A call whose request's body the script writes; it is the response as well.
---@param options moontrail.http.options what is asked of whom, without a body
---@return moontrail.http.response call
function http.open(options) end

---The response to a call, which ends with the request that it was made for.
---@class moontrail.http.response
---@field status? integer nil until the head is there, as all that the head tells is
---@field protocol? string `"HTTP/2"`, `"HTTP/1.1"` or `"HTTP/1.0"`
---@field headers? table<string, string> by lower-case name; repeated fields are joined by `", "`
---@field fields? string[][] an array of `{name, value}` in the order in which they came
---@field ended_by_head? boolean over HTTP/2: whether the head was all, HEADERS with END_STREAM
---@field failure? moontrail.error_kind why it raises
---@field reset_code? moontrail.code of a response that was reset, by name
local response = {}

---The next piece of the body, or nil at its end. Waits until there is one.
---@param max? integer the bytes that it has at the most
---@return string? piece
function response:read(max) end

---The next bytes of the body: as many as asked for, or what is left; nil at its end.
---@param n integer how many bytes
---@return string? piece
function response:read_exactly(n) end

---Waits until a connection has taken the request.
---@return "HTTP/2"|"HTTP/1.1" protocol
function response:connected() end

---The whole body. Over the limit it raises, and closes the response.
---@param limit? integer bytes; 16 MiB unless given
---@return string body
function response:body(limit) end

---The trailers by lower-case name, and as they came, once the body has been read to its end.
---@return table<string, string> trailers
---@return string[][] fields
function response:trailers() end

---Ends the call: nobody wants the rest.
function response:close() end

---Waits for the head of the response to a call of `http.open`.
---@return moontrail.http.response res the same
function response:response() end

---Sends pieces of the request's body, and waits while the other server is slower.
---@param ... string|number the pieces
---@return boolean wanted false once the other server wants no more of it
function response:write(...) end

---Adds a trailer, sent behind the request's body.
---@param name string a token that may be a trailer; it goes out in lower case
---@param value string|number without control characters
function response:append_trailer(name, value) end

---Sends the last pieces, and ends the request.
---@param ... string|number the pieces
---@return boolean wanted false where the other server wanted no more of it
function response:finish(...) end

---The options of TLS, for `start_tls`.
---@class moontrail.socket.tls_options
---@field verify? boolean `false`: the certificate is not verified
---@field ca? string a file of certificates, PEM, in place of the system's
---@field cert? string a file, PEM: the certificate that is shown to a server that asks
---@field key? string a file, PEM: its key; in the same file unless given
---@field server_name? string in place of the URL's host
---@field alpn? string|string[] the protocols that are offered

---The options of a connection.
---@class moontrail.socket.options: moontrail.socket.tls_options
---@field connect_timeout? number seconds until there is a connection; 10 unless given
---@field timeout? number seconds for each wait after that; 60 unless given
---@field pool? string the name of those that are kept; the URL unless given
---@field pool_size? integer how many are kept by each worker; 32 unless given
---@field pool_idle? number seconds for which one is kept; 60 unless given

---For how long, and beside how many, a connection is kept.
---@class moontrail.socket.keep_options
---@field pool_size? integer how many are kept by each worker
---@field pool_idle? number seconds for which one is kept

---What was agreed upon with the other server.
---@class moontrail.socket.tls
---@field version string
---@field cipher string
---@field alpn? string

---Connections to other servers. What fails raises an error that names the URL.
---@class moontrail.socket
local socket = {}

---Connects, or takes up a connection that was kept.
---@param url string `tcp://HOST:PORT`, `tls://HOST:PORT` or `unix:FILE`
---@param options? moontrail.socket.options times, TLS, and the pool
---@return moontrail.socket.connection s
function socket.connect(url, options) end

---A connection, which ends with the task that made it.
---@class moontrail.socket.connection
---@field reused boolean whether it had been kept
---@field remote? string the address with which it is connected
---@field tls? moontrail.socket.tls nil without TLS
local connection = {}

---The next bytes, or nil at the end. Waits until there are some.
---@param max? integer the bytes that it has at the most
---@return string? piece
function connection:read(max) end

---The next bytes: as many as asked for, or what is left; nil at the end.
---@param n integer how many bytes
---@return string? piece
function connection:read_exactly(n) end

---The next line, without its CRLF or LF; nil at the end.
---@param limit? integer the bytes that it has at the most; 64 KiB unless given
---@return string? line
---@return string? rest behind nil: what there is of a line that has no end
function connection:read_line(limit) end

---What comes before a mark, which is taken too; nil at the end.
---@param mark string what is looked for
---@param limit? integer the bytes before it at the most; 64 KiB unless given
---@return string? piece
---@return string? rest behind nil: what there is without the mark
function connection:read_until(mark, limit) end

---Writes, and waits while the other side is slower.
---@param ... string|number the pieces
function connection:write(...) end

---Ends our direction.
function connection:finish() end

---Begins TLS, and waits for it.
---@param options? moontrail.socket.tls_options beside those that `connect` was given
function connection:start_tls(options) end

---Sets the time for each wait from now on.
---@param seconds number above 0, up to 1e8
function connection:set_timeout(seconds) end

---Gives it back, to be used again.
---@param options? moontrail.socket.keep_options in place of those that `connect` was given
---@return boolean kept false where it was closed in place of that
function connection:keep(options) end

---Closes it, behind what was written.
function connection:close() end

---What `require "moontrail.resty"` gives, and makes the global `ngx`: that of OpenResty, as far as
---its client libraries use it.
---@class moontrail.resty
---@field null lightuserdata what stands for nil in replies
---@field STDERR integer
---@field EMERG integer
---@field ALERT integer
---@field CRIT integer
---@field ERR integer
---@field WARN integer
---@field NOTICE integer
---@field INFO integer
---@field DEBUG integer
---@field socket moontrail.resty.socket
---@field thread moontrail.resty.thread
---@field timer moontrail.resty.timer
---@field worker moontrail.resty.worker
local ngx = {}

---Seconds since 1970, with fractions.
---@return number seconds
function ngx.now() end

---The same, whole.
---@return integer seconds
function ngx.time() end

---Does nothing: time is looked at whenever it is asked for.
function ngx.update_time() end

---Waits.
---@param seconds number how long
function ngx.sleep(seconds) end

---Writes a line to the log.
---@param level integer one of the levels: `ngx.ERR`
---@param ... any what it says, joined
function ngx.log(level, ...) end

---Always `"content"`.
---@return string phase
function ngx.get_phase() end

---A text with everything escaped that cannot stand in a part of a URL.
---@param text string what is to be escaped
---@return string escaped
function ngx.escape_uri(text) end

---The same back; a plus is a space.
---@param text string what was escaped
---@return string text
function ngx.unescape_uri(text) end

---Base64.
---@param bytes string what is to be encoded
---@param no_padding? boolean whether it ends without `=`
---@return string text
function ngx.encode_base64(bytes, no_padding) end

---The bytes of base64; nil for a text that is none.
---@param text string what was encoded
---@return string? bytes
function ngx.decode_base64(text) end

---MD5, in hexadecimal digits.
---@param bytes string what is digested
---@return string digits
function ngx.md5(bytes) end

---MD5.
---@param bytes string what is digested
---@return string digest
function ngx.md5_bin(bytes) end

---SHA-1.
---@param bytes string what is digested
---@return string digest
function ngx.sha1_bin(bytes) end

---HMAC with SHA-1.
---@param key string the secret
---@param bytes string what it is a code of
---@return string code
function ngx.hmac_sha1(key, bytes) end

---@class moontrail.resty.socket
local resty_socket = {}

---A socket that is not connected yet.
---@return table socket
function resty_socket.tcp() end

---The same.
---@return table socket
function resty_socket.stream() end

---One that is connected.
---@param host string a name, an address, or `unix:FILE`
---@param port? integer without it for `unix:`
---@param options? table its pool
---@return table? socket
---@return string? problem
function resty_socket.connect(host, port, options) end

---@class moontrail.resty.thread
local thread = {}

---Runs a function beside this one.
---@param fn fun(...: any): ... what it does
---@param ... any its arguments
---@return table thread
function thread.spawn(fn, ...) end

---Waits until one of several has ended.
---@param ... table the threads
---@return boolean ok whether it has raised no error
---@return any ... what it has returned, or the error
function thread.wait(...) end

---Ends one that runs.
---@param one table the thread
---@return integer? done
---@return string? problem
function thread.kill(one) end

---@class moontrail.resty.timer
local timer = {}

---Calls a function once, whatever becomes of the request.
---@param seconds number after how long
---@param fn fun(premature: boolean, ...: any) told whether the scripts or the worker end
---@param ... any what it gets as well
---@return integer done
function timer.at(seconds, fn, ...) end

---Calls it again and again.
---@param seconds number after how long each time
---@param fn fun(premature: boolean, ...: any) what it does
---@param ... any what it gets as well
---@return integer done
function timer.every(seconds, fn, ...) end

---@class moontrail.resty.worker
local resty_worker = {}

---Which worker this is, from 0.
---@return integer id
function resty_worker.id() end

---How many there are.
---@return integer count
function resty_worker.count() end

---Its process.
---@return integer pid
function resty_worker.pid() end

---`local json = require "moontrail.json"`
---@class moontrail.json
---@field null lightuserdata JSON's null; it is not nil, and counts as true in Lua
local json = {}

---Encodes a value. Integers are exact, floats round-trip; an empty table is `{}`.
---@param value any nil, boolean, number, string, table or `json.null`
---@return string text
function json.encode(value) end

---Decodes a text. Raises with the byte where it is wrong.
---@param text string JSON in UTF-8
---@return any value
function json.decode(text) end

---Marks a table as an array and returns it.
---@param t? table a new one when left out
---@return table t
function json.array(t) end

---`local base64 = require "moontrail.base64"`
---@class moontrail.base64
local base64 = {}

---The text of bytes, padded; with `"url"` in the alphabet for URLs, without padding.
---@param bytes string|number what is to be encoded
---@param alphabet? "standard"|"url" `"standard"` unless given
---@return string text
function base64.encode(bytes, alphabet) end

---The bytes of a text in either alphabet, padded or not; nil for one that is none.
---@param text string|number what was encoded
---@return string? bytes
function base64.decode(text) end

---The same of texts that were encoded one by one and joined; nil for one that is none.
---@param text string|number a piece of them
---@return string? bytes
---@return string? rest the characters at the end that more must follow
function base64.decode_joined(text) end

---The options of deflating.
---@class moontrail.zlib.deflate_options
---@field format? "gzip"|"zlib"|"raw" `"gzip"` unless given
---@field level? integer 0 to 9

---The options of inflating.
---@class moontrail.zlib.inflate_options
---@field format? "auto"|"gzip"|"zlib"|"raw" `"auto"`, unless given, takes gzip and zlib
---@field limit? integer the bytes that may come out at the most, 16 MiB unless given

---`local zlib = require "moontrail.zlib"`
---@class moontrail.zlib
local zlib = {}

---The data deflated.
---@param data string|number what is to be deflated
---@param options? moontrail.zlib.deflate_options format and level
---@return string packed
function zlib.compress(data, options) end

---The data inflated. Raises past the limit, and for data that is corrupt or cut short.
---@param data string|number what is to be inflated
---@param options? moontrail.zlib.inflate_options format and limit
---@return string data
function zlib.decompress(data, options) end

---A stream that deflates data that comes in pieces.
---@param options? moontrail.zlib.deflate_options format and level
---@return moontrail.zlib.deflate stream
function zlib.deflate(options) end

---A stream that inflates data that comes in pieces; the limit is for all of them.
---@param options? moontrail.zlib.inflate_options format and limit
---@return moontrail.zlib.inflate stream
function zlib.inflate(options) end

---A stream that deflates. It may be a `<close>` variable.
---@class moontrail.zlib.deflate
local deflate = {}

---Takes data and gives the output so far, often `""`.
---@param data string|number the next piece
---@return string output
function deflate:write(data) end

---What is missing for all that was written to be read.
---@return string output
function deflate:flush() end

---The rest of the output.
---@param data? string|number a last piece
---@return string output
function deflate:finish(data) end

---Frees it, as the end of a `<close>` variable does, and in time the collector.
function deflate:close() end

---A stream that inflates. It may be a `<close>` variable.
---@class moontrail.zlib.inflate
local inflate = {}

---Takes data and gives the output so far, often `""`.
---@param data string|number the next piece
---@return string output
function inflate:write(data) end

---The rest of the output. Raises where what was to be inflated is cut short.
---@param data? string|number a last piece
---@return string output
function inflate:finish(data) end

---Frees it, as the end of a `<close>` variable does, and in time the collector.
function inflate:close() end

---The bounds of loading.
---@class moontrail.protobuf.bounds
---@field max_files? integer 1000 unless given
---@field max_bytes? integer of all files together, 16 MiB unless given

---`local pb = require "moontrail.protobuf"`; docs/protobuf.md is its reference.
---@class moontrail.protobuf
local protobuf = {}

---A schema from a .proto file, or a descriptor set, and what it imports. Raises a line for each
---fault in them.
---@param file string a name that is searched in the folders, or a path
---@param folders? string[] where imports are searched, in that order
---@param bounds? moontrail.protobuf.bounds on what is read
---@param places? string[] gets the paths where files were looked for, there or not
---@return moontrail.protobuf.schema schema
function protobuf.load(file, folders, bounds, places) end

---A schema from a text.
---@param text string the text of a .proto file
---@param name string the name of the file that the text would be
---@param folders? string[] where imports are searched, in that order
---@param bounds? moontrail.protobuf.bounds on what is read
---@return moontrail.protobuf.schema schema
function protobuf.parse(text, name, folders, bounds) end

---What is known of a .proto file and its imports.
---@class moontrail.protobuf.schema
local schema = {}

---The paths of the files read, the main one first.
---@return string[] paths
function schema:files() end

---The message type of that full name.
---@param name string the type's full name
---@return moontrail.protobuf.message? type
function schema:message(name) end

---The service of that full name.
---@param name string the service's full name
---@return moontrail.protobuf.service? service
function schema:service(name) end

---The comment on a message, enum, field, service or method; "" where there is none.
---@param name string its full name
---@return string text
function schema:comment(name) end

---The full names of the services in the main file, or in all of a set.
---@return string[] names
function schema:services() end

---The bytes of a file's FileDescriptorProto, and the file's name.
---@param name string the file's name, as imports have it
---@return string? bytes
---@return string? file the file's name
function schema:descriptor_of_file(name) end

---The same, of the file that has a message, enum, field, service or method.
---@param name string the full name of any of them
---@return string? bytes
---@return string? file the file's name
function schema:descriptor_of_symbol(name) end

---The same, of the file that extends a message by that number.
---@param type string the message's full name
---@param number integer the number of the extension
---@return string? bytes
---@return string? file the file's name
function schema:descriptor_of_extension(type, number) end

---The numbers by which a message is extended.
---@param type string the message's full name
---@return integer[] numbers
function schema:extension_numbers(type) end

---The names of the files that a file imports.
---@param file string the file's name, as imports have it
---@return string[]? names
function schema:dependencies(file) end

---A service, as a .proto file declares it.
---@class moontrail.protobuf.service
---@field name string its full name
---@field file string the name of the file that declares it
---@field methods moontrail.protobuf.method[] in the order declared

---A method of a service.
---@class moontrail.protobuf.method
---@field name string
---@field input moontrail.protobuf.message
---@field output moontrail.protobuf.message
---@field input_name string
---@field output_name string
---@field client_streaming boolean
---@field server_streaming boolean
---@field idempotency "IDEMPOTENCY_UNKNOWN"|"NO_SIDE_EFFECTS"|"IDEMPOTENT" its `idempotency_level`
---@field http? string the bytes of its google.api.HttpRule

---A field of a message type.
---@class moontrail.protobuf.field
---@field name string
---@field json_name string
---@field number integer
---@field type string as a .proto has it: "int32", "message", "enum"
---@field repeated? boolean
---@field map? boolean
---@field key? moontrail.protobuf.field of a map
---@field value? moontrail.protobuf.field of a map
---@field message? moontrail.protobuf.message its type
---@field enum? string the full name of its type
---@field values? string[] the names that the enum has
---@field oneof? string
---@field required? boolean
---@field deprecated? boolean

---A message type.
---@class moontrail.protobuf.message
---@field name string its full name
local message = {}

---The bytes of a message. Raises for a wrong type or an unknown field, naming it.
---@param value table its fields by name
---@return string bytes
function message:encode(value) end

---The message in the bytes, or in a part of them. Raises for malformed ones.
---@param bytes string what holds the message
---@param first? integer the place of its first byte; 1 when left out
---@param last? integer the place of its last byte; the last of all when left out
---@return table value
function message:decode(bytes, first, last) end

---A function that decodes as decode does, and tells bytes that cannot be decoded from any other
---error.
---@param fail fun(text: string): any gives what is raised, of the text that decode raises
---@return fun(bytes: string, first?: integer, last?: integer): table decode
function message:decoder(fail) end

---How JSON differs from the mapping of protocol buffers.
---@class moontrail.protobuf.json_options
---@field defaults? boolean write fields that have their default, too
---@field names? "proto" write the names of fields as they are in the .proto
---@field enums? "number" write the values of enums as numbers
---@field unknown? "ignore" skip fields and names of enums' values that are unknown
---@field partial? boolean read messages that lack required fields

---The JSON text of a message, given as a table or as bytes.
---@param value table|string the message, or its bytes
---@param options? moontrail.protobuf.json_options how it differs from the mapping
---@return string text
function message:to_json(value, options) end

---The message that a JSON text describes. Raises for what does not fit, and says where.
---@param text string the JSON text
---@param options? moontrail.protobuf.json_options how it differs from the mapping
---@return table value
function message:from_json(text, options) end

---The value of one field, of which the text is the JSON. Raises for what does not fit.
---@param field string its name, in the .proto or in JSON
---@param text string the JSON text
---@param options? moontrail.protobuf.json_options how it differs from the mapping
---@return any value nil for null
function message:field_from_json(field, text, options) end

---The JSON text of one field of a message.
---@param field string its name, in the .proto or in JSON
---@param value table the message
---@param options? moontrail.protobuf.json_options how it differs from the mapping
---@return string text "null" where the field is not there
function message:field_to_json(field, value, options) end

---The fields, by number.
---@return moontrail.protobuf.field[] fields
function message:fields() end

---A status of a call's error by name, or any number above 0.
---@alias moontrail.grpc.code integer
---| "CANCELLED"
---| "UNKNOWN"
---| "INVALID_ARGUMENT"
---| "DEADLINE_EXCEEDED"
---| "NOT_FOUND"
---| "ALREADY_EXISTS"
---| "PERMISSION_DENIED"
---| "RESOURCE_EXHAUSTED"
---| "FAILED_PRECONDITION"
---| "ABORTED"
---| "OUT_OF_RANGE"
---| "UNIMPLEMENTED"
---| "INTERNAL"
---| "UNAVAILABLE"
---| "DATA_LOSS"
---| "UNAUTHENTICATED"

---The numbers of the statuses.
---@class moontrail.grpc.codes
---@field OK integer
---@field CANCELLED integer
---@field UNKNOWN integer
---@field INVALID_ARGUMENT integer
---@field DEADLINE_EXCEEDED integer
---@field NOT_FOUND integer
---@field ALREADY_EXISTS integer
---@field PERMISSION_DENIED integer
---@field RESOURCE_EXHAUSTED integer
---@field FAILED_PRECONDITION integer
---@field ABORTED integer
---@field OUT_OF_RANGE integer
---@field UNIMPLEMENTED integer
---@field INTERNAL integer
---@field UNAVAILABLE integer
---@field DATA_LOSS integer
---@field UNAUTHENTICATED integer

---A message that tells more of an error: one that the service's .proto knows, or bytes of any.
---@class moontrail.grpc.detail
---@field type? string the full name of the message whose fields `value` has
---@field type_url? string in place of `type`, where `value` is the message's bytes
---@field value table|string

---The options of a service.
---@class moontrail.grpc.options
---@field max_message? integer the bytes of a request's message at the most, 4 MiB unless given
---@field compression? "gzip"|"deflate"|false of replies, for clients that take it
---@field health? boolean whether grpc.health.v1.Health is served beside it; true unless given
---@field reflection? boolean whether the services for reflection are, and tell of it; likewise
---@field protocols? ("grpc"|"grpc-web"|"connect")[] by which it is served; all unless given
---@field origins? "*"|string[] whose pages may call it; none unless given
---@field credentials? boolean whether pages of these origins may send cookies
---@field intercept? moontrail.grpc.interceptor|moontrail.grpc.interceptor[] around each call
---@field json? moontrail.protobuf.json_options how its JSON differs from the mapping
---@field transcode? boolean whether it has the routes of google.api.http; true unless given

---What a call passes through: `return next()`, or another reply, or an error.
---@alias moontrail.grpc.interceptor fun(call: moontrail.grpc.call, next: fun(): table?): table?

---The options of a client.
---@class moontrail.grpc.gateway_options
---@field file? string the .proto or descriptor set that has the server's types
---@field services? string[] those that are served by types: all unless given
---@field reflect? boolean whether the server may be asked for its types; true unless given
---@field origins? string[]|"*" whose pages may call it; none unless given
---@field credentials? boolean whether these may send cookies
---@field json? moontrail.protobuf.json_options how JSON differs from what it is by default
---@field transcode? boolean whether there are routes of google.api.http; true unless given
---@field max_message? integer the bytes of a message at the most, 4 MiB unless given
---@field keepalive? number as a client's
---@field connect_timeout? number as a client's
---@field verify? boolean as a client's
---@field ca? string as a client's

---@class moontrail.grpc.retry
---@field attempts? integer how often a call is made at the most; 3 unless given
---@field codes? moontrail.grpc.code[] what it is made again for; UNAVAILABLE unless given
---@field backoff? number[] the first wait at the most, and any: `{ 0.1, 2 }` unless given

---@alias moontrail.grpc.client_interceptor
---| fun(call: moontrail.grpc.client_call, next: fun(): table?): table?

---@class moontrail.grpc.client_options
---@field protocol? "grpc"|"grpc-web"|"connect" `"grpc"` unless given
---@field codec? "proto"|"json" `"proto"` unless given
---@field retry? moontrail.grpc.retry calls that fail are made again; none unless given
---@field keepalive? number seconds without a frame until a sign of life is asked for
---@field intercept? moontrail.grpc.client_interceptor|moontrail.grpc.client_interceptor[]
---@field timeout? number seconds for each call; no limit unless given
---@field metadata? table<string, string|number|(string|number)[]> sent with each call
---@field max_message? integer the bytes of a reply's message at the most, 4 MiB unless given
---@field compression? "gzip"|"deflate"|false of requests
---@field verify? boolean `false`: the certificate is not verified
---@field ca? string a file of certificates, PEM, in place of the system's
---@field connect_timeout? number seconds until there is a connection; 10 unless given

---The options of a call.
---@class moontrail.grpc.call_options
---@field timeout? number seconds, in place of the client's
---@field metadata? table<string, string|number|(string|number)[]> beside the client's

---What the functions of a client raise, where the call has a status other than OK.
---@class moontrail.grpc.status
---@field kind "grpc"
---@field code integer
---@field message string
---@field details? moontrail.grpc.detail[]
---@field headers? table<string, string|string[]> metadata that came before it, if a head has come
---@field metadata? table<string, string|string[]> that came with it: the trailers

---`local grpc = require "moontrail.grpc"`; docs/grpc.md is its reference.
---@class moontrail.grpc
---@field codes moontrail.grpc.codes
---@field health moontrail.grpc.health
---@field path string folders of .proto files, divided by semicolons; `--proto-path` at first
local grpc = {}

---A service, for its functions to be set and the script to return.
---@param file string the .proto, relative to the script's folder, the scripts' or `grpc.path`
---@param name string the service's full name
---@param options? moontrail.grpc.options those of this service
---@return table<string, function> service
function grpc.service(file, name, options) end

---A client of a service on another server: a table with a function for each method.
---@param url string|string[] `h2c://HOST[:PORT]`, `http://…`, `https://…`, `unix:FILE`, or several
---@param file string the .proto, found as that of `grpc.service` is
---@param name string the service's full name
---@param options? moontrail.grpc.client_options those of all its calls
---@return table<string, fun(client: table, ...: table?): any, moontrail.grpc.client_call> client
function grpc.client(url, file, name, options) end

---A handler for a script that takes all paths, which puts a gRPC server behind gRPC-Web, Connect,
---JSON and its routes of google.api.http.
---@param url string `h2c://HOST[:PORT]`, `http://…` (the same), `https://…` or `unix:FILE`
---@param options? moontrail.grpc.gateway_options where types come from, and who may call
---@return fun(ctx: moontrail.ctx) handler
function grpc.gateway(url, options) end

---Raises a status, which ends the call.
---@param code moontrail.grpc.code its name or its number
---@param text? string what the client is told
---@param details? moontrail.grpc.detail[]|string the bytes of a google.rpc.Status, as a string
function grpc.error(code, text, details) end

---Whether services serve, for those who ask grpc.health.v1.Health.
---@class moontrail.grpc.health
local health = {}

---Sets the status of a service, or with `""` of the whole server.
---@param service string the service's full name
---@param status "SERVING"|"NOT_SERVING"|"UNKNOWN" what it is to be
function health.set(service, status) end

---A call, as its handler sees it.
---@class moontrail.grpc.call
---@field ctx moontrail.ctx the request beneath
---@field metadata table<string, string|string[]> of the request; `-bin` values are decoded
---@field compressed boolean whether the last message came compressed
---@field request? table what interceptors see of a request that is one message
---@field protocol "grpc"|"grpc-web"|"connect"|"http" by which it came
---@field codec "proto"|"json" in which its messages are
---@field method string its full name: `"pkg.Service/Method"`
local call = {}

---The next message of a stream of requests, or nil at its end. Waits until there is one.
---@return table? message
function call:recv() end

---An iterator over the messages that are still to come.
---@return fun(): table?
function call:messages() end

---Sends a message of a stream of replies, and waits while the client is slower.
---@param reply table its fields by name
function call:send(reply) end

---Adds metadata that goes before the first reply. Raises once that is sent.
---@param name string where it ends in `-bin`, values may have any bytes
---@param value string|number|(string|number)[] one value, or several
function call:header(name, value) end

---Adds metadata that goes with the status.
---@param name string where it ends in `-bin`, values may have any bytes
---@param value string|number|(string|number)[] one value, or several
function call:trailer(name, value) end

---The seconds that the client still waits, or nil where it has set no deadline.
---@return number? seconds
function call:deadline() end

---False, or why nobody waits for the reply any more.
---@return false|string reason
function call:cancelled() end

---Whether replies are compressed from here on, where the client takes that.
---@param on boolean whether they are
function call:compress(on) end

---A call of a method on another server.
---@class moontrail.grpc.client_call
---@field protocol "grpc"|"grpc-web"|"connect"
---@field codec "proto"|"json"
---@field method string `"pkg.Service/Method"`
---@field request? table for interceptors: the message of a method that takes one
---@field metadata_out table<string, string|number|(string|number)[]> for interceptors: goes out
---@field timeout? number for interceptors: seconds for the call
---@field metadata table<string, string|string[]> before the replies; it is waited for
---@field trailers? table<string, string|string[]> behind them, once the call has ended
local client_call = {}

---Sends a message of a stream of requests, and waits while the other server is slower.
---@param request table its fields by name
---@return boolean wanted false once the call has ended: `recv` tells how
function client_call:send(request) end

---Ends the stream of requests.
---@return boolean wanted false where the call has ended already
function client_call:close_send() end

---The next reply, or nil behind the last. Raises a status other than OK.
---@return table? reply
function client_call:recv() end

---An iterator over the replies that are still to come.
---@return fun(): table?
function client_call:messages() end

---Waits for the end, and passes over replies that nobody has read.
---@return integer code
---@return string message
---@return moontrail.grpc.detail[]? details
function client_call:status() end

---Ends the call, unless it has ended.
function client_call:cancel() end

---What all workers share.
---@class moontrail.redis
---@field null lightuserdata what stands for null inside of arrays; it is json.null
local redis = {}

---@class moontrail.redis.options
---@field user? string for those that the URL does not name
---@field password? string likewise
---@field db? integer likewise
---@field connect_timeout? number seconds for a connection (10)
---@field timeout? number seconds for a reply (60)
---@field verify? boolean false takes any certificate
---@field ca? string a file of certificates that are trusted
---@field cert? string a file with a certificate of one's own
---@field key? string a file with its key
---@field server_name? string the name that the server's certificate has to have
---@field pool? string in the place of the URL
---@field pool_size? integer connections of a worker that are kept (32)
---@field pool_idle? number seconds for which they are (60)

---A client of a server, or of a cluster. It is no connection.
---@param url string|string[] redis://HOST, rediss://HOST, unix:FILE; nodes of a cluster
---@param options? moontrail.redis.options how it is spoken to
---@return moontrail.redis.client r
function redis.connect(url, options) end

---A script for the server.
---@param source string its text
---@return moontrail.redis.script s
function redis.script(source) end

---Every command is a method: `r:get(k)`, `r:hset(k, f, v)`.
---@class moontrail.redis.client
---@field [string] fun(self: moontrail.redis.client, ...: string|number): any
local redis_client = {}

---Sends a command by its name.
---@param name string of the command
---@param ... string|number its arguments
---@return any reply
function redis_client:call(name, ...) end

---Sends in one piece what the function gathers. An error is a value in its place.
---@param fn fun(p: moontrail.redis.batch) gathers commands
---@return any[] replies
function redis_client:pipeline(fn) end

---@class moontrail.redis.transaction_options
---@field watch? string[] keys

---Runs as one what the function gathers; nil where a watched key has changed.
---@param fn fun(t: moontrail.redis.batch) gathers commands
---@param options? moontrail.redis.transaction_options keys to watch
---@return any[]? replies
function redis_client:transaction(fn, options) end

---Listens to channels, from when it returns.
---@param ... string names of channels
---@return moontrail.redis.subscription sub
function redis_client:subscribe(...) end

---The same for patterns.
---@param ... string patterns of names
---@return moontrail.redis.subscription sub
function redis_client:psubscribe(...) end

---What a pipeline or a transaction is made of: every command is a method.
---@class moontrail.redis.batch
---@field [string] fun(self: moontrail.redis.batch, ...: string|number)

---@class moontrail.redis.script
local redis_script = {}

---Runs it.
---@param r moontrail.redis.client|moontrail.redis.batch where
---@param keys? (string|number)[] what it has as KEYS
---@param args? (string|number)[] what it has as ARGV
---@return any reply
function redis_script:run(r, keys, args) end

---@class moontrail.redis.message
---@field channel string
---@field message string
---@field pattern? string of psubscribe

---`for m in sub do`, or `sub()` for the next; nil once it is closed.
---@class moontrail.redis.subscription
---@operator call: moontrail.redis.message?
local redis_subscription = {}

---Ends it, and the loop over it.
function redis_subscription:close() end

---@class moontrail.store
local store = {}

---The map of that name.
---@param name string of 1 to 64 bytes
---@return moontrail.store.map s
function store.open(name) end

---@class moontrail.store.set_options
---@field ttl? number seconds after which it ends; it lasts unless given
---@field if_absent? boolean only where there is none
---@field if_equal? string|integer only where the value is this one

---@class moontrail.store.ttl_options
---@field ttl? number seconds after which it ends

---A map of the store. All of its functions count as waits.
---@class moontrail.store.map
local map = {}

---Its value, or nil.
---@param key string of 1 to 400 bytes
---@return string|integer|nil value
function map:get(key) end

---Whether it was set.
---@param key string of 1 to 400 bytes
---@param value string|integer up to 1 MiB
---@param options? moontrail.store.set_options its time, and when to set it at all
---@return boolean set
function map:set(key, value, options) end

---Whether it was there.
---@param key string of 1 to 400 bytes
---@return boolean deleted
function map:delete(key) end

---Adds to an integer, which begins at 0.
---@param key string of 1 to 400 bytes
---@param by? integer what is added: 1 unless given
---@param options? moontrail.store.ttl_options for a key that is not there yet
---@return integer value the new one
function map:incr(key, by, options) end

---Gives it another time; whether it was there.
---@param key string of 1 to 400 bytes
---@param ttl? number in seconds; it lasts without
---@return boolean found
function map:expire(key, ttl) end

---An iterator over the keys, in no order.
---@param prefix? string with which they begin
---@param limit? integer how many at the most
---@return fun(): string?
function map:keys(prefix, limit) end

---Stores what the function makes of the value, if nobody has written to it meanwhile; else again.
---@param key string of 1 to 400 bytes
---@param fn fun(old: string|integer|nil): string|integer|nil it cannot wait; nil removes
---@param options? moontrail.store.ttl_options it keeps its time unless given
---@return string|integer|nil value what was stored
function map:update(key, fn, options) end

---Waits for a lock.
---@param key string of 1 to 400 bytes
---@param seconds number after which it ends by itself
---@return moontrail.store.lock lock
function map:lock(key, seconds) end

---A lock, or nil where somebody has it.
---@param key string of 1 to 400 bytes
---@param seconds number after which it ends by itself
---@return moontrail.store.lock? lock
function map:try_lock(key, seconds) end

---Sends a message to all subscribers of a channel, in all workers.
---@param name string of the channel: 1 to 400 bytes
---@param text string of up to 64 KiB
function map:publish(name, text) end

---Takes what is published on a channel from now on.
---@param name string of the channel: 1 to 400 bytes
---@return moontrail.store.subscription sub
function map:subscribe(name) end

---@class moontrail.store.lock
local lock = {}

---Ends it; whether it was still held.
---@return boolean held
function lock:release() end

---`for message in sub do`, or `sub()` for the next; nil once it is closed.
---@class moontrail.store.subscription
---@field dropped integer messages that were not read in time
---@operator call: string?
local subscription = {}

---Ends it, and the loop over it.
function subscription:close() end

---Databases: SQLite and PostgreSQL.
---@class moontrail.sql
---@field null lightuserdata NULL, as a parameter
local sql = {}

---@class moontrail.sql.options
---@field max? integer connections of a worker at the most: 10 unless given
---@field idle? number seconds after which an idle connection is closed: 60 unless given
---@field timeout? number seconds that a statement may take: 30 unless given

---A database; it is opened with the first query.
---@param url string of the database: `sqlite:FILE`, `postgres://…`
---@param options? moontrail.sql.options of its pool of connections
---@return moontrail.sql.database db
function sql.open(url, options) end

---Bytes as a parameter, where a string would be taken for text.
---@param s string as it is to be stored
---@return table bytes
function sql.bytes(s) end

---What a query gives: the rows, each a table by column, without those that are NULL.
---@class moontrail.sql.result
---@field [integer] table<string, any>
---@field columns string[] their names, in order
---@field affected integer rows that the statement has changed

---@class moontrail.sql.transaction_options
---@field isolation? "read committed"|"repeatable read"|"serializable"
---@field read? boolean it writes nothing
---@field retry? integer times that it is tried again after a serialization failure: 3 unless given

---A database with its pool of connections. All of its functions count as waits.
---@class moontrail.sql.database
local database = {}

---Runs one statement.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return moontrail.sql.result rows
function database:query(text, ...) end

---The first row, or nil.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return table<string, any>? row
function database:row(text, ...) end

---The first column of the first row, or nil.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return any value
function database:value(text, ...) end

---An iterator over the rows, which come as they are asked for.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return moontrail.sql.rows rows
function database:rows(text, ...) end

---Runs a function in a transaction: commits when it returns, rolls back when it raises.
---@param fn fun(tx: moontrail.sql.transaction): ... it may be called again
---@param options? moontrail.sql.transaction_options how it is isolated, and tried again
---@return any ... what the function returns
function database:transaction(fn, options) end

---Runs the files of a folder that have not run yet: `001_name.sql`.
---@param folder string of the files, beside the script unless its path is whole
function database:migrate(folder) end

---What is notified on a channel from now on: PostgreSQL's.
---@param channel string of NOTIFY
---@return moontrail.sql.listener listener
function database:listen(channel) end

---Begins `COPY … FROM STDIN`: PostgreSQL's.
---@param text string of the statement
---@return moontrail.sql.copy writer
function database:copy(text) end

---`for n in listener do`, or `listener()` for the next.
---@class moontrail.sql.listener
---@operator call: moontrail.sql.notification?
---@field close fun(self: moontrail.sql.listener) ends it, and the loop over it

---@class moontrail.sql.notification
---@field channel string
---@field payload string

---Rows under way into a table; kept once they are finished.
---@class moontrail.sql.copy
---@field write fun(self: moontrail.sql.copy, ...: string|number) in the format of the statement
---@field finish fun(self: moontrail.sql.copy): integer gives how many rows there were
---@field close fun(self: moontrail.sql.copy) ends it; unless it is finished, nothing is kept

---A transaction, until its function ends.
---@class moontrail.sql.transaction
local transaction = {}

---Runs one statement.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return moontrail.sql.result rows
function transaction:query(text, ...) end

---The first row, or nil.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return table<string, any>? row
function transaction:row(text, ...) end

---The first column of the first row, or nil.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return any value
function transaction:value(text, ...) end

---An iterator over the rows, which come as they are asked for.
---@param text string of the statement, with `$1`, `$2` for parameters
---@param ... any values of the parameters
---@return moontrail.sql.rows rows
function transaction:rows(text, ...) end

---A savepoint: what the function changes is undone if it raises, and the transaction goes on.
---@param fn fun(tx: moontrail.sql.transaction): ... it may be called again
---@return any ... what the function returns
function transaction:transaction(fn) end

---Begins `COPY … FROM STDIN`: PostgreSQL's.
---@param text string of the statement
---@return moontrail.sql.copy writer
function transaction:copy(text) end

---`for row in rows do`, or `rows()` for the next; nil after the last.
---@class moontrail.sql.rows
---@field columns string[] their names, in order
---@operator call: table<string, any>?
local rows = {}

---Reads no further, as the end of a loop does.
function rows:close() end

return moontrail
