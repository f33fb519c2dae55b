import { createModelBuilder, type LinearModel } from "../milp/model.ts";
import type { Classes } from "./classes.ts";
import type { Instance } from "./instance.ts";

/**
 * A mixed-integer rounding cut of one row: the row divided by `divisor` and rounded, after the units of some items were
 * counted from above (how many are missing) instead of from below. It follows from the row and these numbers alone, so
 * it can be drawn up again for another batch.
 *
 * @see Marchand, Wolsey, "Aggregation and mixed integer rounding to solve MIPs" (2001)
 */
export interface Cut {
  readonly row: number;
  /** > 0 */
  readonly divisor: number;
  /** Items counted from above, ascending, and the amount of the row that stands for each of their units. */
  readonly items: readonly number[];
  readonly amounts: readonly number[];
}

/** A cut over the options of an instance: `sum of values * units <= limit` holds for every assignment. */
export interface CutRow {
  readonly options: Int32Array;
  readonly values: Float64Array;
  readonly limit: number;
}

/** A cut with its row, and how far the point that called for it breaks it. */
export interface DrawnCut {
  readonly cut: Cut;
  readonly cutRow: CutRow;
  readonly depth: number;
}

/** Rounded sides with a fraction outside this range make weak or shaky cuts. */
const leastFraction = 0.02;
const mostFraction = 0.98;
/** Cuts that a point breaks by less are not worth a row. */
const leastDepth = 1e-3;
/** Divisors and changes of direction tried per row. */
const mostDivisors = 16;
const mostTurns = 12;

/** A class in one row. */
interface Share {
  /** Copies per counted unit: all of an item's where the row sees all of its options, so that it comes whole, else 1. */
  readonly size: number;
  /** Most counted units; 0 where a unit covers several copies: those are counted from below only. */
  readonly most: number;
  /** Least amount of one copy. */
  readonly least: number;
}

/** One row of an instance: its entries and the classes in it. */
interface RowView {
  readonly options: Int32Array;
  readonly amounts: Float64Array;
  /** Per entry. */
  readonly classes: Int32Array;
  readonly shares: ReadonlyMap<number, Share>;
}

/** What cuts of an instance need: its rows, and which items count as one. */
export interface CutFrame {
  readonly instance: Instance;
  readonly rows: readonly RowView[];
  /** Per item: its class; interchangeable items are counted in the same direction. */
  readonly classOf: Int32Array;
  readonly classes: Classes;
}

/** Lays out what cuts of an instance need. */
export function cutFrameOf(instance: Instance, classes: Classes): CutFrame {
  const { items, rows, optionStart, useStart, useRow, useAmount } = instance;
  const classOf = new Int32Array(items);
  for (let index = 0; index < classes.count; index++)
    for (let at = classes.start[index]!; at < classes.start[index + 1]!; at++)
      classOf[classes.member[at]!] = index;
  const start = new Int32Array(rows + 1);
  for (const row of useRow) start[row + 1]! += 1;
  for (let row = 0; row < rows; row++) start[row + 1]! += start[row]!;
  const next = start.slice();
  const options = new Int32Array(useRow.length);
  const amounts = new Float64Array(useRow.length);
  const ofEntry = new Int32Array(useRow.length);
  for (let item = 0; item < items; item++)
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++)
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
        const at = next[useRow[use]!]!++;
        options[at] = option;
        amounts[at] = useAmount[use]!;
        ofEntry[at] = classOf[item]!;
      }
  const views = Array.from({ length: rows }, (_, row) => {
    const [from, to] = [start[row]!, start[row + 1]!];
    const view = {
      options: options.subarray(from, to),
      amounts: amounts.subarray(from, to),
      classes: ofEntry.subarray(from, to),
    };
    return { ...view, shares: sharesOf(instance, classes, view) };
  });
  return { instance, rows: views, classOf, classes };
}

/** How the classes of a row are counted. */
function sharesOf(
  { optionStart, copies, covers }: Instance,
  { start, member }: Classes,
  { options, amounts, classes }: Omit<RowView, "shares">,
): Map<number, Share> {
  const seen = new Map<number, { entries: number; least: number; isPlain: boolean }>();
  for (let at = 0; at < options.length; at++) {
    const index = classes[at]!;
    const isPlain = covers[options[at]!] === 1 || copies[member[start[index]!]!] === 1;
    const entry = seen.get(index);
    if (entry === undefined) seen.set(index, { entries: 1, least: amounts[at]!, isPlain });
    else {
      entry.entries++;
      entry.least = Math.min(entry.least, amounts[at]!);
      entry.isPlain &&= isPlain;
    }
  }
  const shares = new Map<number, Share>();
  for (const [index, { entries, least, isPlain }] of seen) {
    const item = member[start[index]!]!;
    const members = start[index + 1]! - start[index]!;
    const isWhole = isPlain && entries === members * (optionStart[item + 1]! - optionStart[item]!);
    const size = isWhole ? copies[item]! : 1;
    shares.set(index, { size, least, most: isPlain ? (members * copies[item]!) / size : 0 });
  }
  return shares;
}

