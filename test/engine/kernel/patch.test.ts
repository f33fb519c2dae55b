import { expect, test } from "vitest";
import type { Job } from "../../../engine/kernel/job.ts";
import { kernelModule } from "../../../engine/kernel/load.ts";
import type { Predicate, Query } from "../../../engine/kernel/query.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import { type WasmTable, wasmTable } from "../../../engine/kernel/wasm.ts";
import { drawFrom, isSameAnswer, randomChange, randomColumns, randomQuery } from "./tables.ts";

const rows = 1100;

/** Where a predicate points to its own list, by kind: a union of bitmaps, a set of codes. */
const listWord = [3, -1, 4, 4, -1] as const;

/** What a job says, without the addresses of its own pieces. */
function contentOf({ memory }: WasmTable, { entries, parts, terms }: Job): unknown {
  const words = (at: number, count: number): number[] => [...memory.i32.subarray(at >> 2, (at >> 2) + count)];
  return {
    constraints: entries.map(({ places, references, slot, missingSlot, counted }) => ({
      slot,
      missingSlot,
      counted: counted === null ? null : { failed: counted.failed, unknown: counted.unknown },
      references: references.map((at) => words(at, 8)),
      predicates: places.map(({ at, list, listBytes }) => {
        const predicate = words(at, 16);
        const pointer = listWord[predicate[0]!]!;
        if (pointer >= 0) predicate[pointer] = 0;
        const content = words(list, listBytes >> 2);
        while (content.at(-1) === 0) content.pop();
        return { predicate, content };
      }),
    })),
    terms: terms.map(({ at, marginAt }) => [words(at, 8), words(marginAt, 1)]),
    margins: parts.map(({ margin }) => margin),
  };
}

/** A query whose constraints all read columns: rows decided by the caller lie in blocks of each job's own. */
function queryOverColumns(draw: (bound: number) => number, table: WasmTable): Query {
  const query = randomQuery(draw, table);
  return {
    ...query,
    constraints: query.constraints.filter(({ predicates }) =>
      predicates.every(({ kind }) => kind !== "bitmap"),
    ),
  };
}

test("a kept query is patched as columns change, and is then what a new one would be", () => {
  let patched = 0;
  let written = 0;
  for (let seed = 1; seed <= 3; seed++) {
    const draw = drawFrom(seed);
    const columns = randomColumns(rows, seed);
    const wasm = wasmTable({ module: kernelModule! }, columns, { firstBounds: [0, 3][seed % 2]! });
    const twin = twinTable(columns);
    const live = new Set(Array.from({ length: rows }, (_, row) => row));
    const kept = Array.from({ length: 6 }, () => queryOverColumns(draw, wasm));
    for (let round = 0; round < 15; round++) {
      for (let change = draw(6); change >= 0; change--) randomChange(draw, [wasm, twin], live);
      // removal and addition leave nothing behind either
      for (const stated of kept) {
        // by the object, or by what it says
        const query = round % 2 === 0 ? stated : structuredClone(stated);
        const context = `seed ${seed}, round ${round}`;
        expect(isSameAnswer(wasm.select(query), twin.select(query)), context).toBe(true);
        expect(wasm.feasible(query).join(), context).toBe(twin.feasible(query).join());
        const known = contentOf(wasm, wasm.jobs.get(query, [query]));
        expect(known).toEqual(contentOf(wasm, wasm.written([query]).job));
      }
      for (const [index, answer] of wasm.selectAll(kept).entries())
        expect(isSameAnswer(answer, twin.select(kept[index]!))).toBe(true);
    }
    patched += wasm.jobs.patched;
    // what was written for the comparison above does not count
    written += wasm.jobs.written - 15 * kept.length;
  }
  expect(patched).toBeGreaterThan(80);
  expect(written).toBeLessThan(patched);
});

