import { Worker } from "node:worker_threads";
import type { KernelHost, Runner } from "../../engine/kernel/host.ts";
import { kernelModule, sharedKernelModule } from "../../engine/kernel/load.ts";
import { AdapterError } from "../port.ts";
import { type Attach, control, state, type WorkerInput } from "./protocol.ts";

const PAGES = 65_536;
/** Tiles times queries below which waking threads costs more than they save. */
const SMALLEST_JOB = 64;

/** Threads that share the memory of tables and split the rows of each job. */
export interface KernelPool {
  /** 1 where shared memory is missing: everything then runs on the calling thread. */
  readonly threads: number;
  /** A host for one new table. */
  host(): KernelHost;
  /** Ends the threads; tables made with the pool must not be asked any more. */
  close(): Promise<void>;
}

// compiled code lies next to compiled code
const entry = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/**
 * Starts `threads - 1` worker threads; the calling thread does its share. Each thread writes only to its own part of the
 * memory, so results do not depend on how many there are.
 *
 * @param threads at least 1; the number of cores is the most that helps
 * @throws {AdapterError} `unavailable` when the kernel cannot be loaded at all
 */
export async function createKernelPool(threads: number): Promise<KernelPool> {
  if (kernelModule === null) throw new AdapterError("unavailable", "the WebAssembly kernel cannot be loaded");
  const shared = typeof SharedArrayBuffer === "undefined" ? null : sharedKernelModule();
  if (threads <= 1 || shared === null) {
    const module = kernelModule;
    return { threads: 1, host: () => ({ module }), close: async () => undefined };
  }
  const helpers = await Promise.all(Array.from({ length: threads - 1 }, () => startHelper(shared)));
  let tables = 0;
  return {
    threads,
    host: () => {
      const table = tables++;
      const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGES, shared: true });
      for (const { worker } of helpers) worker.postMessage({ table, memory } satisfies Attach);
      return { module: shared, memory, runner: runnerOf(helpers, table) };
    },
    close: async () => {
      for (const { words } of helpers) {
        Atomics.store(words, control.state, state.stop);
        Atomics.notify(words, control.state);
      }
      await Promise.all(helpers.map(({ worker }) => worker.terminate()));
    },
  };
}

interface Helper {
  readonly worker: Worker;
  readonly words: Int32Array;
}

function startHelper(module: WebAssembly.Module): Promise<Helper> {
  const shared = new SharedArrayBuffer(control.words * 4);
  const worker = new Worker(entry, { workerData: { module, control: shared } satisfies WorkerInput });
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("online", () => {
      // a pool that is not closed must not keep the process alive
      worker.unref();
      resolve({ worker, words: new Int32Array(shared) });
    });
  });
}

function runnerOf(helpers: readonly Helper[], table: number): Runner {
  return {
    threads: helpers.length + 1,
    run: (exec, { job, owns, outputs, tiles, queries }) => {
      const parts = tiles * queries < SMALLEST_JOB ? 1 : helpers.length + 1;
      const start = (part: number): number => Math.floor((tiles * part) / parts);
      const asked = helpers.slice(0, parts - 1);
      for (const [index, { words }] of asked.entries()) {
        const own = owns[index + 1]!;
        words.set([table, job, own, own + outputs, start(index + 1), start(index + 2)], control.table);
        Atomics.store(words, control.state, state.asked);
        Atomics.notify(words, control.state);
      }
      exec(job, owns[0]!, owns[0]! + outputs, 0, start(1));
      for (const { words } of asked) {
        Atomics.wait(words, control.state, state.asked);
        if (Atomics.load(words, control.state) !== state.idle)
          throw new AdapterError("unavailable", "a kernel thread failed; make a new pool");
      }
    },
    dispose: () => {
      for (const { worker } of helpers) worker.postMessage({ table } satisfies Attach);
    },
  };
}
