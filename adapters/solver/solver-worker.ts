import { parentPort, workerData } from "node:worker_threads";
import { createGlpkSolver } from "../../engine/milp/glpk.ts";
import { createHighsSolver } from "../../engine/milp/highs.ts";
import { createJavaScriptLpSolver } from "../../engine/milp/jslp.ts";
import { createModelBuilder } from "../../engine/milp/model.ts";
import type { Solver } from "../../engine/milp/solver.ts";
import type { Backend, SolveMessage, WorkerMessage } from "./messages.ts";

/** Thread entry: a backend behind messages. Loads and warms up first, since a first solve takes 2-3 times as long. */
const port = parentPort;
if (port === null) throw new Error("solver-worker runs as a worker thread only");
const post = (message: WorkerMessage): void => port.postMessage(message);

type Create = () => Promise<(Solver & { readonly memoryBytes?: () => number }) | null>;

const creators: Readonly<Record<Backend, Create>> = {
  highs: createHighsSolver,
  glpk: createGlpkSolver,
  jslp: createJavaScriptLpSolver,
};
const { backend } = workerData as { readonly backend: Backend };
const solver = await creators[backend]();
if (solver === null) throw new Error(`the package of backend ${backend} is not installed`);
const memoryBytes = (): number => solver.memoryBytes?.() ?? process.memoryUsage().arrayBuffers;

const warmUp = createModelBuilder();
const row = warmUp.addRow(-Infinity, 7);
for (let column = 0; column < 8; column++)
  warmUp.put(row, warmUp.addColumn(-1 - column, 0, 2, solver.limits.integers), 1 + column);
await solver.solve({ model: warmUp.build() });

port.on("message", (message: SolveMessage) => {
  const { id, until, ...request } = message;
  const left = until === undefined ? {} : { deadlineMs: Math.max(1, until - Date.now()) };
  solver.solve({ ...request, ...left }).then(
    (answer) => post({ kind: "answer", id, answer, memoryBytes: memoryBytes() }),
    (error: unknown) =>
      post({
        kind: "answer",
        id,
        answer: {
          status: "failed",
          values: null,
          bound: -Infinity,
          rowDuals: null,
          basis: null,
          message: String(error),
        },
        memoryBytes: memoryBytes(),
      }),
  );
});
post({ kind: "ready" });