test("a larger dictionary and values beyond all known ones patch a kept query, and do not write it anew", () => {
  const columns = randomColumns(rows, 3);
  const wasm = wasmTable({ module: kernelModule! }, columns);
  const twin = twinTable(columns);
  const all = new Uint32Array(64).fill(0xffffffff);
  const query: Query = {
    constraints: [
      { name: "price", predicates: [{ kind: "range", column: 8, max: 2_000_000, unknown: "fail" }] },
      {
        name: "site",
        predicates: [{ kind: "category", column: 2, allowed: all.slice(0, 7), unknown: "fail" }],
      },
      { name: "region", predicates: [{ kind: "category", column: 3, allowed: all, unknown: "fail" }] },
    ],
    terms: [{ column: 0, weight: 1 }],
    k: 3,
    margin: 0,
  };
  expect(wasm.select(query)).toEqual(twin.select(query));
  for (const table of [wasm, twin]) {
    table.setNumeric(8, 17, 1_500_000);
    table.setNumeric(8, 18, 2_500_000);
    table.setCategory(2, 19, 230);
    table.setCategory(3, 20, 900);
    table.setScore(0, 21, -1e6);
  }
  expect(wasm.select(query)).toEqual(twin.select(query));
  expect(wasm.select(query).failed[0]).toBe(1);
  expect([wasm.jobs.written, wasm.jobs.patched]).toEqual([1, 1]);
});

test("a range that nothing is within is counted anew once its column is encoded", () => {
  // found by the fuzz test: until then the host knows how many rows fail it, from then on only the kernel does
  const values = Float64Array.from({ length: 200 }, (_, row) => (row % 5 === 0 ? Number.NaN : row * 1000));
  const columns = { rows: 200, numeric: [{ name: "n", values }], category: [], flags: [], scores: [] };
  const wasm = wasmTable({ module: kernelModule! }, columns, { firstBounds: 2 });
  const twin = twinTable(columns);
  const within = (min: number, max: number): Query => ({
    constraints: [{ name: "c", predicates: [{ kind: "range", column: 0, min, max, unknown: "fail" }] }],
    terms: [],
    k: 1,
    margin: 0,
  });
  const nothing = within(90_000, 5);
  expect(wasm.select(nothing)).toEqual(twin.select(nothing));
  for (const max of [1, 2, 3]) wasm.select(within(0, max));
  // on no grid of decimals: the column is laid out anew, and its first bounds are others
  for (const table of [wasm, twin]) {
    table.setNumeric(0, 7, Math.PI);
    table.setNumeric(0, 8, Number.NaN);
  }
  for (const max of [1, 2]) wasm.select(within(0, max));
  expect(wasm.select(nothing)).toEqual(twin.select(nothing));
});

const rangeQuery = (max: number, rest: Partial<Query> = {}): Query => ({
  constraints: [
    { name: "a", predicates: [{ kind: "range", column: 1, max, unknown: "fail" }] },
    { name: "b", predicates: [{ kind: "flag", column: 1, value: 1, unknown: "fail" }] },
    {
      name: "c",
      predicates: [{ kind: "category", column: 0, allowed: Uint32Array.of(5), unknown: "fail" }],
    },
  ],
  terms: [{ column: 0, weight: 1 }],
  k: 3,
  margin: 0,
  ...rest,
});

