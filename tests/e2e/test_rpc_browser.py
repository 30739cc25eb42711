"""Chromium calls a service of another origin, by @connectrpc/connect-web and by fetch."""
import base64
import json
import subprocess

from optional import RPCJS, need
from rpc import PROTO, scripts
from server import write_scripts

need("chromium", "protoc", "rpc-js")

# Serves the page, and the modules that it imports, and keeps what the page has seen.
FILES = """
    local roots = { page = %s, modules = %s }
    return function(ctx)
        if ctx.method == "POST" then
            local file = assert(io.open(roots.page .. "/coming", "w"))
            file:write(ctx:body())
            file:close()
            return assert(os.rename(roots.page .. "/coming", roots.page .. "/seen"))
        end
        local root, path = ctx.path:match("^/(%%a+)/(.*)$")
        local file = root and io.open(roots[root] .. "/" .. path)
        if not file then return ctx:status(404) end
        ctx:header("content-type", path:find("%%.html$") and "text/html" or "text/javascript")
        ctx:write(file:read("a"))
        file:close()
    end"""

PAGE = """<!doctype html>
<script type=importmap>{"imports": {
  "@bufbuild/protobuf": "/modules/@bufbuild/protobuf/dist/esm/index.js",
  "@bufbuild/protobuf/wkt": "/modules/@bufbuild/protobuf/dist/esm/wkt/index.js",
  "@bufbuild/protobuf/codegenv2": "/modules/@bufbuild/protobuf/dist/esm/codegenv2/index.js",
  "@bufbuild/protobuf/reflect": "/modules/@bufbuild/protobuf/dist/esm/reflect/index.js",
  "@bufbuild/protobuf/wire": "/modules/@bufbuild/protobuf/dist/esm/wire/index.js",
  "@connectrpc/connect": "/modules/@connectrpc/connect/dist/esm/index.js",
  "@connectrpc/connect/protocol": "/modules/@connectrpc/connect/dist/esm/protocol/index.js",
  "@connectrpc/connect/protocol-connect":
    "/modules/@connectrpc/connect/dist/esm/protocol-connect/index.js",
  "@connectrpc/connect/protocol-grpc-web":
    "/modules/@connectrpc/connect/dist/esm/protocol-grpc-web/index.js",
  "@connectrpc/connect-web": "/modules/@connectrpc/connect-web/dist/esm/index.js"
}}</script>
<script type=module>
const seen = {};
async function note(name, run) {
  try {
    seen[name] = await run();
  } catch (error) {
    seen[name] = "error: " + (error.code ?? error.message);
  }
}
try {
  const { createFileRegistry, fromBinary } = await import("@bufbuild/protobuf");
  const { FileDescriptorSetSchema } = await import("@bufbuild/protobuf/wkt");
  const { createClient } = await import("@connectrpc/connect");
  const web = await import("@connectrpc/connect-web");
  const set = Uint8Array.from(atob("@SET@"), (c) => c.charCodeAt(0));
  const Rpc = createFileRegistry(fromBinary(FileDescriptorSetSchema, set)).getService("test.Rpc");
  for (const [where, baseUrl] of Object.entries(@URLS@)) {
    for (const protocol of ["Connect", "GrpcWeb"]) {
      for (const useBinaryFormat of [true, false]) {
        const make = web[`create${protocol}Transport`];
        const client = createClient(Rpc, make({ baseUrl, useBinaryFormat, useHttpGet: true }));
        const name = `${where} ${protocol} ${useBinaryFormat ? "proto" : "json"} `;
        await note(name + "unary", async () => {
          let head, late;
          const reply = await client.echo({ text: "m\\u00f6on" }, { headers: { "x-a": "1" },
            onHeader: (h) => { head = h; }, onTrailer: (t) => { late = t; } });
          return [reply.text, head.get("x-a"), late.get("late-x-a")].join(" ");
        });
        await note(name + "get", async () => (await client.look({ text: "moon" })).text);
        await note(name + "stream", async () => {
          const texts = [];
          for await (const reply of client.count({ text: "x", count: 3 })) {
            texts.push(reply.text + reply.count);
          }
          return texts.join(" ");
        });
        await note(name + "fails", () => client.fail({ text: "no", count: 5 }));
      }
    }
    await note(where + " fetch", async () => {
      const response = await fetch(baseUrl + "/test.Rpc/Missing", { method: "POST",
        headers: { "content-type": "application/json", "x-own": "1" }, body: "{}" });
      return response.status + " " + (await response.json()).code;
    });
  }
} catch (error) {
  seen.problem = error.stack;
}
await fetch("/page/seen", { method: "POST", body: JSON.stringify(seen) });
</script>"""


def quote(path):
    return f"[==[{path}]==]"


def view(server, page, profile, seen):
    """What a page has seen, as soon as it has told that to its server."""
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
         f"--user-data-dir={profile}", "--remote-debugging-port=0", server.http + page],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        server.wait_until(seen.exists)
        return json.loads(seen.read_text())
    finally:
        browser.kill()
        browser.wait()


def test_a_page_of_another_origin(start, tmp_path):
    folder = write_scripts(tmp_path / "page", {"rpc.proto": PROTO})
    subprocess.run(["protoc", f"-I{folder}", f"--descriptor_set_out={folder}/set", "rpc.proto"],
                   check=True)
    served = write_scripts(tmp_path / "files", {"files.lua": FILES % (quote(folder), quote(RPCJS))})
    files = start(served / "files.lua")
    let_in = start(write_scripts(tmp_path / "in", scripts(f'{{ origins = {{ "{files.http}" }} }}')))
    others = start(write_scripts(tmp_path / "out", scripts()))
    urls = {"in": let_in.http, "out": others.http}
    page = PAGE.replace("@URLS@", json.dumps(urls)).replace(
        "@SET@", base64.b64encode((folder / "set").read_bytes()).decode())
    (folder / "page.html").write_text(page)
    seen = view(files, "/page/page.html", tmp_path / "profile", folder / "seen")
    assert "problem" not in seen, seen
    for protocol in "Connect", "GrpcWeb":
        for codec in "proto", "json":
            name = f"{protocol} {codec} "
            assert seen[f"in {name}unary"] == "m\u00f6on 1 1"
            assert seen[f"in {name}get"] == "moon"
            assert seen[f"in {name}stream"] == "x1 x2 x3"
            assert seen[f"in {name}fails"] == "error: 5"
            for what in "unary", "get", "stream", "fails":
                assert seen[f"out {name}{what}"] in ("error: 2", "error: 14")
    assert seen["in fetch"] == "501 unimplemented"
    assert seen["out fetch"].startswith("error: ")
