import * as z from "zod";
import { EngineError } from "../../engine/model/errors.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Warning } from "../../engine/model/intent.ts";
import { parseMicro, type Rates } from "../../engine/model/money.ts";
import type {
  Holding,
  Outage,
  Quota,
  Reservation,
  SkippedOffer,
  Snapshot,
  Tenant,
} from "../../engine/model/snapshot.ts";
import { isCurrency } from "../kubernetes/quantity.ts";
import { priorities } from "./choices.ts";
import { byText, stated, whole } from "./field.ts";
import { originLeaf } from "./intent-constraints.ts";
import { canonicalModel } from "./intent-workload.ts";
import {
  bytesLeaf,
  cpuLeaf,
  dropUnknown,
  durationLeaf,
  leaf,
  milliLeaf,
  moneyLeaf,
  readWith,
  timeLeaf,
  wordLeaf,
} from "./leaf.ts";
import {
  collapseWarnings,
  createNotes,
  entryPath,
  isRecord,
  joinPath,
  type Notes,
  problem,
  show,
  throwProblems,
} from "./notes.ts";
import { offerSchema, toFlavor } from "./offer-schema.ts";
import { progressSchema, spotHistorySchema, toProgress, toSpotHistory } from "./spot-runs.ts";

/** How a snapshot is read. */
export interface SnapshotOptions {
  /** Unknown fields are problems (default true; in an offer they skip it) or, when false, warnings. */
  readonly strict?: boolean;
  /** Now, RFC 3339, where the document states no `at`. */
  readonly at?: string;
}

const count = whole().min(0);
const currencyAccepts = "an ISO 4217 code such as EUR";
const currencyLeaf = leaf(z.string({ error: () => currencyAccepts }), currencyAccepts, (text) => {
  if (!isCurrency(text)) throw new EngineError("invalid_format", "not accepted");
  return text;
});

const rateAccepts = "units of the snapshot's currency per one unit of the other, such as 0.88";
const rateLeaf = leaf(
  z.union([z.string(), z.number()], { error: () => rateAccepts }),
  rateAccepts,
  (value) => {
    const micro = parseMicro(String(value));
    if (micro === 0) throw new EngineError("out_of_range", "not accepted");
    return micro;
  },
);

const priorityLeaf = z.union(
  [whole().min(0).max(1000), z.enum(Object.keys(priorities) as [string, ...string[]])],
  {
    error: () => `0 to 1000, or one of ${Object.keys(priorities).join(", ")}`,
  },
);

const quotaSchema = z.strictObject({
  gpu_class: wordLeaf.optional().describe("Canonical GPU family, or `*` for all."),
  money: z
    .literal(true)
    .optional()
    .describe("Instead of gpu_class: amounts are money per hour at list price."),
  nominal: z.union([count, moneyLeaf]).describe("What the tenant owns."),
  borrowing: z.union([count, moneyLeaf]).optional().describe("Most it may borrow from its cohort."),
  lending: z.union([count, moneyLeaf]).optional().describe("Most it lends to its cohort."),
});

const tenantSchema = z.strictObject({
  name: wordLeaf.describe("Unique."),
  cohort: wordLeaf.optional().describe("Parent cohort; absent: a root of its own."),
  weight: z.number().gt(0).optional().describe("Weight of its fair share; default 1."),
  quotas: z.array(quotaSchema).optional().describe("Limits per GPU class and in money."),
});

