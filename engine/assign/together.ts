import type { Intent } from "../model/intent.ts";
import type { PlanOptions } from "../model/plan.ts";
import type { Holding } from "../model/snapshot.ts";
import type { Terms } from "../model/terms.ts";
import type { Accounts } from "./accounts.ts";
import { type Contended, type ContendOptions, contend } from "./contend.ts";
import { type Mover, moversOf, sortMoves, withoutMovers } from "./moves.ts";
import type { Served } from "./serve.ts";
import { termsOf } from "./terms.ts";

/** Everybody who competes, and what stays as it is. */
export interface Competition {
  readonly pending: readonly Intent[];
  /** The pending intents in their order of precedence, served one after the other. */
  readonly served: readonly Served[];
  /** Of those, the ones that keep what they were served. */
  readonly pinned: ReadonlySet<string>;
  readonly kept: ReadonlyMap<string, Intent>;
  readonly running: ReadonlyMap<string, readonly Holding[]>;
  /** Running work about which somebody else decides. */
  readonly decided: ReadonlyMap<string, unknown>;
}

export type TogetherOptions = Omit<ContendOptions, "terms" | "pinned" | "movers"> &
  Pick<PlanOptions, "moves" | "together"> & { readonly terms?: Terms };

/** A batch served together. */
export interface Together extends Pick<Competition, "served" | "pinned" | "kept" | "running"> {
  /** Null where nobody competed. */
  readonly batch: Contended | null;
  /** Without the running work that moved. */
  readonly accounts: Accounts;
  /** What ends where running work moved. */
  readonly ended: readonly Holding[];
  /** What binds whoever is placed. */
  readonly terms: Terms;
}

/**
 * Serves the pending intents together where they compete, and with them, if the options say so, running work that may
 * move. What moves is served like a pending intent that keeps its place; everything else that runs stays.
 *
 * @param start the accounts before anything was given away, for the limits
 */
export async function serveTogether(
  start: Accounts,
  accounts: Accounts,
  { pending, served, pinned, kept, running, decided }: Competition,
  { terms, moves, together, ...options }: TogetherOptions,
): Promise<Together> {
  const mayMove = (): Map<string, Intent> => new Map([...kept].filter(([name]) => !decided.has(name)));
  const movers =
    moves === undefined || together === false
      ? new Map<string, Mover>()
      : moversOf(accounts, { kept: mayMove(), running, rules: moves });
  const boundWithout = (gone: readonly Mover[]): Terms =>
    terms ?? termsOf(withoutMovers(start, gone), [...pending, ...gone.map(({ served }) => served.stated)]);
  const usual = movers.size === 0 ? boundWithout([]) : null;
  const bound = (gone: Iterable<Mover>): Terms => usual ?? boundWithout([...gone]);
  const competes = together !== false && (pending.length > 1 || movers.size > 0);
  const all = [...[...movers.values()].map((mover) => mover.served), ...served];
  const batch = competes
    ? await contend(withoutMovers(accounts, movers.values()), all, {
        ...options,
        terms: bound(movers.values()),
        pinned,
        movers,
      })
    : null;
  const { moved, served: others } = sortMoves(batch?.served ?? served, movers);
  const names = new Set(moved.map((mover) => mover.served.stated.name));
  const stays = ([name]: readonly [string, unknown]): boolean => !names.has(name);
  return {
    batch,
    served: others,
    pinned: new Set([...pinned, ...names]),
    // as they are in most plans: copies of what runs cost more than a single arrival
    kept: names.size === 0 ? kept : new Map([...kept].filter(stays)),
    running: names.size === 0 ? running : new Map([...running].filter(stays)),
    accounts: withoutMovers(accounts, moved),
    ended: moved.flatMap(({ holdings }) => holdings),
    terms: bound(moved),
  };
}
