import { type Accounts, copyAccounts, endHolding, enter, scopeIn } from "../assign/accounts.ts";
import { type Served, serve } from "../assign/serve.ts";
import { placeSingle } from "../assign/single.ts";
import { type Catalog, flavorOf, offerIndexOf } from "../compile/catalog.ts";
import { reachableMs } from "../compile/constraints/cost.ts";
import type { Scope } from "../compile/constraints/spec.ts";
import { encode } from "../compile/encode.ts";
import type { Need } from "../compile/need.ts";
import { progressOf } from "../compile/progress.ts";
import type { SpotChoice, SpotPlace } from "../model/decision.ts";
import { allowsSpot, type Intent } from "../model/intent.ts";
import type { Holding, SpotHistory } from "../model/snapshot.ts";
import { formatTime, parseTime } from "../model/time.ts";
import { RESTART_HOURS } from "../score/spot.ts";
import { assessSpot, type SpotSituation } from "./spot-policy.ts";

/** Length of a slot: a plan is made at least this often while work runs on spot capacity under a deadline. */
export const spotSlotSeconds = 300;

/** What the spot policy did about the intents of a plan. */
export interface SpotRuns {
  /** Accounts with the moves in them, and with where new work is wanted. */
  readonly accounts: Accounts;
  /** What moves to another place, and what waits for spot capacity; the rest goes its ordinary way. */
  readonly served: readonly Served[];
  /** Holdings of what moves or waits: they end. */
  readonly ended: readonly Holding[];
  /** What was decided, by intent, for all that the policy concerns. */
  readonly choices: ReadonlyMap<string, SpotChoice>;
}

/**
 * True for work that the policy is about: a batch that accepts spot capacity and survives interruptions, is after its cost,
 * and has a deadline.
 */
export function isSpotRun(intent: Intent): boolean {
  const { workload, constraints, objective, weights } = intent;
  const { batch, type } = workload;
  return (
    allowsSpot(intent) &&
    type === "batch" &&
    objective === "cost" &&
    weights === undefined &&
    batch?.checkpointIntervalSeconds !== undefined &&
    (batch.estimatedRuntimeSeconds ?? batch.timeoutSeconds) !== undefined &&
    constraints.deadline !== undefined &&
    workload.resources.gpu.fractionMilli === undefined &&
    workload.resources.gpu.migProfile === undefined
  );
}

/** A spot offer that would do for an intent. */
interface Zone {
  readonly row: number;
  readonly offer: number;
  readonly isUp: boolean;
  readonly upSlots: number;
}

/** An intent as the policy sees it. */
interface Case {
  readonly scope: Scope;
  readonly situation: SpotSituation;
  readonly zones: readonly Zone[];
  readonly isRunning: boolean;
}

const slotsOf = (seconds: number): number => Math.ceil(seconds / spotSlotSeconds);

const feasible = (scope: Scope): Uint32Array => scope.catalog.table.feasible(encode(scope, 1).query);

/** Slots since an offer's spot capacity came up; 1 where nothing is known. */
function upSlotsOf(
  history: SpotHistory | undefined,
  ownSince: string | undefined,
  { atMs }: Pick<Need, "atMs">,
): number {
  const since = [history?.upSince, ownSince].filter((time) => time !== undefined).map(parseTime);
  return since.length === 0
    ? 1
    : 1 + Math.max(0, Math.floor((atMs - Math.min(...since)) / 1000 / spotSlotSeconds));
}

/** Spot offers that would do if they were there, cheapest first, and whether they are. */
function zonesOf(scope: Scope, holdings: readonly Holding[]): Zone[] {
  const { catalog, need } = scope;
  const { snapshot, options } = catalog;
  const up = new Set(feasible(scope));
  const ever = [...feasible({ ...scope, usage: new Map(), asIfFree: true }), ...up];
  const history = new Map((snapshot.spotHistory ?? []).map((entry) => [entry.offer, entry]));
  const rows = [...new Set(ever)].filter((row) => options.spot[row] === 1).sort((a, b) => a - b);
  return rows.map((row): Zone => {
    const { id } = flavorOf(catalog, row);
    const own = holdings.find(({ offer, spot }) => offer === id && spot === true);
    const isUp = own !== undefined || up.has(row);
    return {
      row,
      offer: options.flavor[row]!,
      isUp,
      upSlots: isUp ? upSlotsOf(history.get(id), own?.since, need) : 0,
    };
  });
}

