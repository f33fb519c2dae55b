import colors from "picocolors";
import { canonicalModel } from "../adapters/json/intent-workload.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { plan } from "../engine/plan.ts";
import { type Failover, failover, isLost, type Loss } from "../engine/resilience/failover.ts";
import { exitCodes, InputError } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { expandFolders, readIntents, readSnapshots, readSource } from "./input.ts";
import { type PlaceFlags, toText } from "./place.ts";
import { price, table } from "./render/table.ts";

export interface DrillFlags extends PlaceFlags {
  readonly provider?: string;
  readonly region?: string;
  readonly model?: string;
}

const nameOf = (loss: Loss): string =>
  "provider" in loss
    ? `provider ${loss.provider}`
    : "region" in loss
      ? `region ${loss.region}`
      : `model ${loss.model}`;

/** What a federation has of what a loss names, at most ten of them. */
function valuesOf({ offers }: Snapshot, loss: Loss): string {
  const values = offers.map((offer) =>
    "provider" in loss ? offer.provider : "region" in loss ? offer.region : offer.gpu.model,
  );
  const known = [...new Set(values)].filter((value) => value !== undefined).sort();
  return `${known.slice(0, 10).join(", ")}${known.length > 10 ? ", ..." : ""}`;
}

/** What to drill: what the flags name, else every provider that something runs at. */
function lossesOf(snapshot: Snapshot, { provider, region, model }: DrillFlags): Loss[] {
  const named: Loss[] = [
    ...(provider === undefined ? [] : [{ provider }]),
    ...(region === undefined ? [] : [{ region }]),
    ...(model === undefined ? [] : [{ model: canonicalModel(model) }]),
  ];
  for (const loss of named)
    if (!snapshot.offers.some((offer) => isLost(offer, loss)))
      throw new InputError([`--${nameOf(loss)}: no offers; accepted: ${valuesOf(snapshot, loss)}`]);
  if (named.length > 0) return named;
  const held = new Set(snapshot.holdings.map(({ offer }) => offer));
  const providers = new Set(snapshot.offers.filter(({ id }) => held.has(id)).map((one) => one.provider));
  return [...providers].sort().map((name) => ({ provider: name }));
}

const percent = ({ beforeMicro, afterMicro }: Failover): string =>
  beforeMicro === 0
    ? "-"
    : `${afterMicro >= beforeMicro ? "+" : ""}${((100 * (afterMicro - beforeMicro)) / beforeMicro).toFixed(1)} %`;

/** "if provider X dies: 7 unplaceable, +14 % cost", and where everybody would go. */
function render(drill: Failover, currency: string): string {
  const { displaced, restored, waiting, unplaceable } = drill;
  const head = `${colors.bold(`If ${nameOf(drill.loss)} dies`)}: ${displaced.length} of ${drill.running} displaced, ${restored} restored, ${waiting} waiting, ${unplaceable} unplaceable, cost ${percent(drill)}`;
  if (displaced.length === 0) return head;
  const rows = displaced.map((one) => [
    one.isAssumed ? `${one.intent} *` : one.intent,
    one.from.join(", "),
    one.outcome === "placed" ? one.to.map(({ offer }) => offer).join(", ") : one.outcome,
    one.outcome === "placed"
      ? price(one.afterMicro - one.beforeMicro, currency)
      : one.outcome === "waiting"
        ? (one.expectedStart ?? "no start known")
        : one.reason,
  ]);
  const note = displaced.some(({ isAssumed }) => isAssumed)
    ? "\n    * its intent is not given: what it asks for is read off what it holds"
    : "";
  return `${head}\n${table(["intent", "runs on", "goes to", "change"], rows)}${note}`;
}

function forge(drill: Failover): object {
  return {
    loss: drill.loss,
    offers_lost: drill.offers,
    running: drill.running,
    restored: drill.restored,
    waiting: drill.waiting,
    unplaceable: drill.unplaceable,
    cost_before: drill.beforeMicro / 1e6,
    cost_after: drill.afterMicro / 1e6,
    displaced: drill.displaced.map((one) => ({
      name: one.intent,
      tenant: one.tenant,
      from: one.from,
      outcome: one.outcome,
      reason: one.reason,
      to: one.to.map(({ offer, gpus, replicas, spot }) => ({ offer, gpus, replicas, spot })),
      expected_start: one.expectedStart,
      cost_before: one.beforeMicro / 1e6,
      cost_after: one.afterMicro / 1e6,
      assumed: one.isAssumed,
    })),
  };
}

/** `flare drill`: what the loss of a provider, region or model would do to what runs; exit 3 when not all is restored. */
export async function drill(files: readonly string[], flags: DrillFlags): Promise<number> {
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const snapshot = readSnapshots(await readFixtures(flags), choices);
  const intents = readIntents(expandFolders(files).map(readSource), flags.strict);
  const drills: Failover[] = [];
  for (const loss of lossesOf(snapshot, flags)) drills.push(await failover(plan, snapshot, loss, intents));
  if (flags.json === true)
    process.stdout.write(toText({ currency: snapshot.currency, drills: drills.map(forge) }));
  else if (drills.length === 0) process.stdout.write("nothing runs in this federation\n");
  else process.stdout.write(`${drills.map((one) => render(one, snapshot.currency)).join("\n\n")}\n`);
  const isSafe = drills.every(({ displaced, restored }) => restored === displaced.length);
  return isSafe ? exitCodes.ok : exitCodes.notPlaced;
}
