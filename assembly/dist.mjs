// Empties dist/ and puts the compiled kernel where the compiled loader looks for it.
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
cpSync(`${root}build/kernel.wasm`, `${root}dist/build/kernel.wasm`);
