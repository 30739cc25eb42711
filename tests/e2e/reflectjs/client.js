// Asks a server at HOST:PORT for all of its services, with each client, and prints what it has found as
// JSON: { client: { service: [methods] } }. What a client cannot resolve is its error in place of a list.
"use strict";

const grpc = require("@grpc/grpc-js");
const { Client } = require("grpc-reflection-js");
const { GrpcReflection } = require("grpc-js-reflection-client");

const address = process.argv[2];
const credentials = grpc.credentials.createInsecure();

// From names to what becomes of each.
async function ask(names, methodsOf) {
  const found = {};
  for (const name of names) {
    found[name] = await methodsOf(name).catch((error) => `error: ${error.message}`);
  }
  return found;
}

async function byProtobufJs() {
  const client = new Client(address, credentials);
  return ask(await client.listServices(), async (name) => {
    const root = await client.fileContainingSymbol(name);
    root.resolveAll();
    return root.lookupService(name).methodsArray.map((method) => method.resolve().name);
  });
}

async function byDescriptors(version) {
  const client = new GrpcReflection(address, credentials, undefined, version);
  return ask(await client.listServices(), async (name) => {
    const descriptor = await client.getDescriptorBySymbol(name);
    descriptor.getPackageObject({ keepCase: true });
    return (await client.listMethods(name)).map((method) => method.name);
  });
}

async function main() {
  console.log(JSON.stringify({
    "grpc-reflection-js": await byProtobufJs(),
    "v1": await byDescriptors("v1"),
    "v1alpha": await byDescriptors("v1alpha"),
  }));
  process.exit(0); // the clients keep their connections
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
