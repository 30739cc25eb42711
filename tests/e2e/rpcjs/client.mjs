// Calls test.Rpc by clients of others' making: prints, as JSON, "ok" or what went wrong by case.
// Usage: node client.mjs MODULES DESCRIPTOR_SET HTTP_URL HTTPS_URL ROOT.pem
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, descriptors, plain, secure, rootFile] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
const load = (name) => import(pathToFileURL(require.resolve(name)));

const { createFileRegistry, fromBinary, toBinary, create } = await load("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = await load("@bufbuild/protobuf/wkt");
const { Code, ConnectError, createClient } = await load("@connectrpc/connect");
const node = await load("@connectrpc/connect-node");
const web = await load("@connectrpc/connect-web");

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const Rpc = registry.getService("test.Rpc");
const Data = registry.getMessage("test.Data");
const nodeOptions = { ca: readFileSync(rootFile), checkServerIdentity: () => undefined };

// By name: a transport, and whether both sides may stream at once.
function transports() {
  const list = [];
  const add = (name, transport, duplex, get = false) => list.push({ name, transport, duplex, get });
  for (const [where, baseUrl] of [["plain", plain], ["tls", secure]]) {
    for (const httpVersion of ["1.1", "2"]) {
      for (const useBinaryFormat of [true, false]) {
        const options = { baseUrl, httpVersion, useBinaryFormat, nodeOptions, acceptCompression: [] };
        const named = `${where} ${httpVersion} ${useBinaryFormat ? "proto" : "json"}`;
        const duplex = httpVersion === "2";
        add(`connect ${named}`, node.createConnectTransport(options), duplex);
        add(`connect get ${named}`,
          node.createConnectTransport({ ...options, useHttpGet: true }), duplex, true);
        add(`connect gzip ${named}`, node.createConnectTransport({ ...options,
          acceptCompression: undefined, sendCompression: node.compressionGzip,
          compressMinBytes: 0 }), duplex);
        add(`grpc-web ${named}`, node.createGrpcWebTransport(options), duplex);
        if (httpVersion === "2") {
          add(`grpc ${named}`, node.createGrpcTransport(options), true);
        }
      }
    }
  }
  for (const useBinaryFormat of [true, false]) {
    const options = { baseUrl: plain, useBinaryFormat };
    const codec = useBinaryFormat ? "proto" : "json";
    add(`web connect ${codec}`, web.createConnectTransport(options), null);
    add(`web grpc-web ${codec}`, web.createGrpcWebTransport(options), null);
  }
  return list;
}

async function collect(stream) {
  const all = [];
  for await (const one of stream) {
    all.push(one);
  }
  return all;
}

async function* requests(texts) {
  for (const text of texts) {
    yield { text };
  }
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("it did not fail");
}

const cases = {
  async unary({ client }) {
    let head, late;
    const options = { headers: { "x-a": "1" }, onHeader: (h) => { head = h; },
      onTrailer: (t) => { late = t; } };
    assert.strictEqual((await client.echo({ text: "moon", count: 7 }, options)).text, "moon");
    assert.strictEqual(head.get("x-a"), "1");
    assert.strictEqual(late.get("late-x-a"), "1");
  },

  async large_unary({ client }) {
    const text = "m\u00f6".repeat(100000);
    assert.strictEqual((await client.echo({ text })).text, text);
  },

  async no_side_effects({ client }) {
    assert.strictEqual((await client.look({ text: "m\u00f6on", data: new Uint8Array([255]) })).text,
      "m\u00f6on");
  },

  async tells({ client, name }) {
    const { names } = await client.tell({});
    assert.strictEqual(names[0], name.replace(/^web /, "").split(" ")[0]);
    assert.strictEqual(names[1], name.endsWith("json") ? "json" : "proto");
    assert.strictEqual(names[2], "test.Rpc/Tell");
  },

  async server_streaming({ client }) {
    const replies = await collect(client.count({ text: "x", count: 3 }));
    assert.deepStrictEqual(replies.map((reply) => reply.count), [1, 2, 3]);
  },

  async client_streaming({ client, duplex }) {
    if (duplex !== null) {
      assert.strictEqual((await client.sum(requests("abc"))).text, "abc");
    }
  },

  async bidirectional_streaming({ client, duplex }) {
    if (duplex !== null) {
      const replies = await collect(client.chat(requests("abc")));
      assert.deepStrictEqual(replies.map((reply) => reply.text), ["a", "b", "c"]);
    }
  },

  async ping_pong({ client, duplex }) {
    if (!duplex) {
      return;
    }
    let answered;
    async function* oneByOne() {
      for (const text of "abc") {
        const wait = new Promise((resolve) => { answered = resolve; });
        yield { text };
        await wait;
      }
    }
    const texts = [];
    for await (const reply of client.chat(oneByOne())) {
      texts.push(reply.text);
      answered();
    }
    assert.deepStrictEqual(texts, ["a", "b", "c"]);
  },

  async fails({ client }) {
    const error = await failure(client.fail({ text: "n\u00f6 100%\n", count: 5,
      data: new Uint8Array([1]) }, { headers: { "x-a": "1" } }));
    assert.strictEqual(error.code, Code.NotFound);
    assert.strictEqual(error.rawMessage, "n\u00f6 100%\n");
    assert.strictEqual(error.findDetails(Data)[0].text, "more");
    assert.strictEqual(error.metadata.get("late-x-a"), "1");
  },

  async fails_late({ client, duplex }) {
    if (duplex === null) {
      return;
    }
    const texts = [];
    const error = await failure((async () => {
      for await (const reply of client.failLate(requests("a"))) {
        texts.push(reply.text);
      }
    })());
    assert.deepStrictEqual([texts, error.code, error.metadata.get("x-late")],
      [["a"], Code.DataLoss, "yes"]);
  },

  async unimplemented({ client }) {
    assert.strictEqual((await failure(client.missing({}))).code, Code.Unimplemented);
  },

  async deadline({ client }) {
    const error = await failure(client.sleep({ count: 60 }, { timeoutMs: 100 }));
    assert.strictEqual(error.code, Code.DeadlineExceeded);
  },

  async cancel({ client }) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const error = await failure(client.sleep({ count: 60 }, { signal: controller.signal }));
    assert.strictEqual(error.code, Code.Canceled);
  },
};

