import type { Capacity, Flavor } from "../../engine/model/flavor.ts";
import { type Holding, offerIndexOf, type Snapshot } from "../../engine/model/snapshot.ts";

/** Sections of a snapshot that are short and stated as a whole whenever they differ. */
export type Rest = Omit<Snapshot, "currency" | "rates" | "hub" | "offers" | "skipped" | "warnings">;

/**
 * What happened to the federation between two plans, as plain data: the plan log and the planning thread tell each
 * state as the one before plus this, so that neither grows with what stays as it was.
 */
export interface Change {
  /** What is free now, by offer, where nothing else of the offer differs. */
  readonly capacity?: Readonly<Record<string, Capacity>>;
  /** Offers that are new, or differ in more. */
  readonly offers?: readonly Flavor[];
  /** Ids of offers that are gone. */
  readonly removed?: readonly string[];
  /** Our own holdings by key, new or changed; null: no longer held. In order. */
  readonly own?: readonly (readonly [key: string, holding: Holding | null])[];
  /** Sections that differ; `holdings` are those of others. */
  readonly rest?: Partial<Rest>;
}

/** What is held in the federation: by others, and by us under our keys in the order in which they came. */
export interface Held {
  foreign: readonly Holding[];
  readonly own: Map<string, Holding>;
}

/** Brings what is held to where it is after a change. */
export function changeHeld(held: Held, { own = [], rest }: Change): void {
  for (const [key, holding] of own)
    if (holding === null) held.own.delete(key);
    else held.own.set(key, holding);
  held.foreign = rest?.holdings ?? held.foreign;
}

/** The sections that a change states, and all that is held after it. */
export function restOf({ rest = {} }: Change, { foreign, own }: Held): Partial<Rest> {
  return { ...rest, holdings: [...foreign, ...own.values()] };
}

/** The offers of a snapshot that a change touches, as they are after it. */
export function offersOf(before: Snapshot, { capacity = {}, offers = [] }: Change): Flavor[] {
  const freed = Object.entries(capacity).flatMap(([id, free]) => {
    const offer = before.offers[offerIndexOf(before, id)];
    return offer === undefined ? [] : [{ ...offer, capacity: free }];
  });
  return [...freed, ...offers];
}

/** A snapshot after changes one after another, made without columns. */
export function snapshotAfter(before: Snapshot, changes: readonly Change[]): Snapshot {
  const held: Held = { foreign: before.holdings, own: new Map() };
  const offers = new Map(before.offers.map((offer) => [offer.id, offer]));
  let rest: Partial<Rest> = {};
  for (const change of changes) {
    changeHeld(held, change);
    rest = { ...rest, ...change.rest };
    for (const [id, capacity] of Object.entries(change.capacity ?? {})) {
      const offer = offers.get(id);
      if (offer !== undefined) offers.set(id, { ...offer, capacity });
    }
    for (const id of change.removed ?? []) offers.delete(id);
    for (const offer of change.offers ?? []) offers.set(offer.id, offer);
  }
  const sorted = [...offers.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { ...before, ...restOf({ rest }, held), offers: sorted };
}

const isSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

/** True when two offers differ in nothing but what is free of them. */
function isSameButFree(a: Flavor, b: Flavor): boolean {
  if (a.capacity.gpus !== b.capacity.gpus) return false;
  const keys = Object.keys(a) as (keyof Flavor)[];
  // most sources keep the parts of an offer; the others are compared by content
  if (keys.every((key) => key === "capacity" || a[key] === b[key])) return true;
  return isSame({ ...a, capacity: null }, { ...b, capacity: null });
}

/** What makes one list of offers, sorted by id, the other. Unchanged offers are told by their identity. */
export function offerChanges(
  before: readonly Flavor[],
  after: readonly Flavor[],
): Pick<Change, "capacity" | "offers" | "removed"> {
  if (before === after) return {};
  const capacity: Record<string, Capacity> = {};
  const offers: Flavor[] = [];
  const removed: string[] = [];
  const differ = (old: Flavor, now: Flavor): void => {
    if (!isSameButFree(now, old)) offers.push(now);
    else if (!isSame(now.capacity, old.capacity)) capacity[now.id] = now.capacity;
  };
  let at = 0;
  for (const now of after) {
    let old = before[at];
    if (old === now) {
      at++;
      continue;
    }
    for (; old !== undefined && old.id < now.id; old = before[++at]) removed.push(old.id);
    if (old?.id === now.id) {
      differ(old, now);
      at++;
    } else offers.push(now);
  }
  for (const { id } of before.slice(at)) removed.push(id);
  return {
    ...(Object.keys(capacity).length === 0 ? {} : { capacity }),
    ...(offers.length === 0 ? {} : { offers }),
    ...(removed.length === 0 ? {} : { removed }),
  };
}

/** The sections that differ; null when one is gone, which a change cannot say. */
export function restChanges(before: Rest, after: Rest): Partial<Rest> | null {
  const names = Object.keys(after) as (keyof Rest)[];
  if (Object.keys(before).some((name) => !names.includes(name as keyof Rest))) return null;
  return Object.fromEntries(
    names.flatMap((name) => (isSame(before[name], after[name]) ? [] : [[name, after[name]]])),
  );
}
