/**
 * The few parts of the WebAssembly API the kernel uses. The engine compiles without the DOM library, so that `window`
 * and `fetch` stay unknown to it.
 */
declare namespace WebAssembly {
  var Module: { new (bytes: Uint8Array<ArrayBuffer>): Module };
  var Memory: { new (limits: { initial: number; maximum: number; shared?: boolean }): Memory };
  var Instance: { new (module: Module, imports: Record<string, Record<string, unknown>>): Instance };
  interface Module {
    readonly [Symbol.toStringTag]?: string;
  }
  interface Memory {
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    grow(pages: number): number;
  }
  interface Instance {
    readonly exports: Record<string, unknown>;
  }
  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
}
