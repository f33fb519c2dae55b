import { type Accounts, copyAccounts, endHolding, enter, openAccounts, scopeIn } from "../assign/accounts.ts";
import { addUsage, type Served, serve } from "../assign/serve.ts";
import { type Catalog, offerIndexOf } from "../compile/catalog.ts";
import { placementsOf } from "../explain/decision.ts";
import type { Placement } from "../model/decision.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Intent } from "../model/intent.ts";
import type { Micro } from "../model/money.ts";
import { parseTime } from "../model/time.ts";
import { RESTART_HOURS } from "../score/spot.ts";
import { holdingMicro } from "./failover.ts";
import { type Running, runningOf } from "./running.ts";

/** What makes a move worth proposing. */
export interface AdviceOptions {
  /** Least saving, as a share of what the work costs now: below it prices flicker. Default 0.1. */
  readonly leastShare?: number;
  /** The move must have paid for itself within this many hours. Default 24. */
  readonly horizonHours?: number;
  /** Micro-units for moving the data of one intent, once. Default 0: not known. */
  readonly egressMicro?: Micro;
}

/** One move that pays, for somebody to decide on: nothing moves by itself. */
export interface Proposal {
  /**
   * `right-size`: it pays for more than it uses, whole nodes or larger GPUs; `cheaper`: the same for less;
   * `consolidate`: the last work on an offer goes where other work runs already.
   */
  readonly kind: "right-size" | "cheaper" | "consolidate";
  readonly intent: string;
  readonly tenant: string;
  readonly from: readonly string[];
  readonly to: readonly Placement[];
  /** Micro-units per hour. */
  readonly beforeMicro: Micro;
  readonly afterMicro: Micro;
  /** Once: work since the last checkpoint, restart, egress. */
  readonly moveMicro: Micro;
  /** Hours until the saving has paid the move; null where it saves nothing by itself. */
  readonly paybackHours: number | null;
  /** Offers that are empty afterwards. */
  readonly empties: readonly string[];
  readonly isAssumed: boolean;
}

const hour = 3_600_000;

/** What a search for proposals works on. */
interface Run {
  readonly catalog: Catalog;
  readonly accounts: Accounts;
  readonly offers: ReadonlyMap<string, Flavor>;
  readonly options: Required<AdviceOptions>;
  readonly atMs: number;
}

const sum = (amounts: readonly number[]): number => amounts.reduce((all, amount) => all + amount, 0);

const costOf = ({ catalog, offers }: Run, { holdings }: Running): Micro =>
  sum(holdings.map((one) => holdingMicro(catalog.snapshot, offers, one)));

/** What a move costs once: the work since the last checkpoint at today's price, the restart at tomorrow's, egress. */
function moveCost(run: Run, { intent, holdings }: Running, before: Micro, after: Micro): Micro {
  const lostHours =
    intent.workload.type === "service"
      ? 0
      : Math.max(
          ...holdings.map(({ since, lastCheckpoint }) =>
            Math.max(0, run.atMs - parseTime(lastCheckpoint ?? since)),
          ),
        ) / hour;
  return Math.ceil(before * lostHours + after * RESTART_HOURS + run.options.egressMicro);
}

/** Hours that running work is still expected to run; Infinity for services. */
const hoursLeft = ({ atMs }: Run, { holdings }: Running): number =>
  Math.min(
    ...holdings.map(({ until }) =>
      until === undefined ? Number.POSITIVE_INFINITY : (parseTime(until) - atMs) / hour,
    ),
  );

/** Accounts in which the work has ended, and the best place for it then. */
function placedAgain(
  run: Run,
  { intent, holdings }: Running,
  barred: readonly string[],
): { readonly served: Served; readonly trial: Accounts } | null {
  const trial = copyAccounts(run.accounts);
  for (const holding of holdings) endHolding(trial, holding);
  const used = new Map(trial.usage);
  for (const id of barred) {
    const offer = offerIndexOf(run.catalog.snapshot, id);
    const { capacity } = run.catalog.snapshot.offers[offer]!;
    addUsage(trial.usage, offer, { gpus: capacity.gpus, cpuMilli: 0, memoryMib: 0, pods: 0 }, 1);
  }
  const served = serve(scopeIn(trial, intent), 4);
  if (served.verdict.outcome !== "placed" || served.verdict.relaxations.length > 0) return null;
  trial.usage.clear();
  for (const [offer, amount] of used) trial.usage.set(offer, amount);
  return { served, trial };
}

/** True when the offers of a placement sell the work more than it asks for. */
function isOversized({ offers }: Run, { holdings, intent }: Running): boolean {
  const { gpu } = intent.workload.resources;
  return holdings.some(({ offer: id, gpus }) => {
    const offer = offers.get(id);
    if (offer === undefined) return false;
    const isWhole = !offer.divisible && offer.capacity.gpus > gpus;
    const wanted = gpu.memoryMibMin;
    const isLarge = wanted !== undefined && (offer.gpu.memoryMib ?? 0) >= 2 * wanted;
    return isWhole || isLarge;
  });
}

const isSame = (placements: readonly Placement[], { holdings }: Running): boolean =>
  placements.length === holdings.length &&
  placements.every(({ offer, spot }) =>
    holdings.some((one) => one.offer === offer && (one.spot ?? false) === spot),
  );