// The client that Google makes for browsers, on an XMLHttpRequest that is made for Node.
global.XMLHttpRequest = require("xhr2");
const grpcWeb = require("grpc-web");

function googles(method, type) {
  return new grpcWeb.MethodDescriptor(`/test.Rpc/${method}`, type, Object, Object,
    (request) => toBinary(Data, create(Data, request)), (bytes) => fromBinary(Data, bytes));
}

function googlesStream(client, method, request, metadata = {}) {
  return new Promise((resolve) => {
    const result = { replies: [] };
    const stream = client.serverStreaming(`${plain}/test.Rpc/${method}`, request, metadata,
      googles(method, "server_streaming"));
    stream.on("data", (reply) => result.replies.push(reply));
    stream.on("error", (error) => resolve({ ...result, error }));
    stream.on("status", (status) => { result.status = status; });
    stream.on("end", () => resolve(result));
  });
}

const googlesCases = {
  async unary({ client }) {
    const reply = await client.unaryCall(`${plain}/test.Rpc/Echo`, { text: "moon" }, {},
      googles("Echo", "unary"));
    assert.strictEqual(reply.text, "moon");
  },

  async server_streaming({ client }) {
    const { replies } = await googlesStream(client, "Count", { text: "x", count: 3 });
    assert.deepStrictEqual(replies.map((reply) => reply.count), [1, 2, 3]);
  },

  async fails({ client }) {
    const error = await client.unaryCall(`${plain}/test.Rpc/Fail`,
      { text: "n\u00f6", count: 5 }, { "x-a": "1" }, googles("Fail", "unary")).catch((e) => e);
    assert.strictEqual(error.code, 5);
    assert.strictEqual(error.message, "n\u00f6");
  },
};

async function attempt(results, name, run) {
  try {
    await run();
    results[name] = "ok";
  } catch (error) {
    results[name] = error.stack;
  }
}

const results = {};
for (const one of transports()) {
  one.client = createClient(Rpc, one.transport);
  for (const [name, run] of Object.entries(cases)) {
    await attempt(results, `${one.name}: ${name}`, () => run(one));
  }
}
for (const format of ["text", "binary"]) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  for (const [name, run] of Object.entries(googlesCases)) {
    await attempt(results, `googles ${format}: ${name}`, () => run({ client }));
  }
}
console.log(JSON.stringify(results));
process.exit(0);
