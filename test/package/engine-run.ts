import { applyChanges, type Intent, plan, prepare, type Snapshot } from "../../engine/index.ts";
import { createTable } from "../../engine/kernel/table.ts";
import { drawFrom, randomChange, randomColumns, randomQuery } from "../engine/kernel/tables.ts";

/** What a run works on, as plain data. */
export interface RunInput {
  readonly snapshot: Snapshot;
  /** Offers that replace others later. */
  readonly changed: Snapshot["offers"];
  readonly intents: readonly Intent[];
}

/** Texts to be compared with those of the same run elsewhere. */
export interface RunOutput {
  readonly kernel: string;
  /** Before and after the change of offers. */
  readonly plans: readonly string[];
  /** Counts and rows of many queries, straight from the kernel. */
  readonly answers: string;
}

/** The engine and its kernel at work, with nothing of the host in it. */
export async function runEngine({ snapshot, changed, intents }: RunInput): Promise<RunOutput> {
  const catalog = prepare(snapshot);
  const first = await plan(catalog, intents);
  const second = await plan(applyChanges(catalog, { offers: changed }), intents);
  const rows = 3000;
  const table = createTable(randomColumns(rows, 5));
  const draw = drawFrom(7);
  const live = new Set(Array.from({ length: rows }, (_, row) => row));
  const answers: unknown[] = [];
  for (let round = 0; round < 8; round++) {
    for (let change = 0; change < 30; change++) randomChange(draw, [table], live);
    const batch = Array.from({ length: 10 }, () => randomQuery(draw, table));
    for (const { considered, feasible, failed, unknown, sole, rows: best } of table.selectAll(batch))
      answers.push([considered, feasible, [...failed], [...unknown], [...sole], [...best]]);
  }
  return {
    kernel: first.engine.kernel,
    plans: [first, second].map((one) => JSON.stringify(one)),
    answers: JSON.stringify(answers),
  };
}
