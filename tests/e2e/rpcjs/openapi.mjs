// Holds an OpenAPI document against the schema of its version: prints, as JSON, the version and what
// is wrong with it.
// Usage: node openapi.mjs MODULES <DOCUMENT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = join(process.argv[2], "@seriousme/openapi-schema-validator");
const { main } = JSON.parse(readFileSync(join(folder, "package.json")));
const { Validator } = await import(pathToFileURL(join(folder, main)));

const validator = new Validator();
const result = await validator.validate(JSON.parse(readFileSync(0)));
console.log(JSON.stringify({ version: validator.version, errors: result.valid ? [] : result.errors }));
