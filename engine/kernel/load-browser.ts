import bytes from "../../build/kernel.wasm";

/** The compiled kernel from bytes inside the bundle, or null where WebAssembly with SIMD is not available. */
export const kernelModule: WebAssembly.Module | null = await WebAssembly.compile(bytes).catch(() => null);
