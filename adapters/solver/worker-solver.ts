import { Worker } from "node:worker_threads";
import {
  noAnswer,
  type SolveAnswer,
  type SolveRequest,
  type Solver,
  type SolverLimits,
} from "../../engine/milp/solver.ts";
import type { Backend, SolveMessage, WorkerMessage } from "./messages.ts";

export interface WorkerSolverOptions {
  /** Default HiGHS. */
  readonly backend?: Backend;
  /** Thread entry that holds the backend. */
  readonly entry?: URL;
  /** Time past its deadline that a solve may take before its thread is ended, default 150 ms. */
  readonly graceMs?: number;
  /** Solver memory above which the thread is replaced after a solve, default 512 MiB. */
  readonly maxMemoryBytes?: number;
}

/** A solver in a thread of its own, with what a host may want to watch. */
export interface WorkerSolver extends Solver {
  /** Threads started so far; more than 1 means that some were ended or replaced. */
  threads(): number;
  /** Resolves when the present thread is warm. */
  ready(): Promise<void>;
  /** Capacity of the solver's memory after its last solve, bytes; 0 before the first one. */
  memoryBytes(): number;
}

interface Pending {
  readonly id: number;
  readonly message: SolveMessage;
  readonly hardMs: number | undefined;
  readonly settle: (answer: SolveAnswer) => void;
}

// compiled code lies next to compiled code
const defaultEntry = new URL(
  import.meta.url.endsWith(".ts") ? "./solver-worker.ts" : "./solver-worker.js",
  import.meta.url,
);

/** What each backend declares, as known without loading it. */
export const backendLimits: Readonly<Record<Backend, SolverLimits>> = {
  highs: { integers: true, duals: true, deadline: true, maxCols: 2_000_000, maxEntries: 10_000_000 },
  glpk: { integers: true, duals: true, deadline: true, maxCols: 20_000, maxEntries: 500_000 },
  jslp: { integers: false, duals: false, deadline: false, maxCols: 2_000, maxEntries: 20_000 },
};

/**
 * Runs a solver in a pre-warmed worker thread: the event loop stays free, and a solve that overstays its deadline
 * is ended with its thread. Requests queue; a thread that dies answers `failed` and is replaced, so nothing is
 * lost but the solve itself.
 */
export function createWorkerSolver({
  backend = "highs",
  entry = defaultEntry,
  graceMs = 150,
  maxMemoryBytes = 512 * 2 ** 20,
}: WorkerSolverOptions = {}): WorkerSolver {
  const host = createHost(entry, backend, maxMemoryBytes);
  const clocks = new WeakMap<object, number>();
  let sequence = 0;

  /** Milliseconds left on the request's clock, or undefined without a deadline. */
  const left = ({ deadlineMs, clock }: SolveRequest): number | undefined => {
    if (deadlineMs === undefined || clock === undefined) return deadlineMs;
    const started = clocks.get(clock) ?? performance.now();
    clocks.set(clock, started);
    return deadlineMs - (performance.now() - started);
  };

  return {
    name: backend,
    limits: backendLimits[backend],
    threads: host.threads,
    ready: host.ready,
    memoryBytes: host.memoryBytes,
    solve(request) {
      const deadlineMs = left(request);
      if (deadlineMs !== undefined && deadlineMs <= 1)
        return Promise.resolve(noAnswer("unknown", "no time left for this solve"));
      const id = ++sequence;
      const { model, gap, focus, start, basis } = request;
      const message: SolveMessage = {
        id,
        model,
        ...(deadlineMs === undefined ? {} : { until: Date.now() + deadlineMs }),
        ...(gap === undefined ? {} : { gap }),
        ...(focus === undefined ? {} : { focus }),
        ...(start === undefined ? {} : { start }),
        ...(basis === undefined ? {} : { basis }),
      };
      const hardMs = deadlineMs === undefined ? undefined : deadlineMs + graceMs;
      return new Promise((settle) => host.submit({ id, message, hardMs, settle }));
    },
    dispose: host.dispose,
  };
}

interface Host {
  submit(pending: Pending): void;
  threads(): number;
  ready(): Promise<void>;
  memoryBytes(): number;
  dispose(): Promise<void>;
}

/** One thread at a time and the queue in front of it. */
function createHost(entry: URL, backend: Backend, maxMemoryBytes: number): Host {
  const queue: Pending[] = [];
  let running: Pending | undefined;
  let timer: NodeJS.Timeout | undefined;
  let worker: Worker | undefined;
  let warm = Promise.withResolvers<void>();
  let started = 0;
  let memoryBytes = 0;
  /** The present thread has reported that it is ready. */
  let isWarm = false;
  let isDisposed = false;

  const finish = (answer: SolveAnswer): void => {
    clearTimeout(timer);
    const done = running;
    running = undefined;
    done?.settle(answer);
  };
  const retire = (): void => {
    const old = worker;
    worker = undefined;
    old?.removeAllListeners();
    // a thread that is being ended may still report: nobody listens any more
    old?.on("error", () => {});
    void old?.terminate();
  };
  const fail = (from: Worker, message: string): void => {
    if (from !== worker) return;
    retire();
    warm.resolve();
    finish(noAnswer("failed", message));
    // one that did not even start would be followed by others without end: the next request tries again
    if (isWarm || queue.length > 0) pump();
  };
  const start = (): Worker => {
    const thread = new Worker(entry, { workerData: { backend } });
    thread.unref();
    started++;
    isWarm = false;
    warm = Promise.withResolvers<void>();
    thread.on("error", (error) => fail(thread, `solver thread died: ${String(error)}`.slice(0, 300)));
    thread.on("exit", (code) => fail(thread, `solver thread ended with code ${code}`));
    thread.on("message", (message: WorkerMessage) => {
      if (message.kind === "ready") {
        isWarm = true;
        warm.resolve();
        return;
      }
      if (message.id !== running?.id) return;
      memoryBytes = message.memoryBytes;
      if (memoryBytes > maxMemoryBytes) retire();
      finish(message.answer);
      pump();
    });
    return thread;
  };
  const pump = (): void => {
    if (isDisposed || running !== undefined) return;
    worker ??= start();
    const next = queue.shift();
    if (next === undefined) {
      worker.unref();
      return;
    }
    running = next;
    worker.ref();
    worker.postMessage(next.message);
    const thread = worker;
    if (next.hardMs !== undefined)
      timer = setTimeout(() => fail(thread, "solver overstayed its deadline and was ended"), next.hardMs);
  };

  worker = start();
  return {
    submit(pending) {
      if (isDisposed) {
        pending.settle(noAnswer("failed", "solver is disposed"));
        return;
      }
      queue.push(pending);
      pump();
    },
    threads: () => started,
    memoryBytes: () => memoryBytes,
    ready: () => warm.promise,
    async dispose() {
      if (isDisposed) return;
      isDisposed = true;
      const old = worker;
      worker = undefined;
      finish(noAnswer("failed", "solver is disposed"));
      for (const pending of queue.splice(0)) pending.settle(noAnswer("failed", "solver is disposed"));
      old?.removeAllListeners();
      old?.on("error", () => {});
      await old?.terminate();
    },
  };
}
