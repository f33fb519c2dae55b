import { offerIndexOf } from "../compile/catalog.ts";
import type { Intent } from "../model/intent.ts";
import type { MoveRules } from "../model/plan.ts";
import type { Holding } from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";
import { type Accounts, copyAccounts, endHolding, scopeIn } from "./accounts.ts";
import { billedShare } from "./replicas.ts";
import type { Served } from "./serve.ts";
import { placeSingle } from "./single.ts";
import { type Victim, victimsOf } from "./victims.ts";

/** Running work that a batch may move: served where it runs, and what leaving costs. */
export interface Mover {
  readonly served: Served;
  /** Option row where it runs. */
  readonly row: number;
  readonly offer: string;
  readonly holdings: readonly Holding[];
  /** What a move has to bring to be worth it, in the measure of its candidates' cost: restart, lost work, hysteresis. */
  readonly costMicro: number;
}

export interface MoveOptions {
  /** Running intents of this plan, by name. */
  readonly kept: ReadonlyMap<string, Intent>;
  readonly running: ReadonlyMap<string, readonly Holding[]>;
  readonly rules: MoveRules;
}

/** Candidates among which the present place has to be: further down, nothing is known of it in a batch. */
const knownCandidates = 32;

const hour = 3_600_000;

/** Running work as if it were served where it runs; null where it cannot move, or does not belong there any more. */
function moverOf(
  accounts: Accounts,
  intent: Intent,
  { holdings, cost, isRipe, isEvictable }: Victim,
  { horizonHours, leastShare }: MoveRules,
): Mover | null {
  const [holding, ...others] = holdings;
  if (holding === undefined || others.length > 0 || !isRipe || !isEvictable) return null;
  const { catalog } = accounts;
  const trial = copyAccounts(accounts);
  endHolding(trial, holding);
  const scope = scopeIn(trial, intent);
  const { need } = scope;
  const isWhole = need.replicas === 1 || need.perOffer > 1;
  const asks = need.gpus * need.replicas;
  if (!isWhole || need.part !== undefined || holding.gpus !== asks) return null;
  if ((intent.constraints.spread?.minDomains ?? 1) > 1) return null;
  const offer = offerIndexOf(catalog.snapshot, holding.offer);
  const isSpot = Number(holding.spot ?? false);
  const result = placeSingle(scope, knownCandidates);
  const candidate = result.ranked
    .slice(0, knownCandidates)
    .find(({ row }) => catalog.options.flavor[row] === offer && catalog.options.spot[row] === isSpot);
  if (candidate === undefined) return null;
  const billedMicro = billedShare(scope, candidate.row, need.replicas);
  const hoursLeft =
    holding.until === undefined ? Number.POSITIVE_INFINITY : (parseTime(holding.until) - need.atMs) / hour;
  if (!(hoursLeft > 0)) return null;
  // candidates cost per hour, or to completion where the work ends: the move is counted in the same measure
  const isHourly = need.runtime.source === "none";
  const stayMicro = isHourly ? billedMicro : candidate.values.cost;
  const once = isHourly
    ? cost / Math.min(horizonHours, hoursLeft)
    : cost * Math.max(1, stayMicro / billedMicro / horizonHours);
  return {
    served: {
      scope,
      stated: intent,
      result: {
        ...result,
        shares: [{ candidate, replicas: need.replicas, billedMicro }],
        shortfall: null,
      },
      verdict: { outcome: "placed", reason: "PLACED", message: "runs", relaxations: [] },
    },
    row: candidate.row,
    offer: holding.offer,
    holdings,
    costMicro: Math.ceil(once) + Math.ceil(leastShare * stayMicro),
  };
}

/**
 * Running work that may be moved: evictable, past its `min_runtime`, on one offer, and still one of the better choices
 * there. By name.
 */
export function moversOf(accounts: Accounts, { kept, running, rules }: MoveOptions): Map<string, Mover> {
  const movers = new Map<string, Mover>();
  const mine = new Map([...running].filter(([name]) => kept.has(name)));
  for (const victim of victimsOf(accounts.catalog, accounts.books, mine, kept)) {
    const mover = moverOf(accounts, kept.get(victim.intent)!, victim, rules);
    if (mover !== null) movers.set(victim.intent, mover);
  }
  return movers;
}

/** The accounts as if the work did not run; the original where there is none. */
export function withoutMovers(accounts: Accounts, movers: Iterable<Mover>): Accounts {
  const holdings = [...movers].flatMap((mover) => mover.holdings);
  if (holdings.length === 0) return accounts;
  const freed = copyAccounts(accounts);
  for (const holding of holdings) endHolding(freed, holding);
  return freed;
}

/** True where a mover is served elsewhere than it runs. */
const isElsewhere = ({ result }: Served, { row }: Mover): boolean =>
  result.shares.length !== 1 || result.shares[0]!.candidate.row !== row;

/** A served batch without the running work that stays; what moves says so. */
export function sortMoves(
  served: readonly Served[],
  movers: ReadonlyMap<string, Mover>,
): { readonly served: readonly Served[]; readonly moved: readonly Mover[] } {
  if (movers.size === 0) return { served, moved: [] };
  const moved: Mover[] = [];
  const others = served.flatMap((one): Served[] => {
    const mover = movers.get(one.stated.name);
    if (mover === undefined) return [one];
    if (!isElsewhere(one, mover)) return [];
    moved.push(mover);
    return [{ ...one, verdict: { ...one.verdict, message: `moves from ${mover.offer}, where it runs` } }];
  });
  return { served: others, moved };
}
