import bytes from "../../build/kernel.wasm";

/** The compiled kernel from bytes inside the bundle, or null where WebAssembly with SIMD is not available. */
export const kernelModule: WebAssembly.Module | null = await WebAssembly.compile(bytes).catch(() => null);

/** Threads are for hosts that can wait for them; see adapters/kernel-pool. */
export const sharedKernelModule = (): WebAssembly.Module | null => null;