test("a query that says the same in other objects is not encoded again; one that differs anywhere is", () => {
  const wasm = wasmTable({ module: kernelModule! }, randomColumns(rows, 3));
  const first = wasm.select(rangeQuery(10));
  for (let again = 0; again < 5; again++) expect(wasm.select(rangeQuery(10))).toEqual(first);
  expect(wasm.jobs.written).toBe(1);
  const [bound, flag, category] = rangeQuery(10).constraints;
  const others: readonly Query[] = [
    rangeQuery(11),
    rangeQuery(10, { k: 4 }),
    rangeQuery(10, { margin: 1 }),
    rangeQuery(10, { skip: 2 }),
    rangeQuery(10, { terms: [{ column: 1, weight: 1 }] }),
    rangeQuery(10, { terms: [{ column: 0, weight: 2 }] }),
    rangeQuery(10, { constraints: [flag!, bound!, category!] }),
    rangeQuery(10, {
      constraints: [bound!, { name: "d", predicates: [...flag!.predicates, ...category!.predicates] }],
    }),
    ...[{ column: 2 }, { min: 1 }, { unknown: "pass" }].map((other) =>
      rangeQuery(10, {
        constraints: [{ name: "a", predicates: [{ ...bound!.predicates[0]!, ...other } as Predicate] }],
      }),
    ),
    ...[{ column: 0 }, { value: 0 }].map((other) =>
      rangeQuery(10, {
        constraints: [{ name: "b", predicates: [{ ...flag!.predicates[0]!, ...other } as Predicate] }],
      }),
    ),
    ...[{ column: 1 }, { allowed: Uint32Array.of(4) }].map((other) =>
      rangeQuery(10, {
        constraints: [{ name: "c", predicates: [{ ...category!.predicates[0]!, ...other } as Predicate] }],
      }),
    ),
  ];
  for (const other of others) wasm.select(other);
  expect(wasm.jobs.written).toBe(1 + others.length);
  // what is feasible is another job, and is kept likewise
  const rowsOfAll = wasm.feasible(rangeQuery(10));
  expect(wasm.feasible(rangeQuery(10))).toEqual(rowsOfAll);
  expect(wasm.jobs.written).toBe(2 + others.length);
});

test("rows decided by the caller are told apart by whose bitmap it is, not by what it holds", () => {
  const columns = randomColumns(rows, 4);
  const wasm = wasmTable({ module: kernelModule! }, columns);
  const twin = twinTable(columns);
  const draw = drawFrom(2);
  const decided = (failed: Uint32Array): Query => ({
    ...rangeQuery(10),
    constraints: [{ name: "own", predicates: [{ kind: "bitmap", failed }] }],
  });
  for (let round = 0; round < 10; round++) {
    const failed = Uint32Array.from({ length: (rows + 31) >> 5 }, () => draw(2 ** 32));
    for (let again = 0; again < 2; again++)
      expect(wasm.select(decided(failed))).toEqual(twin.select(decided(failed)));
    expect(wasm.jobs.written).toBe(round + 1);
  }
});

test("queries of a batch with equal constraints compute them once", () => {
  const columns = randomColumns(rows, 5);
  const wasm = wasmTable({ module: kernelModule! }, columns);
  const twin = twinTable(columns);
  const batch = [rangeQuery(10), rangeQuery(10, { k: 7 }), rangeQuery(20)];
  expect(wasm.selectAll(batch)).toEqual(batch.map((query) => twin.select(query)));
  expect(wasm.jobs.get(batch, batch).entries).toHaveLength(4);
});

test("kept queries take little memory, and those that are asked for stay", () => {
  const many = 40_960;
  const values = Float64Array.from({ length: many }, (_, row) => row % 1000);
  const wasm = wasmTable(
    { module: kernelModule! },
    { rows: many, numeric: [{ name: "n", values }], category: [], flags: [], scores: [] },
  );
  const within = (...predicates: Predicate[]): Query => ({
    constraints: [{ name: "c", predicates }],
    terms: [],
    k: 1,
    margin: 0,
  });
  const atMost = (max: number): Predicate => ({ kind: "range", column: 0, max, unknown: "fail" });
  for (let index = 0; index < 100; index++) {
    wasm.select(within({ kind: "bitmap", failed: new Uint32Array(many / 32) }));
    wasm.select(within(atMost(100 + index)));
    wasm.select(within(atMost(5)));
    expect(wasm.jobs.bytes).toBeLessThanOrEqual(256 << 10);
  }
  expect(wasm.jobs.written).toBe(2 * 100 + 1);
});
