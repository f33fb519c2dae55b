import { parseArgs } from "node:util";
import { countOf, FlagError } from "./flags.ts";
import { batchCase } from "./policies-batch.ts";
import { replanCase } from "./policies-replan.ts";
import { sharesCase } from "./policies-shares.ts";
import { machine, print, type Topic } from "./report.ts";

const topics: Readonly<Record<string, (rounds: number) => Promise<Topic>>> = {
  shares: (rounds) => sharesCase(100, 50, rounds),
  batch: (rounds) => batchCase(500, rounds),
  replan: (rounds) => replanCase(10_000, rounds),
};

/**
 * Policies: entitlements of 100 tenants over 50 GPU classes, a batch of 500 with and without policies, the loss
 * of a fifth of 10,000 holdings.
 *
 * `--only shares,batch,replan`, `--rounds 5`.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      only: { type: "string", default: Object.keys(topics).join(",") },
      rounds: { type: "string", default: "5" },
    },
  });
  const rounds = countOf("--rounds", values.rounds);
  const done: Topic[] = [];
  for (const name of values.only.split(",")) {
    const topic = topics[name];
    if (topic === undefined)
      throw new FlagError(`--only: ${name}; accepted: ${Object.keys(topics).join(", ")}`);
    done.push(await topic(rounds));
  }
  print(
    values.json === true,
    {
      ...{ machine: machine(), topics: done.map(({ result }) => result) },
      aims: done.flatMap(({ aims }) => aims),
    },
    done.flatMap(({ lines }) => lines),
  );
}