/** What was seen of the zones, in slots; an average zone where there are several. */
function seenOf({ snapshot }: Catalog, zones: readonly Zone[]): SpotSituation["seen"] {
  const ids = new Set(zones.map(({ offer }) => snapshot.offers[offer]!.id));
  const seen = (snapshot.spotHistory ?? []).filter(({ offer }) => ids.has(offer));
  const hours = (of: (entry: SpotHistory) => number): number => seen.reduce((sum, one) => sum + of(one), 0);
  const perHour = 3600 / spotSlotSeconds;
  const upSlots = Math.round(hours((one) => one.hours) * perHour);
  return {
    upSlots,
    slots: upSlots + Math.round(hours((one) => one.downHours ?? 0) * perHour),
    outages: hours((one) => one.interruptions),
  };
}

const unitMicro = ({ options }: Catalog, row: number): number =>
  Number.isNaN(options.unitMicro[row]!) ? options.wholeMicro[row]! : options.unitMicro[row]!;

/**
 * The situation of an intent, or null where there is nothing to choose: no spot capacity is ever sold that would do, or
 * it is no cheaper, or nothing is there on demand to fall back to.
 */
function caseOf(accounts: Accounts, intent: Intent, holdings: readonly Holding[]): Case | null {
  if (!isSpotRun(intent)) return null;
  const scope = scopeIn(accounts, intent);
  const { catalog, need } = scope;
  const { options, snapshot } = catalog;
  const progress = progressOf(snapshot, intent.name);
  // how far running work is has to be told
  if (holdings.length > 0 && progress === undefined) return null;
  const onDemand = [...feasible(scope)].filter((row) => options.spot[row] === 0);
  const zones = zonesOf(scope, holdings);
  if (onDemand.length === 0 || zones.length === 0 || need.deadlineMs === undefined) return null;
  const least = (rows: readonly number[]): number => Math.min(...rows.map((row) => unitMicro(catalog, row)));
  const priceRatio = least(zones.map(({ row }) => row)) / least(onDemand);
  if (!(priceRatio < 1)) return null;
  const cheapest = onDemand.reduce((a, b) => (unitMicro(catalog, b) < unitMicro(catalog, a) ? b : a));
  const remaining = slotsOf((reachableMs(scope, cheapest) - need.atMs) / 1000);
  const { estimatedRuntimeSeconds, timeoutSeconds } = intent.workload.batch ?? {};
  const total = estimatedRuntimeSeconds ?? timeoutSeconds ?? 0;
  const done = Math.min(progress?.doneSeconds ?? 0, total - 1);
  const since = holdings.map((one) => one.since).sort()[0];
  const started = parseTime(progress?.started ?? intent.submittedAt ?? since ?? snapshot.at);
  const left = Math.floor((need.deadlineMs - need.atMs) / 1000 / spotSlotSeconds);
  const restart = RESTART_HOURS * 3600;
  const place = holdings.find(({ spot }) => spot === true);
  const zone =
    place === undefined ? -1 : zones.findIndex(({ offer }) => snapshot.offers[offer]!.id === place.offer);
  const warmed = since === undefined ? 0 : (need.atMs - parseTime(since)) / 1000;
  return {
    scope,
    zones,
    isRunning: holdings.length > 0,
    situation: {
      work: Math.ceil((remaining * total) / (total - done)),
      remaining,
      deadline: left + Math.max(0, slotsOf((need.atMs - started) / 1000)),
      left,
      changeover: slotsOf(restart + (need.exposure.segmentHours ?? 0) * 3600),
      state: holdings.length === 0 ? "idle" : zone >= 0 ? zone : "on-demand",
      warming: slotsOf(Math.max(0, restart - warmed)),
      zones,
      slotSeconds: spotSlotSeconds,
      priceRatio,
      seen: seenOf(catalog, zones),
    },
  };
}

const placeOf = (state: SpotSituation["state"]): SpotPlace => (typeof state === "number" ? "spot" : state);

/** Why, in one sentence. */
function reasonOf({ situation, isRunning }: Case, choice: SpotPlace): string {
  const { zones, state } = situation;
  const from = placeOf(state);
  const up = zones.filter(({ isUp }) => isUp).length;
  if (choice === "spot")
    return from === "spot"
      ? "stays on spot capacity: an interruption still leaves time to finish on demand"
      : "spot capacity is there, and an interruption leaves time to finish on demand";
  if (choice === "idle")
    return "waits for spot capacity: there is more time until the deadline than has to be kept back";
  if (up === 0)
    return `${from === "on-demand" && isRunning ? "stays" : "goes"} on demand: no spot capacity is there, and the time to wait for it is used up`;
  return from === "on-demand" && isRunning
    ? "stays on demand: a change to spot capacity would not pay or not leave enough time"
    : "goes on demand: an interruption now would leave too little time";
}