/** Classes counted from above, with the amount that stands for one of their copies. */
type Turned = ReadonlyMap<number, number>;

/** `value` rounded down, with the part of its fraction kept that exceeds `fraction`. */
function rounded(value: number, fraction: number): number {
  const whole = Math.floor(value + 1e-9);
  return whole + Math.max(0, value - whole - fraction) / (1 - fraction);
}

/** Per class of a row, what every option of it weighs in a cut, and what remains of its amount to be rounded. */
interface Weighing {
  readonly base: number;
  readonly deducted: number;
}

/** The row of a cut; null where rounding says nothing. */
function draw({ instance, rows }: CutFrame, row: number, divisor: number, turned: Turned): CutRow | null {
  const { options, amounts, classes, shares } = rows[row]!;
  let side = instance.capacity[row]!;
  for (const [index, unit] of turned) {
    const { size, most } = shares.get(index)!;
    side -= unit * size * most;
  }
  const whole = Math.floor(side / divisor + 1e-9);
  const fraction = side / divisor - whole;
  if (fraction < leastFraction || fraction > mostFraction) return null;
  let limit = whole;
  const weighings = new Map<number, Weighing>();
  for (const [index, { size, most, least }] of shares) {
    const unit = turned.get(index);
    if (unit !== undefined) {
      const missing = rounded((-unit * size) / divisor, fraction);
      limit -= missing * most;
      weighings.set(index, { base: -missing / size, deducted: unit });
    } else if (size > 1)
      weighings.set(index, { base: rounded((least * size) / divisor, fraction) / size, deducted: least });
  }
  const kept: number[] = [];
  const values: number[] = [];
  for (let at = 0; at < options.length; at++) {
    const weighing = weighings.get(classes[at]!);
    const value =
      weighing === undefined
        ? rounded(amounts[at]! / divisor, fraction)
        : weighing.base + rounded((amounts[at]! - weighing.deducted) / divisor, fraction);
    if (Math.abs(value) < 1e-9) continue;
    kept.push(options[at]!);
    values.push(value);
  }
  if (kept.length === 0) return null;
  // a hair more than exact, for the rounding of the coefficients
  return {
    options: Int32Array.from(kept),
    values: Float64Array.from(values),
    limit: limit + 1e-8 * (1 + Math.abs(limit)),
  };
}

/** The row of a kept cut in this instance; null where it says nothing any more. */
export function drawCut(frame: CutFrame, { row, divisor, items, amounts }: Cut): CutRow | null {
  const turned = new Map<number, number>();
  const { shares } = frame.rows[row]!;
  for (const [at, item] of items.entries()) {
    const index = frame.classOf[item]!;
    if ((shares.get(index)?.most ?? 0) > 0) turned.set(index, amounts[at]!);
  }
  return draw(frame, row, divisor, turned);
}

/** How far a point breaks a row, in lengths of the row. */
function depthOf({ options, values, limit }: CutRow, point: Float64Array): number {
  let activity = 0;
  let norm = 0;
  for (let at = 0; at < options.length; at++) {
    activity += values[at]! * point[options[at]!]!;
    norm += values[at]! * values[at]!;
  }
  return (activity - limit) / Math.sqrt(norm);
}

/** True where the point leaves no room in the cut's row. */
export const isTight = (cutRow: CutRow, point: Float64Array): boolean => depthOf(cutRow, point) > -1e-6;

/** A class at a point of one row: its counted units there, and the amount that most of its copies use. */
interface Here {
  units: number;
  amount: number;
  largest: number;
}

/** What a point puts into a row, by class; null where the row has room left. */
function contentsOf(
  { rows, instance }: CutFrame,
  row: number,
  point: Float64Array,
): Map<number, Here> | null {
  const { options, amounts, classes, shares } = rows[row]!;
  const contents = new Map<number, Here>();
  let activity = 0;
  for (let at = 0; at < options.length; at++) {
    const copies = point[options[at]!]!;
    if (copies <= 1e-7) continue;
    activity += copies * amounts[at]!;
    const index = classes[at]!;
    const here = contents.get(index) ?? { units: 0, amount: 0, largest: 0 };
    contents.set(index, here);
    here.units += copies / shares.get(index)!.size;
    if (copies <= here.largest) continue;
    here.amount = amounts[at]!;
    here.largest = copies;
  }
  return activity < instance.capacity[row]! * (1 - 1e-6) ? null : contents;
}

