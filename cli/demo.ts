import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import colors from "picocolors";
import { stringify } from "yaml";
import { forgeObjects } from "../adapters/kubernetes/forge-objects.ts";
import { serve } from "../api/serve.ts";
import type { Decision } from "../engine/model/decision.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { exitCodes } from "./exit.ts";
import { readIntents, readSnapshots, readSource, type Source } from "./input.ts";
import { renderDecision } from "./render/decision.ts";
import { type Answer, type Client, createClient, ProblemError } from "./server/client.ts";
import { readDecision } from "./server/decision.ts";

const fixture = (name: string): Source =>
  readSource(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)));
const snapshotOf = (cluster: string): Snapshot =>
  readSnapshots([fixture(`clusters/${cluster}`)], { strict: true });

/** A federation on one site, in a hurry. */
const delays = { peeringMs: 150, deployingMs: 250, reservationMs: 60_000 };

/** Runs the service over a cluster for as long as `use` takes. */
async function withService<T>(cluster: string, use: (client: Client) => Promise<T>): Promise<T> {
  const data = mkdtempSync(join(tmpdir(), "flare-demo-"));
  const service = await serve({
    host: "127.0.0.1",
    port: 0,
    data,
    snapshot: snapshotOf(cluster),
    delays,
    logLevel: "silent",
    onFatal(message) {
      throw new Error(message);
    },
  });
  try {
    return await use(createClient(service.url, service.adminToken ?? ""));
  } finally {
    await service.close();
    rmSync(data, { recursive: true });
  }
}

/** What the service would decide, whether it would take the intent or not. */
async function decisionOf(
  client: Client,
  document: unknown,
): Promise<{ decision: Decision; currency: string }> {
  try {
    const answer = await client.call("POST", "/intents?dry_run=true&tradeoffs=true&strict=true", document);
    return readDecision(answer["decision"]);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem["decision"] === undefined) throw error;
    return readDecision(error.problem["decision"]);
  }
}

/** Asks the service about one intent and prints its decision. */
async function show(client: Client, title: string, intent: string, cluster: string): Promise<Decision> {
  process.stdout.write(`${colors.bold(colors.cyan(`== ${title}`))}\n`);
  process.stdout.write(colors.dim(`   fixtures/intents/${intent} on fixtures/clusters/${cluster}\n\n`));
  const { decision, currency } = await decisionOf(client, fixture(`intents/${intent}`).document);
  process.stdout.write(`${renderDecision(decision, currency)}\n\n`);
  return decision;
}

/** The kinds whose full text the demo prints; the others are in `flare explain --yaml`. */
const printed = ["Reservation", "Allocation", "NamespaceOffloading", "Deployment"];

function showObjects(decision: Decision, intent: string, cluster: string): void {
  const [read] = readIntents([fixture(`intents/${intent}`)], true);
  const objects = forgeObjects(decision, read!, snapshotOf(cluster));
  process.stdout.write(colors.bold("  Objects it would write\n"));
  for (const object of objects.filter(({ kind }) => printed.includes(kind)))
    process.stdout.write(
      `${stringify(object)
        .trimEnd()
        .split("\n")
        .map((line) => `    ${line}`)
        .join("\n")}\n    ---\n`,
    );
}

/** Submits the intent and prints its way until it runs; true when it does. */
async function run(client: Client, intent: string): Promise<boolean> {
  process.stdout.write(colors.bold("\n  Submitted to the service\n"));
  const { intent_id: id } = await client.call(
    "POST",
    "/intents?strict=true",
    fixture(`intents/${intent}`).document,
  );
  for await (const { kind, data } of client.events(`/intents/${String(id)}/events`)) {
    process.stdout.write(`    ${kind.replace("intent.", "").padEnd(12)}${String(data["message"] ?? "")}\n`);
    if (["running", "completed", "failed", "waiting"].includes(String(data["phase"]))) break;
  }
  const { phase, service_url: url, cost }: Answer = await client.call("GET", `/intents/${String(id)}`);
  const price = (cost as { text?: string } | null)?.text ?? "nothing";
  process.stdout.write(`    ${String(phase)} at ${String(url ?? "no address")} for ${price}\n\n`);
  return phase === "running";
}

async function demo(): Promise<void> {
  const isRunning = await withService("europe.json", async (client) => {
    const decision = await show(client, "An intent finds its offer", "inference-eu.json", "europe.json");
    showObjects(decision, "inference-eu.json", "europe.json");
    return decision.outcome === "placed" && (await run(client, "inference-eu.json"));
  });
  const title = "An intent nothing fits, and what would change that";
  await withService("quickstart.json", (client) => show(client, title, "quickstart.json", "quickstart.json"));
  process.stdout.write(`${colors.bold("Try next")}
  npm start
  npm run -s flare -- place fixtures/intents/fine-tuning.json --fixture fixtures/clusters/europe.json --tradeoffs
  npm run -s flare -- explain fixtures/intents/hpc.json --fixture fixtures/clusters/europe.json --yaml
  npm run -s flare -- place fixtures/intents/quickstart.json --fixture fixtures/clusters/quickstart.json --json
  npm run -s flare -- place fixtures/intents/inference-eu.json --fixture fixtures/clusters/europe.json --save plan.json
  npm run -s flare -- replay plan.json
  npm run -s flare -- offers --fixture fixtures/clusters/europe.json
  npm run -s flare -- assert fixtures/intents/inference-eu.json --fixture fixtures/clusters/europe.json --provider-area EU --max-cost 8
`);
  process.exitCode = isRunning ? exitCodes.ok : exitCodes.notPlaced;
}

await demo();
