import { assert } from "../model/errors.ts";

const PAGE = 65536;
/** The module keeps its own data below this address. */
const BASE = 16384;
const ALIGNMENT = 64;

/** A piece of kernel memory. `at` changes when the piece is resized; nobody else may write it. */
export interface Block {
  at: number;
  bytes: number;
}

/**
 * The linear memory of one table. Blocks are aligned to cache lines and zeroed; freed space is used again. Growing
 * detaches all views of the old buffer, so they are made anew there, and only there: the kernel itself never grows, and
 * asking the memory for its buffer at each use costs as much as a small query.
 */
export class KernelMemory {
  readonly memory: WebAssembly.Memory;
  /** Whole memory as bytes. Like the other views valid until the next `allocate`. */
  u8: Uint8Array;
  /** Whole memory as half-words; an index is an address divided by 2. The others likewise. */
  u16: Uint16Array;
  i16: Int16Array;
  u32: Uint32Array;
  i32: Int32Array;
  f64: Float64Array;
  #top: number = BASE;
  #free: Block[] = [];

  constructor(memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 1, maximum: PAGE })) {
    this.memory = memory;
    const { buffer } = memory;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  /** Bytes handed out or free below the highest block. */
  get top(): number {
    return this.#top;
  }

  /** Bytes in use. */
  get used(): number {
    return this.#free.reduce((used, { bytes }) => used - bytes, this.#top - BASE);
  }

  /** A new zeroed block. */
  allocate(wanted: number): Block {
    const bytes = Math.max(ALIGNMENT, Math.ceil(wanted / ALIGNMENT) * ALIGNMENT);
    const index = this.#free.findIndex((hole) => hole.bytes >= bytes);
    const hole = this.#free[index];
    if (hole !== undefined) {
      const block = { at: hole.at, bytes };
      hole.at += bytes;
      hole.bytes -= bytes;
      if (hole.bytes === 0) this.#free.splice(index, 1);
      this.u8.fill(0, block.at, block.at + bytes);
      return block;
    }
    const block = { at: this.#top, bytes };
    this.#top += bytes;
    const missing = this.#top - this.memory.buffer.byteLength;
    if (missing > 0) {
      const most = PAGE - this.memory.buffer.byteLength / PAGE;
      const pages = Math.ceil(missing / PAGE);
      assert(pages <= most, `kernel memory holds 4 GiB, ${this.#top} bytes are needed`);
      // ahead by a quarter, so that a growing table does not grow its memory every time
      this.memory.grow(Math.min(most, Math.max(pages, Math.ceil(this.memory.buffer.byteLength / PAGE / 4))));
      this.#renewViews();
    }
    return block;
  }

  /** Gives a block back; the caller must not use it again. */
  free({ at, bytes }: Block): void {
    const next = this.#free.findIndex((hole) => hole.at > at);
    this.#free.splice(next < 0 ? this.#free.length : next, 0, { at, bytes });
    const merged: Block[] = [];
    for (const hole of this.#free) {
      const last = merged[merged.length - 1];
      if (last !== undefined && last.at + last.bytes === hole.at) last.bytes += hole.bytes;
      else merged.push({ ...hole });
    }
    const last = merged[merged.length - 1];
    if (last !== undefined && last.at + last.bytes === this.#top) {
      // memory above the top must be zero, as a fresh page is
      this.u8.fill(0, last.at, this.#top);
      this.#top = last.at;
      merged.pop();
    }
    this.#free = merged;
  }

  /** Makes a block larger, in place of the old one; the new part is zero. */
  enlarge(block: Block, wanted: number): void {
    if (wanted <= block.bytes) return;
    const larger = this.allocate(wanted);
    this.u8.copyWithin(larger.at, block.at, block.at + block.bytes);
    this.free({ ...block });
    block.at = larger.at;
    block.bytes = larger.bytes;
  }

  #renewViews(): void {
    const { buffer } = this.memory;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
}
