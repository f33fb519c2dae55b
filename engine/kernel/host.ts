import type { StoreHost } from "./numeric-store.ts";

/** The compiled kernel on its memory. */
export interface Exports {
  run(job: number, own: number, outputs: number, from: number, to: number): void;
  encode: StoreHost["encode"];
  recode: StoreHost["recode"];
}

/** A job to be run; addresses in bytes. */
export interface RunRequest {
  readonly job: number;
  /** Each thread's own memory. */
  readonly owns: readonly number[];
  /** Offset of the outputs in a thread's own memory. */
  readonly outputs: number;
  readonly tiles: number;
  readonly queries: number;
}

/** Runs jobs on many threads. */
export interface Runner {
  readonly threads: number;
  /** @param exec the kernel on the calling thread */
  run(exec: Exports["run"], request: RunRequest): void;
  /** The table is gone. */
  dispose(): void;
}

/** What a table runs on; several threads bring a shared memory and a runner of their own. */
export interface KernelHost {
  readonly module: WebAssembly.Module;
  readonly memory?: WebAssembly.Memory;
  readonly runner?: Runner;
}

/** All on the calling thread. */
export const alone: Runner = {
  threads: 1,
  run: (exec, { job, owns: [own], outputs, tiles }) => {
    exec(job, own!, own! + outputs, 0, tiles);
  },
  dispose: () => undefined,
};
