import { assert } from "../model/errors.ts";

const PAGE = 65536;
/** The module keeps its own data below this address. */
const BASE = 16384;

/**
 * The linear memory of one table: blocks are handed out upwards and never freed. Views are made anew from
 * `memory.buffer` at each use, because growing detaches the old buffer.
 */
export class KernelMemory {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 1, maximum: PAGE });
  #top: number = BASE;

  /** Address of a new zeroed block of `bytes`, 16-byte aligned. */
  allocate(bytes: number): number {
    const at = this.#top;
    this.#top = at + ((bytes + 15) & ~15);
    const missing = this.#top - this.memory.buffer.byteLength;
    if (missing > 0)
      this.memory.grow(Math.max(Math.ceil(missing / PAGE), this.memory.buffer.byteLength / PAGE / 4));
    assert(this.#top <= this.memory.buffer.byteLength, "kernel memory grew as far as asked");
    return at;
  }

  u8(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }

  u32(at: number, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at, length);
  }

  i32(at: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, at, length);
  }

  f32(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }

  f64(at: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, at, length);
  }
}
