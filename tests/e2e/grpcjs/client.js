// gRPC's interoperability tests by @grpc/grpc-js: prints, as JSON, "ok" or what went wrong by case.
// Usage: node client.js FOLDER_OF_PROTOS HOST:PORT [ROOT.pem], with NODE_PATH to the packages.
"use strict";

const assert = require("assert");
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

const [folder, address, root] = process.argv.slice(2);
const { testing } = grpc.loadPackageDefinition(
  protoLoader.loadSync("grpc/testing/test.proto", { includeDirs: [folder], keepCase: true })
).grpc;

const SIZES = [31415, 9, 2653, 58979];
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n";

function connect(service, options = {}) {
  const credentials = root
    ? grpc.credentials.createSsl(fs.readFileSync(root))
    : grpc.credentials.createInsecure();
  return new service(address, credentials,
    { "grpc.ssl_target_name_override": "localhost", ...options });
}

const client = connect(testing.TestService);

function payload(size) {
  return { body: Buffer.alloc(size) };
}

// Makes a unary call: its reply, its error, and the metadata of both ends.
function unary(from, method, request, metadata = new grpc.Metadata(), options = {}) {
  return new Promise((resolve) => {
    const result = {};
    const call = from[method](request, metadata, options, (error, reply) => {
      Object.assign(result, { error, reply });
    });
    call.on("metadata", (initial) => { result.initial = initial; });
    call.on("status", (status) => {
      result.status = status;
      setImmediate(() => resolve(result));
    });
  });
}

// The replies of a call, and the status that ends it.
function collect(call, onReply = () => {}) {
  return new Promise((resolve) => {
    const replies = [];
    call.on("data", (reply) => {
      replies.push(reply);
      onReply(reply, replies.length);
    });
    call.on("error", () => {}); // the status tells
    call.on("status", (status) => setImmediate(() => resolve({ replies, status })));
  });
}

function sizesOf(replies) {
  return replies.map((reply) => reply.payload.body.length);
}

function output(size, interval = 0) {
  return { response_parameters: [{ size, interval_us: interval }] };
}

function echoMetadata() {
  const metadata = new grpc.Metadata();
  metadata.set("x-grpc-test-echo-initial", "test_initial_metadata_value");
  metadata.set("x-grpc-test-echo-trailing-bin", Buffer.from("ababab", "hex"));
  return metadata;
}

function assertEchoed(initial, status) {
  assert.deepStrictEqual(initial.get("x-grpc-test-echo-initial"),
    ["test_initial_metadata_value"]);
  assert.deepStrictEqual(status.metadata.get("x-grpc-test-echo-trailing-bin"),
    [Buffer.from("ababab", "hex")]);
}

async function assertStatus(code, message) {
  const request = { response_status: { code, message } };
  const { status } = await unary(client, "UnaryCall", request);
  assert.deepStrictEqual([status.code, status.details], [code, message]);
}

