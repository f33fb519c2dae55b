import { offerIndexOf } from "../compile/catalog.ts";
import { EngineError } from "../model/errors.ts";
import type { Intent } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import type { ReasonCode } from "../model/reason.ts";
import type { Holding, Snapshot } from "../model/snapshot.ts";
import { type Accounts, endHolding, scopeIn } from "./accounts.ts";
import type { Served } from "./serve.ts";
import { placeSingle } from "./single.ts";

/** The intents of a plan, sorted by what has to be done about them. */
export interface Admission {
  /** To be placed. */
  readonly pending: readonly Intent[];
  /** Input that cannot be planned, refused with the reason. */
  readonly refused: readonly Served[];
  /** Running intents that stay where they are unless they are evicted, by name. */
  readonly kept: ReadonlyMap<string, Intent>;
  /** What runs, by intent; without what lost a part of its place. */
  readonly running: ReadonlyMap<string, readonly Holding[]>;
  /** What is left of running work that lost a part of its place: it ends. */
  readonly ended: readonly Holding[];
}

/** Why an intent cannot be planned, or null. */
function problemOf(
  { catalog, books }: Accounts,
  intent: Intent,
): { readonly reason: ReasonCode; readonly message: string } | null {
  const tenant = books.tree.problems.get(intent.tenant);
  if (tenant !== undefined)
    return { reason: "INVALID_TENANT", message: `the quotas of its tenant cannot be read: ${tenant.own}` };
  const bid = intent.bidPerGpuHour;
  const { currency, rates } = catalog.snapshot;
  if (bid !== undefined && convert(bid, currency, rates) === null)
    return {
      reason: "INVALID_INTENT",
      message: `bid.max_price_per_gpu_hour is in ${bid.currency}, for which the snapshot has no rate`,
    };
  return null;
}

/** Holdings by intent, per snapshot that plans were made for lately; do not change them. */
const grouped = new WeakMap<Snapshot, Map<string, Holding[]>>();

function runningIn(snapshot: Snapshot): Map<string, Holding[]> {
  const known = grouped.get(snapshot);
  if (known !== undefined) return known;
  const groups = Map.groupBy(snapshot.holdings, ({ intent }) => intent);
  grouped.set(snapshot, groups);
  return groups;
}

/**
 * Sorts intents out: broken input is refused, an intent that already runs (a holding has its name) stays, everything
 * else is pending. A running intent that lost an offer, or part of a gang, is pending again: what is left of it ends.
 *
 * @param accounts changed where running work lost its place
 * @throws {EngineError} `duplicate_id` when two intents share a name
 */
export function admit(accounts: Accounts, intents: readonly Intent[], k: number): Admission {
  const { snapshot, downtime } = accounts.catalog;
  const running = runningIn(snapshot);
  const isLost = ({ offer }: Holding): boolean => {
    const index = offerIndexOf(snapshot, offer);
    return index < 0 || downtime.down.has(index);
  };
  const names = new Set<string>();
  const pending: Intent[] = [];
  const refused: Served[] = [];
  const kept = new Map<string, Intent>();
  const ended: Holding[] = [];
  const lost = new Set<string>();
  for (const intent of [...intents].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name } = intent;
    if (names.has(name))
      throw new EngineError("duplicate_id", `two intents are named ${name}; names must be unique`);
    names.add(name);
    const holdings = running.get(name);
    if (holdings !== undefined && !holdings.some(isLost)) {
      kept.set(name, intent);
      continue;
    }
    for (const holding of holdings ?? []) {
      endHolding(accounts, holding);
      ended.push(holding);
    }
    if (holdings !== undefined) lost.add(name);
    const problem = problemOf(accounts, intent);
    if (problem === null) pending.push(intent);
    else refused.push(refusedAs(accounts, intent, problem, k));
  }
  // one copy for all that is lost: the groups are shared by every plan of the snapshot
  const left = lost.size === 0 ? running : new Map([...running].filter(([name]) => !lost.has(name)));
  return { pending, refused, kept, running: left, ended };
}

function refusedAs(
  accounts: Accounts,
  intent: Intent,
  problem: { readonly reason: ReasonCode; readonly message: string },
  k: number,
): Served {
  const scope = scopeIn(accounts, intent);
  return {
    scope,
    stated: intent,
    result: { ...placeSingle(scope, k), shares: [], shortfall: null },
    verdict: { outcome: "refused", ...problem, relaxations: [] },
  };
}
