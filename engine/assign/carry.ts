import type { Basis } from "../milp/solver.ts";
import type { Cut } from "./cuts.ts";
import type { Formulation } from "./formulate.ts";
import type { Instance, Reduced, Units } from "./instance.ts";

/** Statuses in a basis, as HiGHS numbers them. */
const atLower = 0;
const basic = 1;

/** The linear program's basis in the indices of the instance it came from. */
export interface KeptBasis {
  /** Per option: status of its column. */
  readonly options: Int8Array;
  /** Per item: status of its row, and of the column that counts it where it has several copies. */
  readonly items: Int8Array;
  readonly placed: Int8Array;
  /** Per row of the instance. */
  readonly rows: Int8Array;
}

/** The cuts that bound the linear program in the end. */
export interface KeptCuts {
  readonly cuts: readonly Cut[];
  /** Per cut, and per row of the instance: what the program with cuts charges. */
  readonly prices: Float64Array;
  readonly rowPrices: Float64Array;
}

/** What one assignment leaves for the next of almost the same batch. */
export interface Carry {
  readonly units: Units;
  /** Per row. */
  readonly prices: Float64Array;
  /** Per item: worth of a copy to the offers, from the decomposition; NaN is unknown. */
  readonly values: Float64Array;
  readonly basis: KeptBasis | null;
  readonly cuts: KeptCuts | null;
}

/** Names of an instance's parts that stay the same from tick to tick; each unique in its list. */
export interface Keys {
  readonly items: readonly string[];
  readonly options: readonly string[];
  readonly rows: readonly string[];
}

/** A finished tick. */
export interface Tick {
  readonly keys: Keys;
  readonly carry: Carry;
}

/** Position in `from` of every key of `to`, or -1. Most follow each other as before, which is looked at first. */
function matches(from: readonly string[], to: readonly string[]): Int32Array {
  let positions: Map<string, number> | undefined;
  let next = 0;
  return Int32Array.from(to, (key) => {
    if (from[next] !== key) {
      positions ??= new Map(from.map((one, index) => [one, index]));
      const at = positions.get(key);
      if (at === undefined) return -1;
      next = at;
    }
    return next++;
  });
}

/** The source in another order; `Int8Array.from` takes several times as long. */
function picked(source: Int8Array, from: Int32Array, otherwise: number): Int8Array {
  const values = new Int8Array(from.length);
  for (let index = 0; index < from.length; index++)
    values[index] = from[index]! < 0 ? otherwise : source[from[index]!]!;
  return values;
}

/** Where the parts of a new batch were in a former one, or -1. */
interface Moved {
  readonly options: Int32Array;
  readonly items: Int32Array;
  readonly rows: Int32Array;
}

const movedBasis = (basis: KeptBasis, { options, items, rows }: Moved): KeptBasis => ({
  options: picked(basis.options, options, atLower),
  items: picked(basis.items, items, basic),
  placed: picked(basis.placed, items, atLower),
  rows: picked(basis.rows, rows, basic),
});

/** Cuts whose row is still there, over the items that are. */
function movedCuts(kept: KeptCuts, moved: Moved): KeptCuts {
  const rowNow = inverse(moved.rows);
  const itemNow = inverse(moved.items);
  const prices: number[] = [];
  const cuts = kept.cuts.flatMap((cut, index): Cut[] => {
    const row = rowNow.get(cut.row);
    if (row === undefined) return [];
    prices.push(kept.prices[index]!);
    const pairs = cut.items.flatMap((item, at) => {
      const now = itemNow.get(item);
      return now === undefined ? [] : [[now, cut.amounts[at]!] as const];
    });
    pairs.sort(([a], [b]) => a - b);
    return [
      {
        row,
        divisor: cut.divisor,
        items: pairs.map(([item]) => item),
        amounts: pairs.map(([, amount]) => amount),
      },
    ];
  });
  return {
    cuts,
    prices: Float64Array.from(prices),
    rowPrices: Float64Array.from(moved.rows, (at) => (at < 0 ? 0 : kept.rowPrices[at]!)),
  };
}