const cases = {
  async empty_unary() {
    const { reply } = await unary(client, "EmptyCall", {});
    assert.deepStrictEqual({ ...reply }, {});
  },

  async large_unary() {
    const request = { response_size: 314159, payload: payload(271828) };
    const { reply } = await unary(client, "UnaryCall", request);
    assert.strictEqual(reply.payload.body.length, 314159);
  },

  async client_streaming() {
    const reply = await new Promise((resolve, reject) => {
      const call = client.StreamingInputCall((error, it) => (error ? reject(error) : resolve(it)));
      REQUEST_SIZES.forEach((size) => call.write({ payload: payload(size) }));
      call.end();
    });
    assert.strictEqual(reply.aggregated_payload_size, 74922);
  },

  async server_streaming() {
    const request = { response_parameters: SIZES.map((size) => ({ size })) };
    const { replies, status } = await collect(client.StreamingOutputCall(request));
    assert.deepStrictEqual(sizesOf(replies), SIZES);
    assert.strictEqual(status.code, grpc.status.OK);
  },

  async ping_pong() {
    const call = client.FullDuplexCall();
    call.write(output(SIZES[0]));
    const { replies } = await collect(call, (reply, count) => {
      if (count < SIZES.length) {
        call.write(output(SIZES[count]));
      } else {
        call.end();
      }
    });
    assert.deepStrictEqual(sizesOf(replies), SIZES);
  },

  async half_duplex() {
    const call = client.HalfDuplexCall();
    SIZES.forEach((size) => call.write(output(size)));
    call.end();
    assert.deepStrictEqual(sizesOf((await collect(call)).replies), SIZES);
  },

  async empty_stream() {
    const call = client.FullDuplexCall();
    call.end();
    const { replies, status } = await collect(call);
    assert.deepStrictEqual([replies, status.code], [[], grpc.status.OK]);
  },

  async custom_metadata() {
    const { initial, status } = await unary(client, "UnaryCall",
      { response_size: 1 }, echoMetadata());
    assertEchoed(initial, status);
    const call = client.FullDuplexCall(echoMetadata());
    const began = new Promise((resolve) => call.on("metadata", resolve));
    call.write(output(1));
    call.end();
    const ended = await collect(call);
    assertEchoed(await began, ended.status);
  },

  async status_code_and_message() {
    await assertStatus(grpc.status.UNKNOWN, "test status message");
    const call = client.FullDuplexCall();
    call.end({ response_status: { code: 2, message: "test status message" } });
    const { status } = await collect(call);
    assert.deepStrictEqual([status.code, status.details], [2, "test status message"]);
  },

  special_status_message: () => assertStatus(grpc.status.UNKNOWN, SPECIAL),

  async unimplemented_method() {
    const { status } = await unary(client, "UnimplementedCall", {});
    assert.strictEqual(status.code, grpc.status.UNIMPLEMENTED);
  },

  async unimplemented_service() {
    const other = connect(testing.UnimplementedService);
    const { status } = await unary(other, "UnimplementedCall", {});
    other.close();
    assert.strictEqual(status.code, grpc.status.UNIMPLEMENTED);
  },

  async timeout_on_sleeping_server() {
    const call = client.FullDuplexCall({ deadline: Date.now() + 50 });
    call.write(output(31415, 10_000_000));
    const { status } = await collect(call);
    assert.strictEqual(status.code, grpc.status.DEADLINE_EXCEEDED);
  },

  async cancel_after_begin() {
    const status = await new Promise((resolve) => {
      const call = client.StreamingInputCall(() => {});
      call.on("status", resolve);
      setImmediate(() => call.cancel()); // at once, it would be forgotten before it has begun
    });
    assert.strictEqual(status.code, grpc.status.CANCELLED);
  },

  async cancel_after_first_response() {
    const call = client.FullDuplexCall();
    call.write(output(31415));
    const { replies, status } = await collect(call, () => call.cancel());
    assert.deepStrictEqual([replies.length, status.code], [1, grpc.status.CANCELLED]);
  },

  async client_compressed_unary() {
    const packing = connect(testing.TestService, { "grpc.default_compression_algorithm": 2 });
    const request = { expect_compressed: { value: true }, payload: payload(271828) };
    const refused = await unary(client, "UnaryCall", request);
    assert.strictEqual(refused.status.code, grpc.status.INVALID_ARGUMENT);
    const { status } = await unary(packing, "UnaryCall", request);
    packing.close();
    assert.strictEqual(status.code, grpc.status.OK);
  },

  async server_compressed_streaming() {
    const request = { response_parameters: [
      { size: 31415, compressed: { value: true } },
      { size: 92653, compressed: { value: false } },
    ] };
    const { replies } = await collect(client.StreamingOutputCall(request));
    assert.deepStrictEqual(sizesOf(replies), [31415, 92653]);
  },

  async request_over_the_limit() {
    const { status } = await unary(client, "UnaryCall", { payload: payload(4 << 20) });
    assert.strictEqual(status.code, grpc.status.RESOURCE_EXHAUSTED);
  },

  async many_streams_at_once() {
    await Promise.all([...Array(100).keys()].map(async (number) => {
      const call = client.FullDuplexCall();
      for (let i = 0; i < 10; i += 1) {
        call.write(output(number * 10 + i + 1));
      }
      call.end();
      const wanted = [...Array(10).keys()].map((i) => number * 10 + i + 1);
      assert.deepStrictEqual(sizesOf((await collect(call)).replies), wanted);
    }));
  },

  async slow_reader() {
    const request = { response_parameters: Array(100).fill({ size: 60000 }) };
    const call = client.StreamingOutputCall(request);
    const ended = collect(call, (reply, count) => {
      if (count === 1) {
        call.pause();
        setTimeout(() => call.resume(), 300);
      }
    });
    assert.strictEqual((await ended).replies.length, 100);
  },
};

async function run() {
  const results = {};
  for (const [name, test] of Object.entries(cases)) {
    try {
      await test();
      results[name] = "ok";
    } catch (error) {
      results[name] = error.stack;
    }
  }
  client.close();
  console.log(JSON.stringify(results));
}

run();