/** A move of one running intent that pays, everybody else pinned; null when there is none. */
function cheaper(run: Run, one: Running): { readonly proposal: Proposal; readonly trial: Accounts } | null {
  const before = costOf(run, one);
  const found = placedAgain(run, one, []);
  if (found === null) return null;
  const { served, trial } = found;
  const to = placementsOf(served.scope, served.result.shares);
  const after = sum(to.map(({ costMicro }) => costMicro));
  const saving = before - after;
  if (saving < before * run.options.leastShare || saving <= 0 || isSame(to, one)) return null;
  const moveMicro = moveCost(run, one, before, after);
  const paybackHours = moveMicro / saving;
  if (paybackHours > Math.min(run.options.horizonHours, hoursLeft(run, one) - RESTART_HOURS)) return null;
  enter(trial, served);
  return {
    trial,
    proposal: {
      kind: isOversized(run, one) ? "right-size" : "cheaper",
      intent: one.name,
      tenant: one.intent.tenant,
      from: [...new Set(one.holdings.map(({ offer }) => offer))],
      to,
      beforeMicro: before,
      afterMicro: after,
      moveMicro,
      paybackHours,
      empties: [],
      isAssumed: one.isAssumed,
    },
  };
}

/** Moves that empty an offer without costing more, or null: all of its work goes where other work runs. */
function emptied(
  run: Run,
  offer: string,
  work: readonly Running[],
  inUse: ReadonlySet<string>,
): { readonly proposals: Proposal[]; readonly accounts: Accounts } | null {
  let accounts = run.accounts;
  const proposals: Proposal[] = [];
  for (const one of work) {
    const found = placedAgain({ ...run, accounts }, one, [offer]);
    if (found === null) return null;
    const to = placementsOf(found.served.scope, found.served.result.shares);
    const before = costOf(run, one);
    const after = sum(to.map(({ costMicro }) => costMicro));
    if (to.some(({ offer: id }) => id === offer || !inUse.has(id)) || after > before) return null;
    const moveMicro = moveCost(run, one, before, after);
    if (hoursLeft(run, one) <= RESTART_HOURS) return null;
    enter(found.trial, found.served);
    accounts = found.trial;
    const { name, intent, isAssumed } = one;
    proposals.push({
      kind: "consolidate",
      intent: name,
      tenant: intent.tenant,
      from: [...new Set(one.holdings.map((holding) => holding.offer))],
      to,
      beforeMicro: before,
      afterMicro: after,
      moveMicro,
      paybackHours: before > after ? moveMicro / (before - after) : null,
      empties: [offer],
      isAssumed,
    });
  }
  return { proposals, accounts };
}

/**
 * Moves of running work that would pay: first what saves most, each in the federation that the ones before leave, so
 * that all of them can be taken together; then offers that a few moves would empty. A move has to save at least
 * `leastShare`, pay back within the horizon and before the work ends; so a small flicker of prices proposes nothing.
 *
 * @param intents what running work asked for, where known
 */
export function advise(
  catalog: Catalog,
  intents: readonly Intent[],
  options: AdviceOptions = {},
): Proposal[] {
  const { snapshot } = catalog;
  let run: Run = {
    catalog,
    accounts: openAccounts(catalog),
    offers: new Map(snapshot.offers.map((offer) => [offer.id, offer])),
    options: { leastShare: 0.1, horizonHours: 24, egressMicro: 0, ...options },
    atMs: parseTime(snapshot.at),
  };
  const running = runningOf(snapshot, intents);
  const saving = ({ beforeMicro, afterMicro }: Proposal): number => beforeMicro - afterMicro;
  const first = running
    .map((one) => ({ one, found: cheaper(run, one) }))
    .filter(({ found }) => found !== null)
    .sort(
      (a, b) => saving(b.found!.proposal) - saving(a.found!.proposal) || (a.one.name < b.one.name ? -1 : 1),
    );
  const proposals: Proposal[] = [];
  for (const { one } of first) {
    const found = cheaper(run, one);
    if (found === null) continue;
    proposals.push(found.proposal);
    run = { ...run, accounts: found.trial };
  }
  const moved = new Set(proposals.map(({ intent }) => intent));
  return [
    ...proposals,
    ...consolidate(
      run,
      running.filter(({ name }) => !moved.has(name)),
      proposals,
    ),
  ];
}

/** Offers with the least in use first; work that moves already, or onto the offer, leaves it out. */
function consolidate(start: Run, running: readonly Running[], taken: readonly Proposal[]): Proposal[] {
  let run = start;
  const { snapshot } = run.catalog;
  const workOn = new Map<string, Running[]>();
  for (const one of running)
    for (const offer of new Set(one.holdings.map((holding) => holding.offer)))
      workOn.set(offer, [...(workOn.get(offer) ?? []), one]);
  const targets = new Set(taken.flatMap(({ to }) => to.map(({ offer }) => offer)));
  const sources = new Set(taken.flatMap(({ from }) => from));
  const inUse = new Set([...workOn.keys(), ...targets]);
  const gpusOn = (offer: string): number =>
    sum(snapshot.holdings.filter((one) => one.offer === offer).map(({ gpus }) => gpus));
  const candidates = [...workOn.keys()]
    .filter((id) => {
      const offer = run.offers.get(id);
      if (offer === undefined || targets.has(id) || sources.has(id)) return false;
      // what runs there without a holding cannot be moved
      return gpusOn(id) >= offer.capacity.gpus - offer.capacity.gpusFree;
    })
    .sort((a, b) => gpusOn(a) - gpusOn(b) || (a < b ? -1 : 1));
  const proposals: Proposal[] = [];
  const touched = new Set<string>();
  for (const offer of candidates) {
    const work = workOn.get(offer)!;
    if (touched.has(offer) || work.some(({ name }) => touched.has(name))) continue;
    inUse.delete(offer);
    const found = emptied(run, offer, work, inUse);
    if (found === null) {
      inUse.add(offer);
      continue;
    }
    run = { ...run, accounts: found.accounts };
    proposals.push(...found.proposals);
    for (const { intent, to } of found.proposals) {
      touched.add(intent);
      for (const placement of to) touched.add(placement.offer);
    }
  }
  return proposals;
}
