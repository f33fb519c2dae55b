import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { type Attach, control, state, type WorkerInput } from "./protocol.ts";

interface Exports {
  run(job: number, own: number, outputs: number, from: number, to: number): void;
}

/** Looks at the control block this often before it sleeps: waking up takes longer than a small job. */
const SPINS = 20_000;

const input = workerData as WorkerInput;
const words = new Int32Array(input.control);
const tables = new Map<number, Exports>();

function attach({ table, memory }: Attach): void {
  if (memory === undefined) {
    tables.delete(table);
    return;
  }
  const abort = (): never => {
    throw new Error("broken invariant: the kernel aborted");
  };
  const { exports } = new WebAssembly.Instance(input.module, { env: { memory, abort } });
  tables.set(table, exports as unknown as Exports);
}

function drain(): void {
  for (
    let next = receiveMessageOnPort(parentPort!);
    next !== undefined;
    next = receiveMessageOnPort(parentPort!)
  )
    attach((next as { message: Attach }).message);
}

function work(): number {
  try {
    // whoever asked sleeps until there is an answer: also where there is no memory for the table
    drain();
    const exports = tables.get(words[control.table]!);
    if (exports === undefined) return state.failed;
    exports.run(
      words[control.job]! >>> 0,
      words[control.own]! >>> 0,
      words[control.outputs]! >>> 0,
      words[control.from]!,
      words[control.to]!,
    );
    return state.idle;
  } catch {
    return state.failed;
  }
}

for (;;) {
  let spins = SPINS;
  while (spins-- > 0 && Atomics.load(words, control.state) === state.idle);
  Atomics.wait(words, control.state, state.idle);
  const asked = Atomics.load(words, control.state);
  if (asked === state.stop) break;
  if (asked !== state.asked) {
    Atomics.wait(words, control.state, asked);
    continue;
  }
  Atomics.store(words, control.state, work());
  Atomics.notify(words, control.state);
}