/** Where a search for cuts of a row begins: classes counted from above, and divisors to try. */
function startOf(shares: RowView["shares"], contents: ReadonlyMap<number, Here>) {
  const turned = new Map<number, number>();
  const divisors = new Set<number>();
  for (const [index, { units, amount, largest }] of contents) {
    const { size, most, least } = shares.get(index)!;
    if (most > 0 && units > most / 2) turned.set(index, amount);
    const isUndecided = units < most - 1e-6 || (size === 1 && largest < units - 1e-6) || most === 0;
    if (isUndecided) divisors.add(size > 1 ? least * size : amount);
  }
  return { turned, divisors: [...divisors].slice(0, mostDivisors) };
}

/** The deepest cut found for one row: several divisors, then classes counted the other way, most undecided first. */
function separateRow(frame: CutFrame, row: number, point: Float64Array): DrawnCut | null {
  const contents = contentsOf(frame, row, point);
  if (contents === null) return null;
  const { shares } = frame.rows[row]!;
  const { turned, divisors } = startOf(shares, contents);
  let best: DrawnCut | null = null;
  let bestTurned: Turned = turned;
  const attempt = (divisor: number, how: Turned): void => {
    const cutRow = draw(frame, row, divisor, how);
    if (cutRow === null) return;
    const depth = depthOf(cutRow, point);
    if (depth <= (best?.depth ?? leastDepth)) return;
    best = { cut: { row, divisor, items: [], amounts: [] }, cutRow, depth };
    bestTurned = how;
  };
  for (const divisor of divisors) attempt(divisor, turned);
  if (best === null) return null;
  const { divisor } = (best as DrawnCut).cut;
  for (const part of [2, 4, 8]) attempt(divisor / part, turned);
  const half = (index: number): number =>
    Math.abs(contents.get(index)!.units / shares.get(index)!.most - 0.5);
  const undecided = [...contents]
    .filter(([index, { units }]) => units < shares.get(index)!.most - 1e-6)
    .map(([index]) => index)
    .sort((a, b) => half(a) - half(b) || a - b);
  for (const index of undecided.slice(0, mostTurns)) {
    const other = new Map(bestTurned);
    if (!other.delete(index)) other.set(index, contents.get(index)!.amount);
    attempt((best as DrawnCut).cut.divisor, other);
  }
  return withItems(best, bestTurned, frame.classes);
}

/** The cut with every member of the turned classes written down. */
function withItems({ cut, cutRow, depth }: DrawnCut, turned: Turned, { start, member }: Classes): DrawnCut {
  const pairs = [...turned].flatMap(([index, amount]) =>
    Array.from(member.subarray(start[index]!, start[index + 1]!), (item) => [item, amount] as const),
  );
  pairs.sort(([a], [b]) => a - b);
  return {
    cut: { ...cut, items: pairs.map(([item]) => item), amounts: pairs.map(([, amount]) => amount) },
    cutRow,
    depth,
  };
}

/** Cuts that a point (units per option, fractions of them too) breaks: the deepest found of each full row. */
export function separate(frame: CutFrame, point: Float64Array): DrawnCut[] {
  const found: DrawnCut[] = [];
  for (let row = 0; row < frame.instance.rows; row++) {
    const cut = separateRow(frame, row, point);
    if (cut !== null) found.push(cut);
  }
  return found;
}

/**
 * The model with cuts as further rows, after all others.
 *
 * @param columnOf per option of the instance: its column, or -1 where the model leaves it out or another column stands
 *   for it
 */
export function withCuts(model: LinearModel, cuts: readonly CutRow[], columnOf: Int32Array): LinearModel {
  if (cuts.length === 0) return model;
  const builder = createModelBuilder();
  for (const { options, values, limit } of cuts) {
    const row = builder.addRow(-Infinity, limit);
    for (const [at, option] of options.entries())
      if (columnOf[option]! >= 0) builder.put(row, columnOf[option]!, values[at]!);
  }
  const more = builder.build();
  const entries = model.indices.length;
  const joined = <Numbers extends Int32Array | Float64Array>(
    a: Numbers,
    b: Numbers,
    make: (length: number) => Numbers,
  ): Numbers => {
    const all = make(a.length + b.length);
    all.set(a);
    all.set(b, a.length);
    return all;
  };
  const ints = (length: number): Int32Array => new Int32Array(length);
  const floats = (length: number): Float64Array => new Float64Array(length);
  return {
    ...model,
    rows: model.rows + more.rows,
    starts: joined(
      model.starts,
      more.starts.slice(1).map((start) => start + entries),
      ints,
    ),
    indices: joined(model.indices, more.indices, ints),
    values: joined(model.values, more.values, floats),
    rowLower: joined(model.rowLower, more.rowLower, floats),
    rowUpper: joined(model.rowUpper, more.rowUpper, floats),
  };
}