const holdingSchema = z.strictObject({
  intent: wordLeaf.describe("What runs."),
  offer: wordLeaf.describe("Where."),
  gpus: count.describe("GPUs it holds."),
  since: timeLeaf.describe("Start."),
  priority: priorityLeaf.optional().describe("Default normal (500)."),
  tenant: wordLeaf.optional().describe("Default `default`."),
  evictable: z.boolean().optional().describe("Default true."),
  min_runtime: durationLeaf.optional().describe("Never evicted before."),
  cpu: cpuLeaf("up").optional().describe("CPU it takes, free again when it ends."),
  memory: bytesLeaf("up").optional().describe("Memory it takes, free again when it ends."),
  max_interruption: durationLeaf
    .optional()
    .describe("Longest interruption it bears; absent: any. With it, it makes way only to restart elsewhere."),
  last_checkpoint: timeLeaf.optional().describe("Work since then is lost on eviction."),
  until: timeLeaf.optional().describe("Expected end; a service has none."),
  enforced: z
    .boolean()
    .optional()
    .describe("The end is enforced by a timeout, so others are promised its place; default false."),
  spot: z.boolean().optional().describe("At the spot price."),
  replicas: whole().min(1).optional().describe("Replicas in this offer."),
  fraction: milliLeaf
    .optional()
    .describe("Share of one GPU that each replica holds; gpus then counts one per replica."),
  mig_profile: wordLeaf
    .optional()
    .describe("MIG profile that each replica holds; gpus then counts one per replica."),
});

const reservationSchema = z.strictObject({
  id: wordLeaf.describe("Unique."),
  tenant: wordLeaf.describe("For whom."),
  intent: wordLeaf
    .optional()
    .describe("For this waiting intent alone: the start that an earlier plan held for it."),
  priority: priorityLeaf
    .optional()
    .describe("Priority of that intent; work of higher priority may come first."),
  basis: z
    .enum(["promise", "estimate"])
    .optional()
    .describe("With intent: an estimate may slip; default promise."),
  enforced_end: timeLeaf.optional().describe("With intent: its latest end, where a timeout enforces one."),
  offer: wordLeaf.describe("Where."),
  gpus: whole().min(1).describe("How many GPUs."),
  start: timeLeaf.describe("From."),
  end: timeLeaf.describe("Until."),
});

const outageSchema = z.strictObject({
  provider: wordLeaf.optional().describe("Everything of this provider."),
  region: wordLeaf.optional().describe("Everything in this region."),
  offer: wordLeaf.optional().describe("This offer."),
  start: timeLeaf.describe("From."),
  end: timeLeaf.optional().describe("Until; open: until further notice."),
});

const tenantsText =
  "Tenants and cohorts with quotas; a broken entry is named, and the intents under it are refused.";

const schema = z.strictObject({
  version: z.union([z.string(), whole()]).optional().describe("Names this state; default 1."),
  at: timeLeaf.optional().describe("Now, for every decision on this snapshot."),
  currency: currencyLeaf.optional().describe("What prices are compared in; default EUR."),
  rates: z
    .record(z.string(), rateLeaf)
    .optional()
    .describe("Exchange rates: currency of this snapshot per foreign unit."),
  hub: originLeaf.optional().describe("Where latency is measured from."),
  offers: z.array(z.unknown()).describe("Offers; a broken one is skipped, named and counted."),
  tenants: z.array(z.unknown()).optional().describe(tenantsText),
  holdings: z.array(holdingSchema).optional().describe("What runs where."),
  reservations: z.array(reservationSchema).optional().describe("Capacity held for a window."),
  outages: z.array(outageSchema).optional().describe("What is not usable."),
  maintenance: z.array(outageSchema).optional().describe("What will not be usable."),
  turnaround: durationLeaf
    .optional()
    .describe("How long capacity is taken besides each run of a batch: start and clearing; default 0."),
  spot_history: z.array(spotHistorySchema).optional().describe("Interruptions seen, per offer."),
  progress: z.array(progressSchema).optional().describe("How far batches are, by intent."),
});

/** The snapshot fixture with its offers, for the published JSON Schema. */
export const snapshotSchema: z.ZodType = schema.extend({
  offers: z.array(offerSchema).describe("Offers; a broken one is skipped, named and counted."),
  tenants: z.array(tenantSchema).optional().describe(tenantsText),
});

type Parsed = z.output<typeof schema>;

/** Offers read from one source, broken ones named. */
export interface OfferBatch {
  /** Sorted by id. */
  readonly offers: readonly Flavor[];
  readonly skipped: readonly SkippedOffer[];
  readonly warnings: readonly Warning[];
}

