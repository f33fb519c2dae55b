import { createInstance, type Instance, type ItemInput, type RowInput } from "../engine/assign/instance.ts";
import { createRandom, type Random } from "../engine/assign/random.ts";

/** GPU models of the generator: name, price per hour, relative performance. */
const models = [
  ["T4", 0.35, 1],
  ["L4", 0.7, 2],
  ["A10", 0.75, 2.2],
  ["L40S", 1.6, 5],
  ["A100", 1.9, 6],
  ["H100", 2.9, 12],
  ["H200", 3.8, 14],
  ["B200", 5.5, 22],
] as const;
/** Weight of a priority in the utility. */
const priorityWeights = [1, 2, 4, 8] as const;

const price = (model: number): number => models[model]![1];
const performanceOf = (model: number): number => models[model]![2];

/** Above this many pairs of intents and offers an intent looks at this many offers only. */
const mostPairs = 2e8;
const lookedAt = 512;

export interface GeneratorOptions {
  readonly intents: number;
  readonly seed: number;
  /** Demand over capacity. */
  readonly load?: number;
  /** Best candidates kept per intent. */
  readonly candidates?: number;
  /** Distinct kinds of intents; absent: all different. */
  readonly classes?: number;
  /** False leaves quotas, budgets and running work out. */
  readonly full?: boolean;
  /** False leaves running work out: nothing may be evicted. */
  readonly running?: boolean;
  /** Offers; absent: as many as the load needs. */
  readonly offers?: number;
  /** Offers come in up to this many identical machines of at most eight GPUs; absent: each is alone. */
  readonly machines?: number;
}

interface Draft {
  readonly gpus: number;
  readonly replicas: number;
  readonly isSplit: boolean;
  readonly need: number;
  readonly priority: number;
  readonly value: number;
  readonly region: number;
  readonly tenant: number;
}

interface Offer {
  readonly model: number;
  readonly region: number;
  readonly price: number;
  readonly gpus: number;
}

/** A generated batch and what its gap is measured against. */
export interface GeneratedBatch {
  readonly instance: Instance;
  /** Gain of leaving everything as it runs and placing nothing. */
  readonly baseline: number;
  readonly offers: number;
  readonly capacityGpus: number;
}

interface Draws {
  readonly random: Random;
  uniform(low: number, high: number): number;
  integer(low: number, high: number): number;
  pick<Value>(values: readonly Value[]): Value;
}

function drawsOf(seed: number): Draws {
  const random = createRandom(seed);
  const integer = (low: number, high: number): number => low + random.below(high - low + 1);
  return {
    random,
    integer,
    uniform: (low, high) => low + (high - low) * random.next(),
    pick: (values) => values[integer(0, values.length - 1)]!,
  };
}

function draftOf({ random, uniform, integer, pick }: Draws, tenants: number): Draft {
  const size = random.next();
  const gpus = size < 0.7 ? 1 : size < 0.85 ? 2 : size < 0.93 ? 4 : 8;
  const isGang = random.next() < 0.15;
  const replicas = isGang ? pick([2, 2, 3, 4, 8]) : 1;
  const isSplit = replicas > 1 && random.next() < 0.4;
  const need = integer(0, 5);
  const rank = random.next();
  const priority = rank < 0.6 ? 0 : rank < 0.85 ? 1 : rank < 0.97 ? 2 : 3;
  const value = uniform(1.1, 3);
  const region = integer(0, 5);
  const tenant = Math.min(tenants - 1, Math.floor(tenants * random.next() ** 1.6));
  return { gpus, replicas, isSplit, need, priority, value, region, tenant };
}

/** Identical machines, as many as the load needs. */
function machinesOf(draws: Draws, demand: number, load: number, most: number): Offer[] {
  const offers: Offer[] = [];
  let capacity = 0;
  while (capacity < demand / load) {
    const model = draws.integer(0, 7);
    const region = draws.integer(0, 5);
    const rate = Math.round(price(model) * draws.uniform(0.75, 1.35) * 100) / 100;
    const gpus = draws.random.next() < 0.6 ? 8 : draws.integer(1, 8);
    const count = draws.integer(1, most);
    for (let machine = 0; machine < count; machine++) offers.push({ model, region, price: rate, gpus });
    capacity += gpus * count;
  }
  return offers;
}

