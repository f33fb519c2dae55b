/**
 * Words of a thread's control block in shared memory. The pool writes what to do, sets `state` to `asked` and notifies;
 * the thread answers by setting it to `idle`.
 */
export const control = { state: 0, table: 1, job: 2, own: 3, outputs: 4, from: 5, to: 6, words: 8 } as const;

export const state = { idle: 0, asked: 1, failed: 2, stop: 3 } as const;

/** Sent to a thread when a table is made: the memory it will be asked to work in. */
export interface Attach {
  readonly table: number;
  /** Absent: the table is gone. */
  readonly memory?: WebAssembly.Memory;
}

/** What a thread starts with. */
export interface WorkerInput {
  readonly module: WebAssembly.Module;
  readonly control: SharedArrayBuffer;
}
