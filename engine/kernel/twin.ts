import { integerTerms, isWithin, quantize, type Scale, scaleOf } from "./quantize.ts";
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

const bitOf = (bits: Uint32Array, index: number): number => ((bits[index >> 5] ?? 0) >>> (index & 31)) & 1;

const verdictOf = (isUnknown: boolean, unknown: "fail" | "pass", passes: boolean): Verdict => {
  if (isUnknown) return unknown === "fail" ? 2 : 0;
  return passes ? 0 : 1;
};

/**
 * The plain TypeScript table: the reference the WASM kernel must equal bit for bit, and what serves where WASM
 * cannot load. Row by row, nothing clever.
 */
export function twinTable(columns: TableColumns): Table {
  const numeric: number[][] = [];
  const category: number[][] = [];
  const flags: number[][] = [];
  const scores: { values: number[]; scale: Scale }[] = [];
  const names = {
    numeric: [] as string[],
    category: [] as string[],
    flags: [] as string[],
    scores: [] as string[],
  };
  const sizes: number[] = [];
  const free: number[] = [...(columns.removed ?? [])];
  const removed = new Set<number>(free);
  let rows = columns.rows;

  const test = (predicate: Predicate, row: number): Verdict => {
    switch (predicate.kind) {
      case "range": {
        const value = numeric[predicate.column]![row]!;
        const { min = -Infinity, max = Infinity } = predicate;
        return verdictOf(Number.isNaN(value), predicate.unknown, value >= min && value <= max);
      }
      case "category": {
        const code = category[predicate.column]![row]!;
        return verdictOf(code < 0, predicate.unknown, bitOf(predicate.allowed, code) === 1);
      }
      case "flag": {
        const value = flags[predicate.column]![row]!;
        return verdictOf(value === 2, predicate.unknown, value === predicate.value);
      }
      case "bitmap": {
        if (bitOf(predicate.failed, row) === 0) return 0;
        return predicate.unknown !== undefined && bitOf(predicate.unknown, row) === 1 ? 2 : 1;
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
    !removed.has(row) && (query.skip === undefined || flags[query.skip]![row]! !== 1);

  const select = (query: Query): Answer => {
    const count = query.constraints.length;
    const failed = new Uint32Array(count);
    const unknown = new Uint32Array(count);
    const sole = new Uint32Array(count);
    const found: { row: number; score: number }[] = [];
    const { weights, margin } = integerTerms(
      query.terms.map(({ column, weight }) => ({ weight, scale: scores[column]!.scale })),
      query.margin,
    );
    const score = (row: number): number =>
      query.terms.reduce((sum, { column }, index) => {
        const { values, scale } = scores[column]!;
        return sum + weights[index]! * quantize(scale, values[row]!);
      }, 0);
    let considered = 0;
    for (let row = 0; row < rows; row++) {
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
      if (failures === 0) found.push({ row, score: score(row) });
    }
    const feasible = found.length;
    found.sort((a, b) => a.score - b.score || a.row - b.row);
    const kth = found[Math.max(1, query.k) - 1]?.score ?? Infinity;
    const kept = found.filter((entry) => entry.score <= kth + margin);
    return {
      considered,
      feasible,
      failed,
      unknown,
      sole,
      rows: Uint32Array.from(kept, (entry) => entry.row),
      scores: Int32Array.from(kept, (entry) => entry.score),
    };
  };

  const feasible = (query: Query): Uint32Array => {
    const found: number[] = [];
    for (let row = 0; row < rows; row++)
      if (inUniverse(query, row) && query.constraints.every((constraint) => testAll(constraint, row) === 0))
        found.push(row);
    return Uint32Array.from(found);
  };

  const addNumeric = ({ name, values }: NumericColumn, instead = numeric.length): number => {
    names.numeric[instead] = name;
    numeric[instead] = [...values];
    return instead;
  };
  const addCategory = ({ name, codes, size }: CategoryColumn): number => {
    names.category.push(name);
    sizes.push(size);
    return category.push([...codes]) - 1;
  };
  const addFlag = ({ name, values }: FlagColumn): number => {
    names.flags.push(name);
    return flags.push([...values]) - 1;
  };
  const addScore = ({ name, values }: ScoreColumn, instead = scores.length): number => {
    names.scores[instead] = name;
    scores[instead] = { values: [...values], scale: scaleOf(values, values.length) };
    return instead;
  };
  for (const column of columns.numeric) addNumeric(column);
  for (const column of columns.category) addCategory(column);
  for (const column of columns.flags) addFlag(column);
  for (const column of columns.scores) addScore(column);

  const setScore = (column: number, row: number, given: number): void => {
    const score = scores[column]!;
    const value = Math.fround(given);
    if (score.values[row] === value) return;
    score.values[row] = value;
    if (!isWithin(score.scale, value)) score.scale = scaleOf(Float32Array.from(score.values), rows);
  };

  const setNumeric = (column: number, row: number, value: number): void => {
    numeric[column]![row] = value;
  };
  const setCategory = (column: number, row: number, code: number): void => {
    sizes[column] = Math.max(sizes[column]!, code + 1);
    category[column]![row] = code;
  };
  const setFlag = (column: number, row: number, value: number): void => {
    flags[column]![row] = value;
  };

  const forget = (row: number): void => {
    for (const values of numeric) values[row] = Number.NaN;
    for (const codes of category) codes[row] = -1;
    for (const values of flags) values[row] = 2;
  };
  for (const row of removed) forget(row);

  const clearRow = (row: number): void => {
    forget(row);
    scores.forEach(({ values }, column) => {
      values[row] = Number.NaN;
      setScore(column, row, 0);
    });
  };

  return {
    get rows() {
      return rows;
    },
    backend: "typescript",
    bytes: 0,
    addNumeric,
    addCategory,
    addFlag,
    addScore,
    addRow: () => {
      const row = free.pop() ?? rows++;
      removed.delete(row);
      clearRow(row);
      return row;
    },
    removeRow: (row) => {
      removed.add(row);
      free.push(row);
      forget(row);
    },
    setNumeric,
    setCategory,
    setFlag,
    setScore,
    setNumerics: (column, rowList, values) => {
      rowList.forEach((row, index) => {
        setNumeric(column, row, values[index]!);
      });
    },
    setCategories: (column, rowList, codes) => {
      rowList.forEach((row, index) => {
        setCategory(column, row, codes[index]!);
      });
    },
    setFlags: (column, rowList, values) => {
      rowList.forEach((row, index) => {
        setFlag(column, row, values[index]!);
      });
    },
    setScores: (column, rowList, values) => {
      const score = scores[column]!;
      rowList.forEach((row, index) => {
        score.values[row] = values[index]!;
      });
      if (!values.every((value) => isWithin(score.scale, value)))
        score.scale = scaleOf(Float32Array.from(score.values), rows);
    },
    exact: (column) => Float64Array.from(numeric[column]!),
    select,
    selectAll: (queries) => queries.map(select),
    feasible,
    columns: () => ({
      rows,
      numeric: numeric.map((values, index) => ({
        name: names.numeric[index]!,
        values: Float64Array.from(values),
      })),
      category: category.map((codes, index) => ({
        name: names.category[index]!,
        codes: Int32Array.from(codes),
        size: sizes[index]!,
      })),
      flags: flags.map((values, index) => ({ name: names.flags[index]!, values: Uint8Array.from(values) })),
      scores: scores.map(({ values }, index) => ({
        name: names.scores[index]!,
        values: Float32Array.from(values),
      })),
      removed: Uint32Array.from(free),
    }),
    dispose: () => undefined,
  };
}