/** One entry of `offers`: read, or recorded as skipped. */
function readOffer(
  entry: unknown,
  path: string,
  strict: boolean,
  skipped: SkippedOffer[],
  warnings: Warning[],
): Flavor | null {
  const notes = createNotes();
  const known = dropUnknown(offerSchema, entry, path, strict, notes);
  const parsed = readWith(offerSchema, known, path, notes);
  const flavor = parsed === undefined ? null : toFlavor(parsed, path, notes);
  warnings.push(...notes.warnings);
  if (flavor !== null && notes.problems.length === 0) return flavor;
  skipped.push(skippedOffer(isRecord(entry) && typeof entry["id"] === "string" ? entry["id"] : path, notes));
  return null;
}

/** The record of an offer that could not be read; the first problem is shown, the number of others said. */
export function skippedOffer(id: string, notes: Notes): SkippedOffer {
  const [first, ...rest] = notes.problems;
  const more = rest.length === 0 ? "" : ` (and ${rest.length} more)`;
  return { id, path: first?.path ?? "", message: `${first?.message ?? "unreadable"}${more}` };
}

/**
 * An offer of its own objects. Made one after the other, copies lie side by side in memory, where reading an offer leaves
 * its parts among everything that was needed on the way: whoever walks the offers later takes half the time.
 */
function copied(offer: Flavor): Flavor {
  const { onDemand, spot } = offer.price;
  const price = {
    ...offer.price,
    ...(onDemand === undefined ? {} : { onDemand: { ...onDemand } }),
    ...(spot === undefined ? {} : { spot: { ...spot } }),
  };
  return { ...offer, price };
}

/** Sorts a batch; two offers of one id are a problem, because holdings could mean either. */
export function sortOffers(offers: Flavor[], path: string, notes: Notes): Flavor[] {
  const sorted = [...offers].sort((a, b) => byText(a.id, b.id)).map(copied);
  sorted.forEach((offer, index) => {
    if (index > 0 && sorted[index - 1]?.id === offer.id)
      notes.problems.push(problem(path, "duplicate_id", offer.id, "ids that are unique in the snapshot"));
  });
  return sorted;
}

const priorityOf = (value: string | number | undefined): number =>
  typeof value === "string" ? (priorities[value] ?? 500) : (value ?? 500);

const amount = (value: number | { readonly micro: number }): number =>
  typeof value === "number" ? value : value.micro;

function toQuota(quota: z.output<typeof quotaSchema>, path: string, currency: string, notes: Notes): Quota {
  const { nominal, borrowing, lending, money } = quota;
  if ((quota.gpu_class === undefined) === (money === undefined))
    notes.problems.push({
      path,
      code: "conflicting_fields",
      message: "accepted: exactly one of gpu_class and money",
    });
  for (const [name, value] of Object.entries({ nominal, borrowing, lending }))
    if (
      value !== undefined &&
      (money === true) !== (typeof value === "object") &&
      !(money === true && value === 0)
    )
      notes.problems.push(
        problem(
          `${path}.${name}`,
          "invalid_format",
          value,
          money === true ? `money such as "20 ${currency}"` : "a whole number of GPUs",
        ),
      );
    else if (typeof value === "object" && value.currency !== currency)
      notes.problems.push(
        problem(`${path}.${name}`, "invalid_format", value.currency, `the snapshot's currency ${currency}`),
      );
  return {
    nominal: amount(nominal),
    ...stated({
      gpuClass:
        quota.gpu_class === undefined || quota.gpu_class === "*"
          ? quota.gpu_class
          : canonicalModel(quota.gpu_class),
      money,
      borrowing: borrowing === undefined ? undefined : amount(borrowing),
      lending: lending === undefined ? undefined : amount(lending),
    }),
  };
}

const tenantPath = (entry: unknown, index: number): string =>
  entryPath("tenants", index, "name", isRecord(entry) ? entry["name"] : null);

