import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TableColumns } from "../engine/kernel/query.ts";
import { type BenchIntent, wanted } from "./kernel-data.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Compiles bench/plain/ with the kernel's own settings; needs the compiler that builds the kernel. */
function compile(): WebAssembly.Module {
  const asc = fileURLToPath(import.meta.resolve("assemblyscript/bin/asc.js"));
  const settings = ["--runtime", "stub", "--enable", "simd", "--importMemory", "--memoryBase", "8192"];
  const output = "build/plain-scan.wasm";
  const level = ["--optimizeLevel", "3", "--converge", "--noAssert", "-o", output];
  execFileSync(process.execPath, [asc, "bench/plain/scan.ts", ...settings, ...level], {
    cwd: root,
    stdio: ["ignore", "ignore", "ignore"],
  });
  return new WebAssembly.Module(readFileSync(`${root}${output}`));
}

interface Exports {
  scan(query: number): void;
  stream(at: number, bytes: number): bigint;
}

export interface ScanAnswer {
  readonly feasible: number;
  readonly failed: Uint32Array;
  readonly unknown: Uint32Array;
  readonly sole: Uint32Array;
  readonly rows: Uint32Array;
}

/** The plain f32 kernel on the bench's columns. */
export class PlainScan {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: Exports;
  readonly #tiles: number;
  readonly #columns: {
    readonly f32: number[];
    readonly codes: number[];
    readonly flags: number[];
    readonly scores: number[];
  };
  readonly #universe: number;
  readonly #work: number;

  constructor({ rows, numeric, category, flags, scores }: TableColumns) {
    this.#tiles = Math.ceil(rows / 1024);
    const padded = this.#tiles * 1024;
    const bytes =
      padded * (4 * (numeric.length + scores.length) + category.length + flags.length + 8) +
      padded / 8 +
      (1 << 20);
    this.#memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536), maximum: 65536 });
    const { buffer } = this.#memory;
    let next = 65536;
    const take = (size: number): number => {
      const at = next;
      next += Math.ceil(size / 64) * 64;
      return at;
    };
    this.#universe = take(padded / 8);
    const universe = new Uint8Array(buffer, this.#universe);
    for (let row = 0; row < rows; row++) universe[row >> 3]! |= 1 << (row & 7);
    const floats = (values: Float32Array | Float64Array): number => {
      const at = take(padded * 4);
      new Float32Array(buffer, at, rows).set(values);
      return at;
    };
    const bytesOf = (values: Int32Array | Uint8Array): number => {
      const at = take(padded);
      new Uint8Array(buffer, at, rows).set(values);
      return at;
    };
    this.#columns = {
      f32: numeric.map(({ values }) => floats(values)),
      codes: category.map(({ codes }) => bytesOf(codes)),
      flags: flags.map(({ values }) => bytesOf(values)),
      scores: scores.map(({ values }) => floats(values)),
    };
    this.#work = take(0);
    const instance = new WebAssembly.Instance(compile(), {
      env: { memory: this.#memory, abort: () => undefined },
    });
    this.#exports = instance.exports as unknown as Exports;
  }

  run({ bounds, choices, flag, weights }: BenchIntent): ScanAnswer {
    const { buffer } = this.#memory;
    const u32 = new Uint32Array(buffer);
    const f32 = new Float32Array(buffer);
    const { f32: numeric, codes, flags, scores } = this.#columns;
    const count = bounds.length + choices.length + 1;
    const query = this.#work;
    const predicates = query + 64;
    const terms = predicates + count * 64;
    const counts = terms + 256;
    const heap = counts + 1024;
    const scratch = heap + 256;
    const kept = scratch + 16384;
    let at = predicates >> 2;
    for (const { column, min = -Infinity, max = Infinity } of bounds) {
      u32[at] = 0;
      u32[at + 1] = numeric[column]!;
      f32[at + 2] = min;
      f32[at + 3] = max;
      at += 16;
    }
    for (const { column, mask } of choices) {
      u32[at] = 1;
      u32[at + 1] = codes[column]!;
      u32[at + 4] = mask;
      at += 16;
    }
    u32[at] = 2;
    u32[at + 1] = flags[flag]!;
    weights.forEach((weight, index) => {
      u32[(terms >> 2) + 2 * index] = scores[index]!;
      f32[(terms >> 2) + 2 * index + 1] = weight;
    });
    f32.fill(Infinity, heap >> 2, (heap >> 2) + wanted);
    u32.fill(0, counts >> 2, (counts >> 2) + 3 * count);
    u32.set(
      [this.#tiles, count, predicates, scratch, counts, this.#universe, weights.length, terms],
      query >> 2,
    );
    u32.set([wanted, heap, kept], (query >> 2) + 8);
    this.#exports.scan(query);
    const limit = f32[(heap >> 2) + wanted - 1]! + 1e-4;
    const rows: number[] = [];
    for (let index = 0; index < u32[(query >> 2) + 11]!; index++)
      if (f32[(kept >> 2) + 2 * index + 1]! <= limit) rows.push(u32[(kept >> 2) + 2 * index]!);
    const list = (part: number): Uint32Array =>
      u32.slice((counts >> 2) + part * count, (counts >> 2) + (part + 1) * count);
    return {
      feasible: u32[(query >> 2) + 12]!,
      failed: list(0),
      unknown: list(1),
      sole: list(2),
      rows: Uint32Array.from(rows),
    };
  }

  /** Bytes per second read in order from this memory. */
  stream(): number {
    const bytes = Math.floor((this.#memory.buffer.byteLength - 65536) / 64) * 64;
    let best = Infinity;
    for (let round = 0; round < 5; round++) {
      const start = performance.now();
      this.#exports.stream(65536, bytes);
      best = Math.min(best, performance.now() - start);
    }
    return (bytes / best) * 1000;
  }
}
