// The benchmark's gRPC service by @grpc/grpc-js.
// Usage: node greeter.js ADDRESS CERT KEY PROTO, with NODE_PATH to the packages
"use strict";

const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const protoLoader = require("@grpc/proto-loader");

const [address, cert, key, proto] = process.argv.slice(2);
const { bench } = grpc.loadPackageDefinition(protoLoader.loadSync(proto));
const credentials = grpc.ServerCredentials.createSsl(null, [
  { cert_chain: fs.readFileSync(cert), private_key: fs.readFileSync(key) },
]);

const server = new grpc.Server();
server.addService(bench.Greeter.service, {
  sayHello: (call, reply) => reply(null, { message: `Hello ${call.request.name}` }),
});
server.bindAsync(address, credentials, (error) => {
  if (error) {
    throw error;
  }
});