function offersOf(draws: Draws, demand: number, load: number, wanted: number | undefined): Offer[] {
  const offers: Offer[] = [];
  let capacity = 0;
  // with a fixed number of offers their mean size follows from the load
  const mean = wanted === undefined ? 15 : demand / load / wanted;
  const largest = Math.max(2, Math.min(64, mean * 4));
  while (wanted === undefined ? capacity < demand / load || offers.length < 12 : offers.length < wanted) {
    const model = draws.integer(0, 7);
    const region = draws.integer(0, 5);
    const gpus = Math.max(
      1,
      Math.min(64, Math.round(Math.exp(draws.uniform(0, Math.log(wanted === undefined ? 64 : largest))))),
    );
    offers.push({
      model,
      region,
      price: Math.round(price(model) * draws.uniform(0.75, 1.35) * 100) / 100,
      gpus,
    });
    capacity += gpus;
  }
  return offers;
}

/** Thousandths of a currency unit: the generator's money. */
const milli = (amount: number): number => Math.round(amount * 1000);

/** Net utility in thousandths of the intent in the offer, or null where the model is too weak or it loses money. */
function netOf(
  draft: Draft,
  offer: Offer,
  noise: () => number,
): { readonly net: number; readonly cost: number } | null {
  const performance = performanceOf(offer.model) / performanceOf(draft.need);
  if (performance < 0.5) return null;
  const saturation = performance >= 1 ? 1 + 0.12 * Math.log2(performance) : 0.55 * performance + 0.2;
  const local = offer.region === draft.region ? 1.08 : 1;
  const gpus = draft.gpus * draft.replicas;
  const utility = milli(gpus * price(draft.need) * draft.value * saturation * local * noise());
  const cost = milli(gpus * offer.price);
  const net = milli((priorityWeights[draft.priority]! * utility - cost) / 1000);
  return net > 0 ? { net, cost } : null;
}

/**
 * A seeded batch under contention in the shape of the study's generator: heavy-tailed sizes, gangs (some
 * splittable), skewed tenants with quotas and budgets, running work that may be evicted or migrated at a cost.
 */
export function generateBatch({
  intents,
  seed,
  load = 1.3,
  candidates = 16,
  classes = 0,
  full = true,
  running: hasRunning = full,
  offers: wantedOffers,
  machines,
}: GeneratorOptions): GeneratedBatch {
  const draws = drawsOf(seed * 7919 + intents);
  const tenants = Math.max(3, Math.min(100, Math.round(intents / 10)));
  const kinds = Array.from({ length: classes }, () => draftOf(draws, tenants));
  const drafts = Array.from({ length: intents }, () =>
    classes > 0 ? draws.pick(kinds) : draftOf(draws, tenants),
  );
  const demand = drafts.reduce((sum, draft) => sum + draft.gpus * draft.replicas, 0);
  const offers =
    machines === undefined
      ? offersOf(draws, demand, load, wantedOffers)
      : machinesOf(draws, demand, load, machines);
  const capacity = Float64Array.from(offers, (offer) => offer.gpus);
  const capacityGpus = offers.reduce((sum, offer) => sum + offer.gpus, 0);

  const rows: RowInput[] = [];
  const items: ItemInput[] = [];
  const quotaRow = offers.length;
  const budgetRow = offers.length + tenants;
  const running = hasRunning
    ? runningOf(draws, offers, Math.round(intents / 4))
    : { items: [], held: new Float64Array(offers.length), worth: 0 };
  // of very many offers each intent looks at a part, as data and latency would have it, or generating takes minutes
  const isSampled = intents * offers.length > mostPairs;
  const looks = isSampled ? lookedAt : offers.length;
  const noise = classes > 0 ? () => 1 : () => draws.uniform(0.95, 1.05);

  for (const draft of drafts) {
    const choices: { offer: number; net: number; cost: number }[] = [];
    const smallest = draft.isSplit ? draft.gpus : draft.gpus * draft.replicas;
    const from = isSampled ? draws.integer(0, offers.length - 1) : 0;
    for (let look = 0; look < looks; look++) {
      // a stride without a common factor with most counts: no offer twice, no neighborhoods
      const index = isSampled ? (from + look * 7919) % offers.length : look;
      const offer = offers[index]!;
      const value = netOf(draft, offer, noise);
      if (value === null || offer.gpus + running.held[index]! < smallest) continue;
      choices.push({ offer: index, ...value });
    }
    choices.sort((a, b) => b.net - a.net || a.offer - b.offer);
    // identical machines are one candidate, however many there are
    const last = choices[candidates - 1];
    const isKept = (one: (typeof choices)[number]): boolean =>
      last === undefined || one.net > last.net || (machines !== undefined && one.net === last.net);
    const kept = machines === undefined ? choices.slice(0, candidates) : choices.filter(isKept);
    if (kept.length === 0) continue;
    const copies = draft.isSplit ? draft.replicas : 1;
    const perCopy = (net: number): number => Math.round(net / copies);
    const top = perCopy(kept[0]!.net);
    if (top <= 0) continue;
    items.push({
      copies,
      worth: top * copies,
      options: kept.map(({ offer, net, cost }) => ({
        cost: top - perCopy(net),
        uses: full
          ? [
              [offer, (draft.gpus * draft.replicas) / copies],
              [quotaRow + draft.tenant, (draft.gpus * draft.replicas) / copies],
              [budgetRow + draft.tenant, perCopy(cost)],
            ]
          : [[offer, (draft.gpus * draft.replicas) / copies]],
      })),
    });
  }

  for (const [index, gpus] of capacity.entries())
    rows.push({ kind: "capacity", capacity: gpus + running.held[index]! });
  if (full) rows.push(...limitsOf(draws, drafts, tenants));
  items.push(...running.items);
  return {
    instance: createInstance(rows, items),
    baseline: running.worth,
    offers: offers.length,
    capacityGpus,
  };
}

