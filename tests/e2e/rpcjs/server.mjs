// Serves test.Calls by @connectrpc/connect-node, in all of its protocols: prints the ports of HTTP/1.1,
// of HTTP/2 by prior knowledge, and of TLS with both, as JSON, and serves until its input ends.
// Usage: node server.mjs MODULES DESCRIPTOR_SET CERT.pem KEY.pem
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, descriptors, cert, key] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
const load = (name) => import(pathToFileURL(require.resolve(name)));

const { createFileRegistry, fromBinary, create } = await load("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = await load("@bufbuild/protobuf/wkt");
const { Code, ConnectError } = await load("@connectrpc/connect");
const { connectNodeAdapter, compressionGzip } = await load("@connectrpc/connect-node");

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const Calls = registry.getService("test.Calls");
const Data = registry.getMessage("test.Data");

const tried = new Map();

const methods = {
  echo(request, context) {
    context.responseHeader.set("x-first", context.requestHeader.get("x-a") ?? "none");
    context.responseTrailer.set("x-last", String(context.timeoutMs() !== undefined));
    context.responseTrailer.set("x-protocol", context.protocolName);
    return request;
  },
  fail(request, context) {
    context.responseTrailer.set("x-last", "failed");
    throw new ConnectError(request.text, request.count, { "x-error": "yes" },
      [{ desc: Data, value: create(Data, { text: "detail" }) }]);
  },
  // Unavailable, but for every third time.
  raise(request) {
    if (request.text === "once") {
      throw new ConnectError("not yet", Code.Unavailable);
    }
    const count = (tried.get(request.text) ?? 0) + 1;
    tried.set(request.text, count);
    if (count % 3) {
      throw new ConnectError("not yet", Code.Unavailable);
    }
    return { count };
  },
  async sleep(request, context) {
    await new Promise((resolve, reject) => {
      context.signal.addEventListener("abort", () => reject(context.signal.reason));
    });
  },
  async *count(request) {
    for (let i = 1; i <= request.count; i++) {
      yield { count: i, data: request.data };
    }
  },
  async sum(requests) {
    let count = 0, text = "";
    for await (const request of requests) {
      count++;
      text += request.text;
    }
    return { count, text };
  },
  async *chat(requests) {
    yield* requests;
  },
  async *failLate(requests, context) {
    for await (const request of requests) {
      yield request;
      break;
    }
    context.responseTrailer.set("x-late", "yes");
    throw new ConnectError("half of it is gone", Code.DataLoss);
  },
};

const handler = connectNodeAdapter({
  routes: (router) => router.service(Calls, methods),
  acceptCompression: [compressionGzip],
  compressMinBytes: 1000,
});

const servers = {
  http: http.createServer(handler),
  h2c: http2.createServer(handler),
  https: http2.createSecureServer(
    { cert: readFileSync(cert), key: readFileSync(key), allowHTTP1: true }, handler),
};
servers.http.keepAliveTimeout = 0; // a call may meet no connection that is about to be closed
const ports = {};
for (const [name, server] of Object.entries(servers)) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  ports[name] = server.address().port;
}
console.log(JSON.stringify(ports));
process.stdin.on("end", () => process.exit(0)).resume();
