import { fileURLToPath } from "node:url";
import colors from "picocolors";
import { stringify } from "yaml";
import { forgeObjects } from "../adapters/kubernetes/forge-objects.ts";
import { exitCodes } from "./exit.ts";
import { readSource } from "./input.ts";
import { decide, type Run } from "./place.ts";
import { renderDecision } from "./render/decision.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** Reads, plans and prints one intent against one federation. */
async function show(title: string, intent: string, cluster: string): Promise<Run> {
  process.stdout.write(`${colors.bold(colors.cyan(`== ${title}`))}\n`);
  process.stdout.write(colors.dim(`   fixtures/intents/${intent} on fixtures/clusters/${cluster}\n\n`));
  const sources = [readSource(fixture(`clusters/${cluster}`))];
  const run = await decide(
    sources,
    [readSource(fixture(`intents/${intent}`))],
    { strict: true },
    { tradeoffs: true },
  );
  process.stdout.write(`${renderDecision(run.plan.decisions[0]!, run.plan.currency)}\n\n`);
  return run;
}

/** The kinds whose full text the demo prints; the others are in `flare explain --yaml`. */
const printed = ["Reservation", "Allocation", "NamespaceOffloading", "Deployment"];

async function demo(): Promise<void> {
  const placed = await show("An intent finds its offer", "inference-eu.json", "europe.json");
  const objects = forgeObjects(placed.plan.decisions[0]!, placed.intents[0]!, placed.snapshot);
  process.stdout.write(colors.bold("  Objects it would write\n"));
  for (const object of objects.filter(({ kind }) => printed.includes(kind)))
    process.stdout.write(
      `${stringify(object)
        .trimEnd()
        .split("\n")
        .map((line) => `    ${line}`)
        .join("\n")}\n    ---\n`,
    );
  await show("An intent nothing fits, and what would change that", "quickstart.json", "quickstart.json");
  process.stdout.write(`${colors.bold("Try next")}
  npm run -s flare -- place fixtures/intents/fine-tuning.json --fixture fixtures/clusters/europe.json --tradeoffs
  npm run -s flare -- explain fixtures/intents/hpc.json --fixture fixtures/clusters/europe.json --yaml
  npm run -s flare -- place fixtures/intents/quickstart.json --fixture fixtures/clusters/quickstart.json --json
  npm run -s flare -- place fixtures/intents/inference-eu.json --fixture fixtures/clusters/europe.json --save plan.json
  npm run -s flare -- replay plan.json
  npm run -s flare -- offers --fixture fixtures/clusters/europe.json
  npm run -s flare -- assert fixtures/intents/inference-eu.json --fixture fixtures/clusters/europe.json --provider-area EU --max-cost 8
`);
  const placedOne = placed.plan.decisions[0]!.outcome === "placed";
  process.exitCode = placedOne ? exitCodes.ok : exitCodes.notPlaced;
}

await demo();
