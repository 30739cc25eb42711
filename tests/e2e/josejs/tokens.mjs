// Makes keys, signs tokens, and verifies those of others, by jose. Takes a list of jobs from standard
// input: { generate: alg } gives a pair in each form, { sign: claims, alg, key: JWK } a token,
// { verify: token, alg, key: JWK, ... } header and claims.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.NODE_PATH, 'x.js'));
const jose = require('jose');

async function generate(alg, crv) {
  const { privateKey, publicKey } = await jose.generateKeyPair(alg, { crv, extractable: true });
  return {
    private: await jose.exportJWK(privateKey),
    public: await jose.exportJWK(publicKey),
    pkcs8: await jose.exportPKCS8(privateKey),
    spki: await jose.exportSPKI(publicKey),
  };
}

async function run(job) {
  if (job.generate) {
    return generate(job.generate, job.crv);
  }
  const key = await jose.importJWK(job.key, job.alg);
  if (job.sign) {
    const header = { alg: job.alg, kid: 'some key' };
    return new jose.SignJWT(job.sign).setProtectedHeader(header).sign(key);
  }
  const { payload, protectedHeader } = await jose.jwtVerify(job.verify, key, {
    algorithms: [job.alg], audience: job.audience, issuer: job.issuer,
  });
  return { payload, header: protectedHeader };
}

let text = '';
for await (const piece of process.stdin) {
  text += piece;
}
const results = [];
for (const job of JSON.parse(text)) {
  results.push(await run(job).catch((problem) => ({ problem: problem.code ?? String(problem) })));
}
console.log(JSON.stringify(results));
