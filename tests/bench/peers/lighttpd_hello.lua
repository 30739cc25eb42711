local r = lighty.r
r.resp_header["content-type"] = "text/plain; charset=utf-8"
r.resp_body.set("Hello world\n")
return 200
