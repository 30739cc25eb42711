"""Second servers that others have written: nginx, Node, gRPC for Python."""
import shutil
import subprocess
import time
import urllib.request
from concurrent import futures

from optional import need
from server import PATIENCE
from upstreams import free_port

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

NGINX_CONF = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        location = /protocol {{ return 200 "$server_protocol $http_host"; }}
        location = /none {{ return 204; }}
    }}
}}
"""

NODE = """
const http = require("http"), http2 = require("http2");
function answer(request, response) {
    if (request.url == "/protocol") {
        response.end(request.httpVersion);
    } else if (request.url == "/trailers") {
        response.setHeader("trailer", "x-sum");
        let size = 0;
        request.on("data", piece => size += piece.length);
        request.on("end", () => {
            response.write("body");
            response.addTrailers({ "x-sum": `${size} ${request.trailers["x-given"]}` });
            response.end();
        });
    } else if (request.url == "/echo") {
        request.pipe(response);
    }
}
const server = process.argv[1] == "2" ? http2.createServer(answer) : http.createServer(answer);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


class Process:
    """A server in a process of its own."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Nginx(Process):
    """Serves a folder."""

    def __init__(self, folder):
        need("nginx")
        self.port = free_port()
        conf = folder / "nginx.conf"
        conf.write_text(NGINX_CONF.format(folder=folder, port=self.port))
        super().__init__(NGINX, "-e", "stderr", "-c", str(conf))
        self._wait()

    def _wait(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/protocol").close()
                return
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None
                time.sleep(0.05)


class Node(Process):
    """Node's server of HTTP/1.1 or HTTP/2."""

    def __init__(self, version):
        need("node")
        super().__init__("node", "-e", NODE, version)
        self.port = int(self.process.stdout.readline())


def grpc_server(grpc):
    """A gRPC server whose messages are bytes: one method of each kind. Gives it and its port."""
    def unary(message, context):
        if message == b"fail":
            context.set_trailing_metadata((("x-why", "asked for"),))
            context.abort(grpc.StatusCode.NOT_FOUND, "as you like")
        context.send_initial_metadata((("x-first", "1"),))
        return message.upper()

    def chat(messages, _context):
        for message in messages:
            yield b"re: " + message

    def count(message, _context):
        for i in range(int(message)):
            yield b"%d" % i

    handlers = grpc.method_handlers_generic_handler("test.Service", {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Sum": grpc.stream_unary_rpc_method_handler(
            lambda messages, _: b"%d" % sum(map(len, messages))),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Wait": grpc.unary_unary_rpc_method_handler(
            lambda message, _: time.sleep(2) or message),
    })
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
