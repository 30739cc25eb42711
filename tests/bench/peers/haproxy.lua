core.register_service("hello", "http", function(applet)
    local text = "Hello world\n"
    applet:set_status(200)
    applet:add_header("content-type", "text/plain; charset=utf-8")
    applet:add_header("content-length", #text)
    applet:start_response()
    applet:send(text)
end)
