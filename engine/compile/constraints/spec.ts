import type { Calendar } from "../../calendar/calendar.ts";
import type { Predicate } from "../../kernel/query.ts";
import type { Change } from "../../model/decision.ts";
import type { Intent } from "../../model/intent.ts";
import type { Standing } from "../../model/quota.ts";
import type { ConstraintName } from "../../model/reason.ts";
import { type Catalog, rowsOfOffer } from "../catalog.ts";
import type { DevicePart } from "../devices.ts";
import type { Need } from "../need.ts";

/**
 * GPUs, CPU, memory and pods of an offer that this plan already promised; less than 0 where it frees more by
 * evictions. An offer sold whole counts with all its GPUs, and is gone while any is promised.
 */
export interface Usage {
  readonly gpus: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly pods: number;
  /** Parts of devices; a device that a part opens counts in `gpus`. */
  readonly parts?: readonly DevicePart[];
}

/** True where a plan frees capacity: then more is there than the columns say. */
export function frees(usage: ReadonlyMap<number, Usage>): boolean {
  for (const { gpus, cpuMilli, memoryMib, pods } of usage.values())
    if (gpus < 0 || cpuMilli < 0 || memoryMib < 0 || pods < 0) return true;
  return false;
}

/** Room in the quotas of one tenant, per resource that is counted for it. */
export interface Limits {
  readonly now: readonly Standing[];
  readonly ever: readonly Standing[];
}

/** What constraints may look at. */
export interface Scope {
  readonly catalog: Catalog;
  readonly need: Need;
  readonly usage: ReadonlyMap<number, Usage>;
  /** What the tenant's quotas leave it, and would leave it if nobody used anything; absent: not limited. */
  readonly limits?: Limits;
  /** Judges offers as if nothing ran on them and no outage with a known end were on: could it ever fit? */
  readonly asIfFree: boolean;
  /** Spot capacity has to leave time to finish on demand after an interruption. */
  readonly keepsReserve?: boolean;
  /**
   * What the spot policy chose for a batch with a deadline: capacity on demand, spot capacity, or that of the offer with an
   * index. Absent: nothing was chosen.
   */
  readonly lodging?: "on-demand" | "spot" | number;
  /** The plan's own calendar, with what `usage` counts in it; absent: the snapshot's. */
  readonly calendar?: Calendar;
}

/** An intent with one field changed, and the change in the words of the JSON form. */
export interface Relaxation {
  readonly intent: Intent;
  readonly change: Change;
}

/**
 * One hard constraint: how it filters, and how it would have to change to admit given rows.
 * `predicates` returns null when the intent does not state the constraint.
 */
export interface ConstraintSpec {
  readonly name: ConstraintName;
  readonly predicates: (scope: Scope) => readonly Predicate[] | null;
  /**
   * The smallest change that admits at least one of `rows` (each of them fails this constraint), or null when the
   * constraint is not the user's to change. `rows` come best score first, for choices without an order.
   */
  readonly relax?: (scope: Scope, rows: readonly number[]) => Relaxation | null;
}

/** A copy of `intent` with the field at `path` set, or removed when `value` is undefined. */
export function withField(intent: Intent, path: readonly string[], value: unknown): Intent {
  const set = (node: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> => {
    const key = path[depth]!;
    const copy: Record<string, unknown> = { ...node };
    if (depth === path.length - 1) {
      if (value === undefined) delete copy[key];
      else copy[key] = value;
    } else {
      copy[key] = set((node[key] ?? {}) as Readonly<Record<string, unknown>>, depth + 1);
    }
    return copy;
  };
  return set(intent as unknown as Record<string, unknown>, 0) as unknown as Intent;
}

/** Bitmap over rows of those of the given offers, by index, for which `test` says so: most plans concern few offers. */
export function bitmapOfOffers(
  catalog: Catalog,
  offers: Iterable<number>,
  test: (offer: number, row: number) => boolean,
): Uint32Array {
  const bits = new Uint32Array((catalog.options.count + 31) >> 5);
  for (const offer of offers)
    for (const row of rowsOfOffer(catalog, offer)) if (test(offer, row)) bits[row >> 5]! |= 1 << (row & 31);
  return bits;
}

/** Bitmap over rows of those for which `test` says so. */
export function bitmapOf(rows: number, test: (row: number) => boolean): Uint32Array {
  const bits = new Uint32Array((rows + 31) >> 5);
  for (let row = 0; row < rows; row++) if (test(row)) bits[row >> 5]! |= 1 << (row & 31);
  return bits;
}