/** Indices of offers by their ids: read in that order, they lie in memory in the order in which they will be looked at. */
function readingOrder(entries: readonly unknown[]): number[] {
  const ids = entries.map((entry) => (isRecord(entry) && typeof entry["id"] === "string" ? entry["id"] : ""));
  return [...ids.keys()].sort((a, b) => byText(ids[a]!, ids[b]!) || a - b);
}

/** One entry of `tenants`: read, or kept with what is wrong about it, so that its intents are not taken for unlimited. */
function readTenant(entry: unknown, path: string, currency: string, strict: boolean, notes: Notes): Tenant {
  const own = createNotes();
  const parsed = readWith(tenantSchema, dropUnknown(tenantSchema, entry, path, strict, own), path, own);
  const quotas = (parsed?.quotas ?? []).map((quota, at) =>
    toQuota(quota, joinPath(`${path}.quotas`, at), currency, own),
  );
  notes.warnings.push(...own.warnings);
  const [problem] = own.problems;
  const fields: Readonly<Record<string, unknown>> = isRecord(entry) ? entry : {};
  const text = (key: string): string | undefined =>
    typeof fields[key] === "string" && fields[key] !== "" ? fields[key] : undefined;
  return {
    name: parsed?.name ?? text("name") ?? path,
    weight: parsed?.weight ?? 1,
    quotas: problem === undefined ? quotas : [],
    ...stated({
      cohort: parsed?.cohort ?? text("cohort"),
      problem: problem === undefined ? undefined : `${problem.path}: ${problem.message}`,
    }),
  };
}

const toHolding = (holding: z.output<typeof holdingSchema>): Holding => ({
  intent: holding.intent,
  offer: holding.offer,
  gpus: holding.gpus,
  since: holding.since,
  priority: priorityOf(holding.priority),
  tenant: holding.tenant ?? "default",
  evictable: holding.evictable ?? true,
  ...stated({
    minRuntimeSeconds: holding.min_runtime,
    lastCheckpoint: holding.last_checkpoint,
    until: holding.until,
    enforced: holding.enforced,
    spot: holding.spot,
    replicas: holding.replicas,
    cpuMilli: holding.cpu,
    memoryMib: holding.memory,
    maxInterruptionSeconds: holding.max_interruption,
    fractionMilli: holding.fraction,
    migProfile: holding.mig_profile,
  }),
});

function toOutages(
  list: readonly z.output<typeof outageSchema>[] | undefined,
  path: string,
  notes: Notes,
): Outage[] {
  return (list ?? [])
    .map((outage, index): Outage => {
      if (outage.provider === undefined && outage.region === undefined && outage.offer === undefined)
        notes.problems.push(
          problem(joinPath(path, index), "missing_field", undefined, "a provider, a region or an offer"),
        );
      checkWindow(outage.start, outage.end, joinPath(path, index), notes);
      return {
        start: outage.start,
        ...stated({
          provider: outage.provider?.toLowerCase(),
          region: outage.region?.toLowerCase(),
          offer: outage.offer,
          end: outage.end,
        }),
      };
    })
    .sort((a, b) => byText(JSON.stringify(a), JSON.stringify(b)));
}

function checkWindow(start: string, end: string | undefined, path: string, notes: Notes): void {
  if (end !== undefined && end <= start)
    notes.problems.push(problem(`${path}.end`, "out_of_range", end, `a time after ${start}`));
}

function toReservations(parsed: Parsed, notes: Notes): Reservation[] {
  const list = parsed.reservations ?? [];
  list.forEach((entry, index) => {
    const path = joinPath("reservations", index);
    if (list.findIndex((other) => other.id === entry.id) < index)
      notes.problems.push(problem(`${path}.id`, "duplicate_id", entry.id, "ids that are unique"));
  });
  return list
    .map(
      ({ id, tenant, offer, gpus, start, end, intent, priority, basis, enforced_end }): Reservation => ({
        id,
        tenant,
        offer,
        gpus,
        start,
        end,
        ...stated({
          intent,
          priority: priority === undefined ? undefined : priorityOf(priority),
          basis,
          enforcedEnd: enforced_end,
        }),
      }),
    )
    .sort((a, b) => byText(a.id, b.id));
}