/** New position by old. */
const inverse = (from: Int32Array): Map<number, number> =>
  new Map(Array.from(from, (old, now) => [old, now] as const).filter(([old]) => old >= 0));

/**
 * A former tick in the indices of a new batch: what is new is unplaced, unpriced and out of the basis. The units need
 * not fit any more; whoever loads them takes what does.
 */
export function carryOver({ keys, carry }: Tick, to: Keys): Carry {
  const moved: Moved = {
    options: matches(keys.options, to.options),
    items: matches(keys.items, to.items),
    rows: matches(keys.rows, to.rows),
  };
  const { basis, cuts } = carry;
  return {
    units: Int32Array.from(moved.options, (at) => (at < 0 ? 0 : carry.units[at]!)),
    prices: Float64Array.from(moved.rows, (at) => (at < 0 ? 0 : carry.prices[at]!)),
    values: Float64Array.from(moved.items, (at) => (at < 0 ? Number.NaN : carry.values[at]!)),
    basis: basis === null ? null : movedBasis(basis, moved),
    cuts: cuts === null ? null : movedCuts(cuts, moved),
  };
}

/** A carry of the original in the indices of its reduced instance. */
export function reduceCarry(carry: Carry, { option }: Reduced): Carry {
  const { units, basis } = carry;
  return {
    ...carry,
    units: Int32Array.from(option, (at) => units[at]!),
    basis: basis === null ? null : { ...basis, options: picked(basis.options, option, atLower) },
  };
}

/** The other way; options that were dropped are out of the basis. */
export function restoreBasis(basis: KeptBasis, original: Instance, { option }: Reduced): KeptBasis {
  const options = new Int8Array(original.options).fill(atLower);
  for (const [index, at] of option.entries()) options[at] = basis.options[index]!;
  return { ...basis, options };
}

/** Writes a program's basis down per item and option; members of a class share their class's statuses. */
export function keepBasis(
  instance: Instance,
  { classes, optionColumn, placedColumn, instanceRows, classRow }: Formulation,
  { columns, rows }: Basis,
): KeptBasis {
  const kept: KeptBasis = {
    options: new Int8Array(instance.options),
    items: new Int8Array(instance.items),
    placed: new Int8Array(instance.items),
    rows: Int8Array.from(rows.subarray(0, instanceRows)),
  };
  for (let index = 0; index < classes.count; index++)
    for (let at = classes.start[index]!; at < classes.start[index + 1]!; at++) {
      const item = classes.member[at]!;
      const first = instance.optionStart[item]!;
      kept.items[item] = rows[classRow[index]!]!;
      if (placedColumn[index]! >= 0) kept.placed[item] = columns[placedColumn[index]!]!;
      for (let option = first; option < instance.optionStart[item + 1]!; option++)
        kept.options[option] = columns[optionColumn[index]! + option - first]!;
    }
  return kept;
}

/** A kept basis for a program of this instance. The solver mends what does not add up to a basis. */
export function basisFor(
  instance: Instance,
  { model, classes, optionColumn, placedColumn, instanceRows, classRow }: Formulation,
  kept: KeptBasis,
): Basis {
  const columns = new Int32Array(model.cols);
  const rows = new Int32Array(model.rows);
  for (let row = 0; row < instanceRows; row++) rows[row] = kept.rows[row]!;
  for (let index = 0; index < classes.count; index++) {
    const item = classes.member[classes.start[index]!]!;
    const first = instance.optionStart[item]!;
    rows[classRow[index]!] = kept.items[item]!;
    if (placedColumn[index]! >= 0) columns[placedColumn[index]!] = kept.placed[item]!;
    for (let option = first; option < instance.optionStart[item + 1]!; option++)
      columns[optionColumn[index]! + option - first] = kept.options[option]!;
  }
  return { columns, rows };
}
