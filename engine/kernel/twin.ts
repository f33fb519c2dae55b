import type {
  Answer,
  CategoryColumn,
  Constraint,
  FlagColumn,
  NumericColumn,
  Predicate,
  Query,
  ScoreColumn,
  Table,
  TableColumns,
} from "./query.ts";

/** 0 passes, 1 fails on a known value, 2 fails because the value is unknown. */
type Verdict = 0 | 1 | 2;

/**
 * The plain TypeScript table: the reference the WASM kernel must equal bit for bit, and what serves where WASM
 * cannot load. Row by row, nothing clever.
 */
export function twinTable(columns: TableColumns): Table {
  const numeric: NumericColumn[] = [...columns.numeric];
  const category: CategoryColumn[] = [...columns.category];
  const flags: FlagColumn[] = [...columns.flags];
  const scores: ScoreColumn[] = [...columns.scores];

  const test = (predicate: Predicate, row: number): Verdict => {
    switch (predicate.kind) {
      case "range": {
        const value = numeric[predicate.column]!.values[row]!;
        if (Number.isNaN(value)) return predicate.unknown === "fail" ? 2 : 0;
        return value < (predicate.min ?? -Infinity) || value > (predicate.max ?? Infinity) ? 1 : 0;
      }
      case "category": {
        const code = category[predicate.column]!.codes[row]!;
        if (code < 0) return predicate.unknown === "fail" ? 2 : 0;
        return ((predicate.allowed[code >> 5]! >>> (code & 31)) & 1) === 1 ? 0 : 1;
      }
      case "flag": {
        const value = flags[predicate.column]!.values[row]!;
        if (value === 2) return predicate.unknown === "fail" ? 2 : 0;
        return value === predicate.value ? 0 : 1;
      }
      case "bitmap": {
        if (((predicate.failed[row >> 5]! >>> (row & 31)) & 1) === 0) return 0;
        return predicate.unknown !== undefined && ((predicate.unknown[row >> 5]! >>> (row & 31)) & 1) === 1
          ? 2
          : 1;
      }
    }
  };

  const testAll = (constraint: Constraint, row: number): Verdict => {
    let verdict: Verdict = 0;
    for (const predicate of constraint.predicates) {
      const one = test(predicate, row);
      if (one === 1) return 1;
      if (one === 2) verdict = 2;
    }
    return verdict;
  };

  const inUniverse = (query: Query, row: number): boolean =>
    query.skip === undefined || flags[query.skip]!.values[row]! !== 1;

  const score = (query: Query, row: number): number => {
    let sum = 0;
    for (const { column, weight } of query.terms)
      sum = Math.fround(sum + Math.fround(Math.fround(weight) * scores[column]!.values[row]!));
    return sum;
  };

  const select = (query: Query): Answer => {
    const count = query.constraints.length;
    const failed = new Uint32Array(count);
    const unknown = new Uint32Array(count);
    const sole = new Uint32Array(count);
    const found: { row: number; score: number }[] = [];
    let considered = 0;
    for (let row = 0; row < columns.rows; row++) {
      if (!inUniverse(query, row)) continue;
      considered++;
      let failures = 0;
      let last = -1;
      for (let index = 0; index < count; index++) {
        const verdict = testAll(query.constraints[index]!, row);
        if (verdict === 0) continue;
        failed[index]!++;
        if (verdict === 2) unknown[index]!++;
        failures++;
        last = index;
      }
      if (failures === 1) sole[last]!++;
      if (failures === 0) found.push({ row, score: score(query, row) });
    }
    const feasible = found.length;
    found.sort((a, b) => a.score - b.score || a.row - b.row);
    const limit = found[Math.min(query.k, feasible) - 1]?.score ?? -Infinity;
    const kept = found.filter((entry) => entry.score <= Math.fround(limit + Math.fround(query.margin)));
    return {
      considered,
      feasible,
      failed,
      unknown,
      sole,
      rows: Uint32Array.from(kept, (entry) => entry.row),
      scores: Float32Array.from(kept, (entry) => entry.score),
    };
  };

  const feasible = (query: Query): Uint32Array => {
    const rows: number[] = [];
    for (let row = 0; row < columns.rows; row++)
      if (inUniverse(query, row) && query.constraints.every((constraint) => testAll(constraint, row) === 0))
        rows.push(row);
    return Uint32Array.from(rows);
  };

  return {
    rows: columns.rows,
    backend: "typescript",
    addNumeric: (column) => numeric.push(column) - 1,
    addCategory: (column) => category.push(column) - 1,
    addFlag: (column) => flags.push(column) - 1,
    addScore: (column) => scores.push(column) - 1,
    select,
    feasible,
    dispose: () => undefined,
  };
}