/** A holding whose offer vanished is a case for failover, so it is named and kept. */
function warnReferences(snapshot: Snapshot, warnings: Warning[]): void {
  const known = new Set([...snapshot.offers, ...snapshot.skipped].map((offer) => offer.id));
  const check = (offer: string, path: string): void => {
    if (!known.has(offer))
      warnings.push({
        path,
        code: "suspicious",
        message: `no offer of this snapshot has the id ${show(offer)}`,
      });
  };
  for (const holding of snapshot.holdings) check(holding.offer, `holdings (intent ${holding.intent})`);
  for (const reservation of snapshot.reservations)
    check(reservation.offer, `reservations (${reservation.id})`);
}

function toRates(rates: Parsed["rates"], notes: Notes): Rates {
  for (const code of Object.keys(rates ?? {}))
    if (!isCurrency(code))
      notes.problems.push(problem(joinPath("rates", code), "invalid_format", code, currencyAccepts));
  return Object.fromEntries(Object.entries(rates ?? {}).sort(([a], [b]) => byText(a, b)));
}

/**
 * Reads the snapshot fixture format. An offer that is broken goes to `skipped`; anything else that is broken throws.
 * Everything is sorted, so the order of the document never matters.
 *
 * @throws {EngineError} with every problem found outside the offers, and for duplicate ids
 */
export function readSnapshot(document: unknown, options: SnapshotOptions = {}): Snapshot {
  const notes = createNotes();
  const strict = options.strict ?? true;
  const parsed = readWith(schema, dropUnknown(schema, document, "", strict, notes), "", notes);
  throwProblems(notes, "snapshot");
  if (parsed === undefined) throw new Error("a snapshot without problems was not read");
  const currency = parsed.currency ?? "EUR";
  const skipped: SkippedOffer[] = [];
  const flavors = readingOrder(parsed.offers)
    .map((index) => {
      const entry: unknown = parsed.offers[index];
      const path = entryPath("offers", index, "id", isRecord(entry) ? entry["id"] : null);
      return readOffer(entry, path, strict, skipped, notes.warnings);
    })
    .filter((flavor) => flavor !== null);
  const at = parsed.at ?? options.at;
  if (at === undefined) notes.problems.push(problem("at", "missing_field", undefined, "a time in RFC 3339"));
  const snapshot: Snapshot = {
    version: String(parsed.version ?? "1"),
    at: at ?? "",
    currency,
    rates: toRates(parsed.rates, notes),
    offers: sortOffers(flavors, "offers", notes),
    tenants: (parsed.tenants ?? [])
      .map((entry, index) => readTenant(entry, tenantPath(entry, index), currency, strict, notes))
      .sort((a, b) => byText(a.name, b.name)),
    holdings: (parsed.holdings ?? [])
      .map(toHolding)
      .sort((a, b) => byText(a.intent, b.intent) || byText(a.offer, b.offer) || byText(a.since, b.since)),
    reservations: toReservations(parsed, notes),
    outages: toOutages(parsed.outages, "outages", notes),
    maintenance: toOutages(parsed.maintenance, "maintenance", notes),
    ...stated({
      turnaroundSeconds: parsed.turnaround,
      spotHistory: toSpotHistory(parsed.spot_history, notes),
      progress: toProgress(parsed.progress, notes),
    }),
    skipped: skipped.sort((a, b) => byText(a.id, b.id) || byText(a.path, b.path)),
    warnings: [],
    ...stated({ hub: parsed.hub }),
  };
  warnReferences(snapshot, notes.warnings);
  throwProblems(notes, "snapshot");
  return { ...snapshot, warnings: collapseWarnings(notes.warnings) };
}
