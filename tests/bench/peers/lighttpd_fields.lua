local r = lighty.r
local h = r.req_header
r.resp_header["content-type"] = "text/plain; charset=utf-8"
r.resp_body.set({ h["user-agent"], ",", h["accept"], ",", h["accept-language"], ",",
                  h["x-request-id"], ",", h["cookie"], ",", r.req_attr["uri.query"], "\n" })
return 200
