import type { EvictionCause } from "../model/eviction.ts";
import { type Accounts, quotaAmounts } from "./accounts.ts";
import type { Blocker } from "./claim.ts";
import { type Served, takenBy } from "./serve.ts";
import type { Victim } from "./victims.ts";

/** Who could be asked to make way. */
export interface Occupants {
  readonly accounts: Accounts;
  /** Still running. */
  readonly victims: readonly Victim[];
  /** Placed by this plan, by name. */
  readonly placed: ReadonlyMap<string, Served>;
  /** Of those, the ones that nobody may displace. */
  readonly pinned?: ReadonlySet<string>;
}

/** Limits of one claim. */
export interface ClaimRules {
  /** Running work to leave alone. */
  readonly spared: ReadonlySet<string>;
  /** The claimant stays within what its tenant owns. */
  readonly owns: boolean;
  /** Nothing that the plan has just given away is taken back by the right of an owner. */
  readonly sparesFresh: boolean;
}

interface Right {
  readonly cause: EvictionCause;
  readonly whileBorrowing: boolean;
}

interface Holder {
  readonly tenant: string;
  readonly priority: number;
  readonly isEvictable: boolean;
}

/**
 * By what right a claimant may take a place, or null. Higher priority takes from lower. A claimant that would borrow
 * quota takes only from borrowers, its own tenant's or others': what it took from anybody else might be taken right
 * back, and the circle would never end. A claimant within its tenant's quota takes back what that lends, whatever the
 * priority.
 */
function rightOver(
  { books }: Accounts,
  { stated: { tenant, priority } }: Served,
  holder: Holder,
  owns: boolean,
): Right | null {
  const resources = books.resourcesOf(tenant);
  const borrows = resources.some((resource) => books.borrowsFrom(holder.tenant, tenant, resource));
  if (holder.priority < priority && holder.isEvictable) {
    if (owns || resources.length === 0) return { cause: "priority", whileBorrowing: false };
    if (borrows) return { cause: "priority", whileBorrowing: true };
  }
  return owns && borrows && holder.tenant !== tenant ? { cause: "reclaim", whileBorrowing: true } : null;
}

/**
 * Everybody who stands in the way of a claim and may be asked to leave: what runs, and, free of charge, what the plan
 * has just given away.
 */
export function blockersOf(
  { accounts, victims, placed, pinned }: Occupants,
  claimant: Served,
  { spared, owns, sparesFresh }: ClaimRules,
): Blocker[] {
  const blockers: Blocker[] = [];
  for (const victim of victims) {
    if (spared.has(victim.intent) || !victim.isRipe) continue;
    const right = rightOver(accounts, claimant, victim, owns);
    if (right === null) continue;
    const { tenant, frees, amounts, cost } = victim;
    blockers.push({ victim, fresh: null, tenant, frees, amounts, cost, ...right });
  }
  const fresh = [...placed.values()].filter(({ stated }) => pinned?.has(stated.name) !== true);
  const priorityOf = ({ stated }: Served): number => stated.priority;
  for (const one of fresh.sort((a, b) => priorityOf(a) - priorityOf(b))) {
    const { tenant, priority } = one.stated;
    // it has not run yet: nothing is lost, and no guarantee protects it
    const right = rightOver(accounts, claimant, { tenant, priority, isEvictable: true }, owns);
    if (right === null || (sparesFresh && right.cause === "reclaim")) continue;
    const amounts = quotaAmounts(accounts.books, one);
    blockers.push({ victim: null, fresh: one, tenant, frees: takenBy(one), amounts, cost: 0, ...right });
  }
  return blockers;
}
