import { generateSnapshot } from "../adapters/catalog/generate.ts";
import { readSnapshot } from "../adapters/json/snapshot.ts";
import { createWorkerSolver } from "../adapters/solver/worker-solver.ts";
import { serve } from "../api/serve.ts";
import { createModelBuilder } from "../engine/milp/model.ts";

/** What the bench asks of the process that it measures. */
export type Question = "figures" | "solve" | "stop";

/** Process entry of the measured service: data folder, number of offers, `hold` to accept only. Questions and answers go over IPC. */
const [data = "", offers = "1000", hold = ""] = process.argv.slice(2);

const service = await serve({
  host: "127.0.0.1",
  port: 0,
  data,
  snapshot: readSnapshot(generateSnapshot(Number(offers), 1), { at: "2026-03-01T00:00:00Z" }),
  adminTokenFile: `${data}.token`,
  logLevel: "error",
  hold: hold === "hold",
  onFatal(message) {
    process.stderr.write(`fatal: ${message}\n`);
    process.exit(1);
  },
});

/** A packing problem that no solver finishes within a second. */
function hardModel() {
  const builder = createModelBuilder();
  const rows = Array.from({ length: 40 }, (_, row) => builder.addRow(-Infinity, 97 + row));
  for (let column = 0; column < 200; column++) {
    const index = builder.addColumn(-(20 + ((column * 7919) % 83)), 0, 1, true);
    for (const [at, row] of rows.entries())
      builder.put(row, index, 1 + ((column * 31 + at * 17 + column * at) % 41));
  }
  return builder.build();
}

let isSolving = false;
let solves = 0;
async function solveForever(): Promise<void> {
  const solver = createWorkerSolver();
  const model = hardModel();
  isSolving = true;
  while (isSolving) {
    await solver.solve({ model, deadlineMs: 1000 });
    solves++;
  }
  await solver.dispose();
}

process.on("message", (question: Question) => {
  if (question === "solve") void solveForever();
  if (question === "stop") {
    isSolving = false;
    void service.close().then(() => process.exit(0));
  }
  if (question === "figures")
    process.send?.({
      cpu: process.cpuUsage(),
      store: service.stats(),
      rssBytes: process.memoryUsage.rss(),
      solves,
    });
});
process.send?.({ url: service.url });
