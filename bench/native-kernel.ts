import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Query } from "../engine/kernel/query.ts";
import type { WasmTable } from "../engine/kernel/wasm.ts";

/** What bench/kernel.c prints. */
export interface NativeResult {
  /** Microseconds per intent, one at a time and in a batch of sixteen. */
  readonly single: number;
  readonly batch: number;
  readonly checksum: readonly [number, number];
}

const source = fileURLToPath(new URL("./kernel.c", import.meta.url));

/** The C twin compiled for both widths, or null where there is no gcc (or no x86). */
export class NativeKernel {
  readonly #folder: string = mkdtempSync(join(tmpdir(), "kernel-twin-"));
  /** By variant. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
  readonly variants: readonly string[];

  constructor() {
    this.flags = {
      c128: ["-msse4.2", "-mpopcnt", "-mbmi", "-DWIDTH=128"],
      c_native: ["-march=native", `-DWIDTH=${this.#hasWideVectors() ? 512 : 128}`],
    };
    this.variants = Object.entries(this.flags)
      .filter(([name, flags]) => {
        try {
          execFileSync("gcc", ["-O3", ...flags, "-o", join(this.#folder, name), source], { stdio: "ignore" });
          return true;
        } catch {
          return false;
        }
      })
      .map(([name]) => name);
  }

  /** Writes the table's memory with its jobs: each query alone, then all as one batch. */
  image(table: WasmTable, queries: readonly Query[]): string {
    const jobs = [...queries.map((query) => table.written([query])), table.written(queries)];
    // the largest job settles where a thread's memory is
    for (const job of jobs) job.start();
    const path = join(this.#folder, "image");
    const file = openSync(path, "w");
    const { u8, top } = table.memory;
    const bytes = Math.ceil(top / 65536) * 65536;
    const head = [bytes, Math.ceil(table.rows / 1024), jobs.length];
    for (const { job, start } of jobs) {
      const { own, outputs, words } = start();
      head.push(job.block.at, own, outputs, words.length / 8, job.cuts, job.cutWords, ...words);
      for (const { counted } of job.parts)
        head.push(
          counted.length * 4,
          ...counted.map((one) => one?.failed ?? 0),
          ...counted.map((one) => one?.unknown ?? 0),
          ...counted.map(() => 0),
          ...counted.map((one) => one?.cut ?? 0),
        );
    }
    writeSync(file, Uint32Array.from(head));
    for (let at = 0; at < bytes; at += 1 << 28)
      writeSync(file, u8.subarray(at, Math.min(bytes, at + (1 << 28))));
    closeSync(file);
    return path;
  }

  run(variant: string, image: string, repeats: number): NativeResult {
    return JSON.parse(this.#print(variant, [image, String(repeats)])) as NativeResult;
  }

  /** Bytes per second that a variant reads in order from memory. */
  stream(variant: string): number {
    return (JSON.parse(this.#print(variant, [])) as { readonly stream: number }).stream;
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #print(variant: string, args: readonly string[]): string {
    return execFileSync(join(this.#folder, variant), args, { encoding: "utf8" });
  }

  #hasWideVectors(): boolean {
    try {
      const macros = execFileSync("gcc", ["-march=native", "-dM", "-E", "-x", "c", "/dev/null"], {
        encoding: "utf8",
      });
      return macros.includes("__AVX512VPOPCNTDQ__") && macros.includes("__AVX512BW__");
    } catch {
      return false;
    }
  }
}
