import { hash } from "node:crypto";
import type { Intent } from "../../engine/model/intent.ts";
import type { PlanOptions, RecordedAnswer } from "../../engine/model/plan.ts";
import type { Holding, Snapshot } from "../../engine/model/snapshot.ts";
import { version } from "../../engine/version.ts";
import type { NewPlan, SystemStore } from "../store/store.ts";
import { type Change, offerChanges, snapshotAfter } from "./change.ts";
import type { Scene } from "./follow.ts";

/*
 * The log of plans tells each run by what had changed since the run before: `parent` names that one. Now and then an entry
 * starts from a catalog again, so that no replay has far to go.
 */

/** What is stored about the inputs of one run. */
interface Inputs {
  readonly change: Change;
  readonly intents: readonly Intent[];
  readonly options: PlanOptions;
}

/** One run as the log has it: texts, which another thread may read. */
export interface PlanRecord {
  readonly id: string;
  readonly atMs: number;
  readonly engine: string;
  /** The catalog that its way back ends at. */
  readonly document: string;
  /** Inputs of the runs from that catalog to this one. */
  readonly inputs: readonly string[];
  readonly answers: string;
}

/** Everything that one run was made of. */
export interface Recorded extends Omit<Inputs, "change"> {
  readonly snapshot: Snapshot;
  readonly answers: readonly RecordedAnswer[];
}

/** Longest way back to a catalog. */
const MOST_STEPS = 256;
/** Offers that differ in more than what is free of them, beyond which the next catalog is written. */
const MOST_DIFFERENT = 200;

/** A catalog by its content. */
interface Base {
  readonly hash: string;
  readonly document: string;
  readonly offers: Snapshot["offers"];
}

function createBase({ source, offers }: Scene): Base {
  const { currency, rates, hub } = source;
  const document = JSON.stringify({ currency, rates, hub, offers });
  return { hash: hash("sha256", document, "hex"), document, offers };
}

/** Makes the entries of the log, each from the one before. */
export interface PlanLog {
  /**
   * The entry of a run that begins now, without its answers.
   *
   * @param change what has changed since the last entry; null where that is not known
   * @param own what we hold, as the planner was told it
   */
  entry(
    run: { readonly id: string; readonly atMs: number; readonly scene: Scene },
    change: Change | null,
    own: () => readonly (readonly [string, Holding])[],
    asked: Omit<Inputs, "change">,
  ): Omit<NewPlan, "answers">;
  /** The last entry was not written: the next one must not lean on it. */
  broken(): void;
}

export function createPlanLog(): PlanLog {
  let base: Base | null = null;
  let isBaseWritten = false;
  let last: { readonly id: string; readonly steps: number } | null = null;

  /** What makes the catalog the scene; the catalog is written anew when it no longer says much. */
  const fromBase = (scene: Scene): Change => {
    const changes = base === null ? null : offerChanges(base.offers, scene.offers);
    const different = (changes?.offers?.length ?? 0) + (changes?.removed?.length ?? 0);
    if (changes !== null && different <= MOST_DIFFERENT) return changes;
    base = createBase(scene);
    isBaseWritten = false;
    return {};
  };

  return {
    entry({ id, atMs, scene }, change, own, asked) {
      const isStep = base !== null && last !== null && change !== null && last.steps < MOST_STEPS;
      const told = isStep ? change : { ...fromBase(scene), own: own(), rest: scene.rest };
      const parent = isStep ? (last?.id ?? null) : null;
      last = { id, steps: isStep ? (last?.steps ?? 0) + 1 : 0 };
      const { hash, document } = base ?? createBase(scene);
      const inputs: Inputs = { change: told, ...asked };
      const catalogDocument = isBaseWritten ? null : document;
      isBaseWritten = true;
      return {
        id,
        at_ms: atMs,
        parent,
        catalog_hash: hash,
        inputs: JSON.stringify(inputs),
        engine: version,
        catalogDocument,
      };
    },
    broken() {
      last = null;
      isBaseWritten = false;
    },
  };
}

/** What of a snapshot the log does not keep, because no plan depends on it. */
const unstated = {
  version: "",
  at: "",
  tenants: [],
  holdings: [],
  reservations: [],
  outages: [],
  maintenance: [],
  skipped: [],
  warnings: [],
};

/** A run with everything that it goes back to; null when it was never logged. */
export async function readRecord(
  store: Pick<SystemStore, "plan" | "catalog">,
  id: string,
): Promise<PlanRecord | null> {
  const entry = await store.plan(id);
  if (entry === null) return null;
  const inputs = [entry.inputs];
  for (let { parent } = entry; parent !== null; ) {
    const before = await store.plan(parent);
    if (before === null) throw new Error(`plan ${id} goes back to ${parent}, which is not in the log`);
    inputs.push(before.inputs);
    parent = before.parent;
  }
  const document = await store.catalog(entry.catalog_hash);
  if (document === null) throw new Error(`plan ${id} was made on a catalog that is not in the log`);
  const { at_ms: atMs, engine, answers } = entry;
  return { id, atMs, engine, document, inputs: inputs.reverse(), answers };
}

/** The inputs of a run as they were. */
export function restore({ document, inputs, answers }: PlanRecord): Recorded {
  const catalog = JSON.parse(document) as Pick<Snapshot, "currency" | "rates" | "offers">;
  const steps = inputs.map((text) => JSON.parse(text) as Inputs);
  const { intents, options } = steps.at(-1) ?? { intents: [], options: {} };
  return {
    snapshot: snapshotAfter(
      { ...unstated, ...catalog },
      steps.map(({ change }) => change),
    ),
    intents,
    options,
    answers: JSON.parse(answers) as RecordedAnswer[],
  };
}
