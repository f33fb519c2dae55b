import type { Federation } from "../adapters/port.ts";
import type { Solver } from "../engine/milp/solver.ts";
import type { PlanRunner } from "./control/plan-job.ts";
import type { Store } from "./store/store.ts";

/** Time. The wall clock may jump; the monotonic clock never goes back. */
export interface Clock {
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start; for measuring and for deadlines inside one process. */
  monoMs(): number;
}

/** Ends a timer; calling it twice or late does nothing. */
export type Cancel = () => void;

export interface Timers {
  /** Runs once after at least `delayMs`; never keeps the process alive on its own. */
  after(delayMs: number, run: () => void): Cancel;
}

export interface Random {
  /** Unpredictable bytes: secrets and ids are made of them. */
  bytes(count: number): Uint8Array;
}

export interface Ids {
  /** `<prefix>_<26 characters>`, never made twice, ordered by time within one process. */
  next(prefix: string): string;
}

/** An answer from outside; the body is cut at the caller's limit. */
export interface OutgoingAnswer {
  readonly status: number;
  readonly body: string;
}

/** HTTP to the outside: the only way out besides the federation. */
export interface OutgoingHttp {
  /**
   * Sends one request; redirects are answers, never followed.
   *
   * @throws {Error} when no answer came within `timeoutMs`
   */
  send(request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly timeoutMs: number;
    readonly maxBytes: number;
  }): Promise<OutgoingAnswer>;
}

/** Structured log; fields never hold secrets or bodies. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Everything the service touches that is not a pure function of its inputs. Production lends the real ones
 * (`platform/`), tests and simulations lend driven ones; nothing in `api/` reaches around it (the linter sees to that).
 */
export interface Env {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly ids: Ids;
  readonly store: Store;
  readonly federation: Federation;
  readonly http: OutgoingHttp;
  readonly log: Log;
  /** Where plans are made that are acted on; absent: in this thread, with `solver`. */
  readonly plans?: PlanRunner;
  /** Where everything is tried out that nobody acts on, so that no decision waits for it; absent: in this thread. */
  readonly trials?: PlanRunner;
  /** Absent: batches are decided by the engine's own search and bound. */
  readonly solver?: Solver;
}
