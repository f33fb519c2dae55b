import { parentPort } from "node:worker_threads";
import { createHighsSolver } from "../../engine/milp/highs.ts";
import { createModelBuilder } from "../../engine/milp/model.ts";
import type { SolveMessage, WorkerMessage } from "./messages.ts";

/** Thread entry: HiGHS behind messages. Loads and warms up first, since a first solve takes 2-3 times as long. */
const port = parentPort;
if (port === null) throw new Error("highs-worker runs as a worker thread only");
const post = (message: WorkerMessage): void => port.postMessage(message);

const solver = await createHighsSolver();
const warmUp = createModelBuilder();
const row = warmUp.addRow(-Infinity, 7);
for (let column = 0; column < 8; column++)
  warmUp.put(row, warmUp.addColumn(-1 - column, 0, 2, true), 1 + column);
await solver.solve({ model: warmUp.build() });

port.on("message", (message: SolveMessage) => {
  const { id, until, ...request } = message;
  const left = until === undefined ? {} : { deadlineMs: Math.max(1, until - Date.now()) };
  solver.solve({ ...request, ...left }).then(
    (answer) => post({ kind: "answer", id, answer, memoryBytes: solver.memoryBytes() }),
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
        memoryBytes: solver.memoryBytes(),
      }),
  );
});
post({ kind: "ready" });
