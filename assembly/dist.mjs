// Empties dist/ and puts what is not compiled by tsc where the compiled code looks for it.
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
// The API's reference page is served from files of our own, so that no installation needs more than this package.
for (const file of [
  "swagger-ui-bundle.js",
  "swagger-ui-bundle.js.LICENSE.txt",
  "swagger-ui.css",
  "LICENSE",
  "NOTICE",
])
  cpSync(`${root}node_modules/swagger-ui-dist/${file}`, `${root}dist/api/platform/swagger-ui/${file}`);
for (const name of ["kernel.wasm", "kernel.shared.wasm"])
  cpSync(`${root}build/${name}`, `${root}dist/build/${name}`);
