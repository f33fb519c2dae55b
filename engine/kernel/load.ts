import { readFileSync } from "node:fs";

/**
 * The compiled kernel, or null where its file is missing or WebAssembly with SIMD is not available; the TypeScript twin
 * then serves. Bundles for the browser replace this file by `load-browser.ts`.
 */
export const kernelModule: WebAssembly.Module | null = compile();

function compile(): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(readFileSync(new URL("../../build/kernel.wasm", import.meta.url)));
  } catch {
    return null;
  }
}