function choiceOf(one: Case): SpotChoice {
  const { situation, zones, scope } = one;
  const { choice: state, slack, reserve } = assessSpot(situation);
  const choice = placeOf(state);
  const { remaining, changeover, priceRatio } = situation;
  const seconds = (slots: number): number => Math.round(slots * spotSlotSeconds);
  return {
    from: placeOf(situation.state),
    choice,
    offer: typeof state === "number" ? flavorOf(scope.catalog, zones[state]!.row).id : null,
    zones: zones.length,
    zonesUp: zones.filter(({ isUp }) => isUp).length,
    remainingSeconds: seconds(remaining),
    changeoverSeconds: seconds(changeover),
    slackSeconds: seconds(slack),
    reserveSeconds: seconds(reserve),
    onDemandBy: formatTime(
      Math.max(scope.need.atMs, scope.need.deadlineMs! - (seconds(remaining) + seconds(changeover)) * 1000),
    ),
    priceRatio,
    message: reasonOf(one, choice),
  };
}

/** The intent on demand, or in one spot offer alone; null where it finds no place there. */
function servedAt(accounts: Accounts, intent: Intent, choice: SpotChoice, k: number): Served | null {
  const scope = scopeIn(accounts, intent);
  const lodging =
    choice.choice === "spot" ? offerIndexOf(accounts.catalog.snapshot, choice.offer!) : "on-demand";
  const served = serve({ ...scope, lodging }, k);
  if (served.verdict.outcome !== "placed" || served.verdict.relaxations.length > 0) return null;
  return { ...served, verdict: { ...served.verdict, message: choice.message } };
}

/** An intent that nothing runs of until spot capacity comes, or its slack is used up. */
function idling(accounts: Accounts, intent: Intent, choice: SpotChoice, k: number): Served {
  const scope: Scope = { ...scopeIn(accounts, intent), lodging: "spot" };
  return {
    scope,
    stated: intent,
    result: { ...placeSingle(scope, k), shares: [], shortfall: null },
    verdict: {
      outcome: "waiting",
      reason: "WAITING_FOR_SPOT",
      message: `${choice.message}; it goes on demand by ${choice.onDemandBy} at the latest`,
      relaxations: [],
    },
  };
}

/**
 * Asks the spot policy about running and new work with a deadline. Running work that the policy wants elsewhere moves
 * there where there is room, and stays where it is otherwise; work that should wait for spot capacity waits. New work
 * that should run now is placed the ordinary way, on spot capacity or on demand as was chosen.
 *
 * @param accounts left alone
 * @param running holdings by intent
 */
export function runOnSpot(
  accounts: Accounts,
  {
    pending,
    kept,
    running,
    k,
  }: {
    readonly pending: readonly Intent[];
    readonly kept: ReadonlyMap<string, Intent>;
    readonly running: ReadonlyMap<string, readonly Holding[]>;
    readonly k: number;
  },
): SpotRuns {
  const concerned = [...pending, ...kept.values()].filter(isSpotRun);
  const choices = new Map<string, SpotChoice>();
  const served: Served[] = [];
  const ended: Holding[] = [];
  if (concerned.length === 0) return { accounts, served, ended, choices };
  const lodging = new Map<string, "spot" | "on-demand">();
  let now: Accounts = { ...copyAccounts(accounts), lodging };
  concerned.sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
  for (const intent of concerned) {
    const holdings = kept.has(intent.name) ? (running.get(intent.name) ?? []) : [];
    const trial = copyAccounts(now);
    for (const holding of holdings) endHolding(trial, holding);
    const one = caseOf(trial, intent, holdings);
    if (one === null) continue;
    const choice = choiceOf(one);
    choices.set(intent.name, choice);
    if (choice.choice !== "idle") {
      if (holdings.length === 0) lodging.set(intent.name, choice.choice);
      if (holdings.length === 0 || choice.from === choice.choice) continue;
    }
    const place =
      choice.choice === "idle" ? idling(trial, intent, choice, k) : servedAt(trial, intent, choice, k);
    if (place === null) {
      choices.set(intent.name, {
        ...choice,
        choice: choice.from,
        offer: null,
        message: `${choice.message}; there is no room for it, so it stays`,
      });
      continue;
    }
    if (choice.choice !== "idle") enter(trial, place);
    now = trial;
    served.push(place);
    ended.push(...holdings);
  }
  return { accounts: now, served, ended, choices };
}
