import { readFileSync } from "node:fs";

/**
 * The compiled kernel, or null where its file is missing or WebAssembly with SIMD is not available; the TypeScript twin
 * then serves. Bundles for the browser replace this file by `load-browser.ts`.
 */
export const kernelModule: WebAssembly.Module | null = compile("kernel.wasm");

/** The build for a memory that threads share, or null as above. */
export const sharedKernelModule = (): WebAssembly.Module | null => compile("kernel.shared.wasm");

function compile(name: string): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(readFileSync(new URL(`../../build/${name}`, import.meta.url)));
  } catch {
    return null;
  }
}
