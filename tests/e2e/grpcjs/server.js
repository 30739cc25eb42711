// Serves test.Calls by @grpc/grpc-js: prints its port, and serves until its input ends.
// Usage: node server.js FOLDER_OF_PROTO, with NODE_PATH to the packages.
"use strict";

const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

const definition = protoLoader.loadSync("calls.proto", {
  includeDirs: [process.argv[2]],
  keepCase: true,
});
const Calls = grpc.loadPackageDefinition(definition).test.Calls;

function metadata(fields) {
  const made = new grpc.Metadata();
  for (const [name, value] of Object.entries(fields)) {
    made.set(name, value);
  }
  return made;
}

const tried = new Map();

const methods = {
  Echo(call, done) {
    call.sendMetadata(metadata({ "x-first": call.metadata.get("x-a")[0] ?? "none" }));
    const timed = String(call.getDeadline() !== Infinity);
    done(null, call.request, metadata({ "x-last": timed, "x-protocol": "grpc" }));
  },
  Fail(call, done) {
    const any = Buffer.from("0a09" + Buffer.from("test.Data").toString("hex") + "12080a0664657461696c", "hex");
    const status = Buffer.concat([
      Buffer.from([8, call.request.count, 0x1a, any.length]), any]);
    done({ code: call.request.count, details: call.request.text,
           metadata: metadata({ "x-last": "failed", "grpc-status-details-bin": status }) });
  },
  // Unavailable, but for every third time.
  Raise(call, done) {
    const count = (tried.get(call.request.text) ?? 0) + 1;
    tried.set(call.request.text, count);
    if (count % 3) {
      done({ code: grpc.status.UNAVAILABLE, details: "not yet" });
    } else {
      done(null, { count });
    }
  },
  Sleep() {},
  Count(call) {
    for (let i = 1; i <= call.request.count; i++) {
      call.write({ count: i, data: call.request.data });
    }
    call.end();
  },
  Sum(call, done) {
    let count = 0, text = "";
    call.on("data", (request) => { count++; text += request.text; });
    call.on("end", () => done(null, { count, text }));
  },
  Chat(call) {
    call.on("data", (request) => call.write(request));
    call.on("end", () => call.end());
  },
  FailLate(call) {
    call.once("data", (request) => {
      call.write(request);
      call.emit("error", { code: grpc.status.DATA_LOSS, details: "half of it is gone",
                           metadata: metadata({ "x-late": "yes" }) });
    });
  },
};

const server = new grpc.Server();
server.addService(Calls.service, methods);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) {
    throw error;
  }
  console.log(JSON.stringify({ h2c: port }));
});
process.stdin.on("end", () => process.exit(0)).resume();
