import Table from "cli-table3";
import { annotationFor } from "../adapters/json/trait-names.ts";
import { prepare } from "../engine/compile/catalog.ts";
import type { Decision } from "../engine/model/decision.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { plan } from "../engine/plan.ts";
import { exitCodes, InputError } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { expandFolders, readIntents, readSnapshots, readSource } from "./input.ts";
import { type PlaceFlags, toText } from "./place.ts";

/** Flags of `flare gaps`. */
export interface GapFlags extends PlaceFlags {
  readonly provider?: string;
}

/** Annotations that some offers do not state, and the intents that would consider these offers if they did. */
interface Gap {
  readonly annotations: readonly string[];
  readonly offers: readonly string[];
  readonly intents: readonly string[];
}

/**
 * Constraints that keep an offer from an intent for no other reason than silence, or null: the offer is eligible, or
 * something that it does state is in the way as well.
 */
export function silentConstraints({ feasible, considered, rejections, unknown }: Decision): string[] | null {
  if (feasible > 0 || considered === 0) return null;
  const stated = Object.entries(rejections).reduce(
    (sum, [name, count]) => sum + count - (unknown[name] ?? 0),
    0,
  );
  // an option that no stated trait rejects: there are more options than such rejections
  return stated < considered ? Object.keys(unknown).sort() : null;
}

/** What each offer leaves unsaid, per intent, each offer judged alone and free. */
async function gapsOf(snapshot: Snapshot, intents: readonly Intent[]): Promise<Gap[]> {
  const gaps = new Map<string, { annotations: string[]; offers: Set<string>; intents: Set<string> }>();
  for (const offer of snapshot.offers) {
    const catalog = prepare({ ...snapshot, offers: [offer] });
    for (const intent of intents) {
      const { decisions } = await plan(catalog, [intent], { explain: false });
      const names = decisions[0] === undefined ? null : silentConstraints(decisions[0]);
      const annotations = names?.map(annotationFor) ?? [];
      const stated = annotations.filter((name) => name !== null);
      if (stated.length === 0 || stated.length < annotations.length) continue;
      const distinct = [...new Set(stated)].sort();
      const key = distinct.join(", ");
      const gap = gaps.get(key) ?? { annotations: distinct, offers: new Set(), intents: new Set() };
      gap.offers.add(offer.id);
      gap.intents.add(intent.name);
      gaps.set(key, gap);
    }
  }
  return [...gaps.values()]
    .map(({ annotations, offers, intents: names }) => ({
      annotations,
      offers: [...offers].sort(),
      intents: [...names].sort(),
    }))
    .sort(
      (a, b) => b.intents.length - a.intents.length || (a.annotations.join() < b.annotations.join() ? -1 : 1),
    );
}

/** `flare gaps`: the annotations that a provider's offers leave out, and the intents that pass them by for it. */
export async function gaps(files: readonly string[], flags: GapFlags): Promise<number> {
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const snapshot = readSnapshots(await readFixtures(flags), choices);
  const intents = readIntents(expandFolders(files).map(readSource), flags.strict);
  const provider = flags.provider?.toLowerCase();
  const offers = snapshot.offers.filter((offer) => provider === undefined || offer.provider === provider);
  if (offers.length === 0) {
    const known = [...new Set(snapshot.offers.map((offer) => offer.provider))].sort().slice(0, 10);
    throw new InputError([`--provider ${flags.provider ?? ""}: no offers; accepted: ${known.join(", ")}`]);
  }
  const found = await gapsOf({ ...snapshot, offers }, intents);
  if (flags.json === true) {
    process.stdout.write(toText({ offers: offers.length, intents: intents.length, gaps: found }));
    return exitCodes.ok;
  }
  if (found.length === 0) {
    process.stdout.write(`nothing that the ${offers.length} offers leave unsaid costs them an intent\n`);
    return exitCodes.ok;
  }
  const table = new Table({
    head: ["state", "on offers", "to be considered by"],
    style: { head: [], border: [] },
  });
  for (const gap of found)
    table.push([gap.annotations.join("\n"), gap.offers.join("\n"), gap.intents.join("\n")]);
  process.stdout.write(`${table.toString()}\n`);
  return exitCodes.ok;
}
