import type {
  Answer,
  Constraint,
  Predicate,
  Query,
  Table,
  TableColumns,
} from "../../../engine/kernel/query.ts";

/** Whole numbers below a bound, from a seed. */
export type Draw = (bound: number) => number;

export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % bound;
  };
}

/** Values that meet rounding: small integers, neighbours of a bound that share its f32, extremes, unknown. */
const hard = [
  0,
  1,
  2,
  3,
  -1,
  16_777_217,
  16_777_216,
  33_554_431,
  0.1,
  Math.fround(0.1),
  Number.NaN,
  1e300,
  -1e300,
];

const unknownOr = (draw: Draw, value: number): number => (draw(9) === 0 ? Number.NaN : value);

/**
 * One generator of values per numeric layout: few values, an exact dictionary, quantiles over integers, decimals, f32
 * and f64, and integers too far apart for remainders.
 */
const kinds: readonly ((draw: Draw) => number)[] = [
  (draw) => unknownOr(draw, draw(4)),
  (draw) => hard[draw(hard.length)]!,
  (draw) => unknownOr(draw, draw(900) - 50),
  (draw) => unknownOr(draw, 50_000 + draw(200_000_000)),
  (draw) => unknownOr(draw, draw(1_000_000) / 1000),
  (draw) => unknownOr(draw, Math.fround(draw(1e9) / 7e8 + 0.6)),
  (draw) => unknownOr(draw, draw(1e9) / 3e7),
  (draw) => (draw(20) === 0 ? draw(1e9) * 1e5 : draw(50)),
  (draw) => draw(1_000_000),
];

/** Sizes of dictionaries: bitmaps, bytes and half-words. */
const sizes = [3, 30, 200, 700] as const;

const codeOf = (draw: Draw, size: number): number => draw(size + 1) - 1;
const scoreOf = (draw: Draw, column: number): number =>
  Math.fround([draw(5), draw(1000) / 7 - 50, draw(3) - 1][column % 3]!);

export function randomColumns(rows: number, seed: number): TableColumns {
  const draw = drawFrom(seed);
  const fill = <T>(make: () => T): T[] => Array.from({ length: rows }, make);
  return {
    rows,
    numeric: kinds.map((kind, index) => ({
      name: `n${index}`,
      values: Float64Array.from(fill(() => kind(draw))),
    })),
    category: sizes.map((size, index) => ({
      name: `c${index}`,
      codes: Int32Array.from(fill(() => codeOf(draw, size))),
      size,
    })),
    flags: [
      { name: "flag", values: Uint8Array.from(fill(() => draw(3))) },
      { name: "known", values: Uint8Array.from(fill(() => draw(2))) },
      { name: "skip", values: Uint8Array.from(fill(() => (draw(5) === 0 ? 1 : 0))) },
    ],
    scores: Array.from({ length: 10 }, (_, index) => ({
      name: `s${index}`,
      values: Float32Array.from(fill(() => scoreOf(draw, index))),
    })),
  };
}

/** A bound: a stored value or its neighbour, or anything. */
function boundOf(draw: Draw, table: Table, column: number): number {
  const values = table.exact(column);
  const near = values.length === 0 ? 0 : values[draw(values.length)]!;
  if (Number.isNaN(near) || draw(6) === 0) return kinds[column]!(draw) || 0;
  return near + [0, 0, 0, 1e-9, -1e-9, 1, -1][draw(7)]!;
}