/** Running work: staying is worth the penalty of an eviction, a migration costs a part of it. */
function runningOf(
  draws: Draws,
  offers: readonly Offer[],
  count: number,
): { readonly items: ItemInput[]; readonly held: Float64Array; readonly worth: number } {
  const held = new Float64Array(offers.length);
  const items: ItemInput[] = [];
  let worth = 0;
  for (let index = 0; index < count; index++) {
    const home = draws.integer(0, offers.length - 1);
    const size = draws.random.next();
    const gpus = size < 0.7 ? 1 : size < 0.85 ? 2 : size < 0.95 ? 4 : 8;
    const priority = draws.random.next() < 0.75 ? 0 : 1;
    draws.integer(0, 2);
    const penalty = milli(
      gpus * price(offers[home]!.model) * draws.uniform(0.5, 3) * priorityWeights[priority]! + 0.5,
    );
    const canMigrate = draws.random.next() < 0.3;
    held[home]! += gpus;
    worth += penalty;
    const targets: { offer: number; cost: number }[] = [];
    for (const [offer, { model, gpus: size, price: rate }] of offers.entries()) {
      if (!canMigrate || offer === home || size < gpus) continue;
      if (performanceOf(model) < performanceOf(offers[home]!.model) * 0.9) continue;
      const cost = milli((0.1 * penalty) / 1000 + 0.3 + Math.max(0, rate - offers[home]!.price) * gpus);
      if (cost < penalty) targets.push({ offer, cost });
    }
    targets.sort((a, b) => a.cost - b.cost || a.offer - b.offer);
    items.push({
      worth: penalty,
      options: [{ offer: home, cost: 0 }, ...targets.slice(0, 4)].map(({ offer, cost }) => ({
        cost,
        uses: [[offer, gpus]],
      })),
    });
  }
  return { items, held, worth };
}

/** Quota and budget rows per tenant, half to slightly above what the tenant asks for. */
function limitsOf(draws: Draws, drafts: readonly Draft[], tenants: number): RowInput[] {
  const demand = new Float64Array(tenants);
  const money = new Float64Array(tenants);
  for (const draft of drafts) {
    demand[draft.tenant]! += draft.gpus * draft.replicas;
    money[draft.tenant]! += draft.gpus * draft.replicas * price(draft.need) * 1.1;
  }
  const quotas: RowInput[] = [];
  const budgets: RowInput[] = [];
  for (let tenant = 0; tenant < tenants; tenant++) {
    quotas.push({ kind: "quota", capacity: Math.ceil(demand[tenant]! * draws.uniform(0.5, 1.1)) });
    budgets.push({ kind: "budget", capacity: milli(money[tenant]! * draws.uniform(0.5, 1.3)) });
  }
  return [...quotas, ...budgets];
}
