// The benchmark's routes on Node's http2. Usage: node httpd.js PORT CERT KEY
"use strict";

const fs = require("fs");
const http2 = require("http2");

const [port, cert, key] = process.argv.slice(2);
const PLAIN = { "content-type": "text/plain; charset=utf-8" };
const NAMES = ["user-agent", "accept", "accept-language", "x-request-id", "cookie"];
const mebibyte = Buffer.alloc(1 << 20);
const items = [];
for (let id = 1001; id <= 1038; id += 1) {
  items.push({ id, name: `item number ${id}`, price: 1999, available: true,
    tags: ["red", "large"] });
}

// The client of Redis that the server on this port is called by, where npm could fetch it.
const redis = process.env.REDIS_PORT
  && new (require("ioredis"))(Number(process.env.REDIS_PORT), "127.0.0.1");

// And that of PostgreSQL: a pool of as many as a worker of ours has.
const postgres = process.env.POSTGRES_PORT && new (require("pg").Pool)({
  host: "127.0.0.1", port: Number(process.env.POSTGRES_PORT), user: "bench", database: "postgres", max: 10,
});
const select = { name: "greeting", text: "select greeting from greetings where id = $1", values: [7] };

const routes = {
  "/hello": (request, response) => {
    response.writeHead(200, PLAIN);
    response.end("Hello world\n");
  },
  "/trailer": (request, response) => {
    response.writeHead(200, { ...PLAIN, trailer: "trailername" });
    response.addTrailers({ trailername: "trailervalue" });
    response.end("Hello world\n");
  },
  "/fields": (request, response) => {
    const values = NAMES.map((name) => request.headers[name]);
    const query = request.url.slice(request.url.indexOf("?") + 1);
    response.writeHead(200, PLAIN);
    response.end(`${values.join(",")},${query}\n`);
  },
  "/json": (request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ items }));
  },
  "/echo": (request, response) => {
    request.pipe(response);
  },
  "/redis": async (request, response) => {
    let text;
    if (request.url.endsWith("pipeline")) {
      const pipeline = redis.pipeline();
      for (let i = 0; i < 20; i += 1) pipeline.get("key");
      [, text] = (await pipeline.exec())[19];
    } else {
      text = await redis.get("key");
    }
    response.writeHead(200, PLAIN);
    response.end(text);
  },
  "/sql": async (request, response) => {
    const { rows } = await postgres.query(select);
    response.writeHead(200, PLAIN);
    response.end(rows[0].greeting);
  },
  "/download": (request, response) => {
    response.end(mebibyte);
  },
};

http2.createSecureServer({
  cert: fs.readFileSync(cert), key: fs.readFileSync(key), allowHTTP1: true,
}, (request, response) => {
  routes[request.url.split("?")[0]](request, response);
}).listen(Number(port), "127.0.0.1");