function predicateOf(draw: Draw, table: Table): Predicate {
  const unknown = draw(3) === 0 ? "pass" : "fail";
  const kind = draw(10);
  if (kind < 6) {
    const column = draw(kinds.length);
    const sides = draw(8);
    return {
      kind: "range",
      column,
      ...(sides < 5 ? { min: boundOf(draw, table, column) } : {}),
      ...(sides > 3 && sides < 7 ? { max: boundOf(draw, table, column) } : {}),
      unknown,
    };
  }
  if (kind < 8) {
    const column = draw(sizes.length);
    const dense = draw(3);
    const allowed = new Uint32Array((sizes[column]! + 31) >> 5);
    for (let word = 0; word < allowed.length; word++)
      allowed[word] = dense === 0 ? 1 << draw(32) : dense === 1 ? draw(2 ** 32) | draw(2 ** 32) : 0xffffffff;
    return { kind: "category", column, allowed, unknown };
  }
  if (kind < 9) return { kind: "flag", column: draw(2), value: draw(2) as 0 | 1, unknown };
  const failed = Uint32Array.from({ length: (table.rows + 31) >> 5 }, () => draw(2 ** 32) & draw(2 ** 32));
  return draw(2) === 0
    ? { kind: "bitmap", failed }
    : { kind: "bitmap", failed, unknown: failed.map((word) => word & draw(2 ** 32)) };
}

export function randomQuery(draw: Draw, table: Table): Query {
  const constraints = Array.from(
    { length: draw(9) },
    (_, index): Constraint => ({
      name: `k${index}`,
      predicates: Array.from({ length: draw(3) === 0 ? draw(4) : 1 }, () => predicateOf(draw, table)),
    }),
  );
  return {
    constraints,
    ...(draw(2) === 0 ? { skip: 2 } : {}),
    terms: Array.from({ length: draw(4) }, () => ({ column: draw(10), weight: draw(5) / 4 })),
    k: 1 + draw(20),
    margin: [0, 0.001, 2][draw(3)]!,
  };
}

/** The same random change of some row in every table. */
export function randomChange(draw: Draw, tables: readonly Table[], live: Set<number>): void {
  const rows = [...live];
  const what = draw(8);
  if (what === 0 || rows.length === 0) {
    const added = tables.map((table) => table.addRow());
    live.add(added[0]!);
    if (new Set(added).size !== 1) throw new Error(`tables chose different rows: ${added.join(", ")}`);
    return;
  }
  const row = rows[draw(rows.length)]!;
  if (what === 1) {
    live.delete(row);
    for (const table of tables) table.removeRow(row);
    return;
  }
  const column = draw(kinds.length);
  if (draw(6) === 0) {
    // few at a time and many, some rows twice
    const some = Uint32Array.from({ length: 1 + draw(40) }, () => rows[draw(rows.length)]!);
    const values = Float64Array.from(some, () => kinds[column]!(draw));
    const named = draw(sizes.length);
    const codes = Int32Array.from(some, () => codeOf(draw, sizes[named]! + draw(2)));
    const flags = Uint8Array.from(some, () => draw(3));
    const scored = draw(10);
    const scores = Float32Array.from(some, () => scoreOf(draw, scored));
    for (const table of tables) {
      table.setNumerics(column, some, values);
      table.setCategories(named, some, codes);
      table.setFlags(0, some, flags);
      table.setScores(scored, some, scores);
    }
    return;
  }
  const value = kinds[column]!(draw);
  const category = draw(sizes.length);
  // beyond the dictionary from time to time
  const code = draw(12) === 0 ? sizes[category]! + draw(4) : codeOf(draw, sizes[category]!);
  const flag = draw(3);
  const yes = draw(3) as 0 | 1 | 2;
  const score = draw(10);
  const points = draw(30) === 0 ? draw(1e6) : scoreOf(draw, score);
  for (const table of tables) {
    if (what < 5) table.setNumeric(column, row, value);
    else if (what === 5) table.setCategory(category, row, code);
    else if (what === 6) table.setFlag(flag, row, flag === 0 ? yes : ((yes & 1) as 0 | 1));
    else table.setScore(score, row, points);
  }
}

const isSameList = (a: Uint32Array | Int32Array, b: Uint32Array | Int32Array): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index]);

/** Whether two answers say the same: a tenth of what `toEqual` takes, for tests that compare very many. */
export function isSameAnswer(a: Answer, b: Answer): boolean {
  return (
    a.considered === b.considered &&
    a.feasible === b.feasible &&
    isSameList(a.failed, b.failed) &&
    isSameList(a.unknown, b.unknown) &&
    isSameList(a.sole, b.sole) &&
    isSameList(a.rows, b.rows) &&
    isSameList(a.scores, b.scores)
  );
}
