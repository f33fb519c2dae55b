import fc from "fast-check";
import { expect, test } from "vitest";
import { kernelModule } from "../../../engine/kernel/load.ts";
import type { Constraint, Predicate, Query, TableColumns } from "../../../engine/kernel/query.ts";
import { twinTable } from "../../../engine/kernel/twin.ts";
import { wasmTable } from "../../../engine/kernel/wasm.ts";

const sizes = [0, 1, 63, 64, 65, 1023, 1024, 1025, 2100] as const;

/** Values that meet f32 rounding: small integers, neighbours of a bound that share its f32, unknown. */
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

function columnsOf(rows: number, seed: number): TableColumns {
  let state = seed >>> 0;
  const next = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * bound);
  };
  const fill = <T>(make: () => T): T[] => Array.from({ length: rows }, make);
  return {
    rows,
    numeric: [
      { name: "small", values: Float64Array.from(fill(() => (next(8) === 0 ? Number.NaN : next(4)))) },
      { name: "hard", values: Float64Array.from(fill(() => hard[next(hard.length)]!)) },
    ],
    category: [
      { name: "few", codes: Int32Array.from(fill(() => next(4) - 1)), size: 3 },
      { name: "many", codes: Int32Array.from(fill(() => next(71) - 1)), size: 70 },
    ],
    flags: [
      { name: "flag", values: Uint8Array.from(fill(() => next(3))) },
      { name: "skip", values: Uint8Array.from(fill(() => (next(5) === 0 ? 1 : 0))) },
    ],
    scores: [
      { name: "one", values: Float32Array.from(fill(() => next(5))) },
      { name: "two", values: Float32Array.from(fill(() => next(1000) / 7)) },
    ],
  };
}

const bound = fc.constantFrom(...hard.filter((value) => !Number.isNaN(value)), 1.5);
const unknown = fc.constantFrom("fail" as const, "pass" as const);
const word = fc.nat(0xffffffff);

const predicate = (rows: number): fc.Arbitrary<Predicate> =>
  fc.oneof(
    fc
      .record({ column: fc.nat(1), min: fc.option(bound), max: fc.option(bound), unknown })
      .map(({ column, min, max, unknown }) => ({
        kind: "range" as const,
        column,
        ...(min === null ? {} : { min }),
        ...(max === null ? {} : { max }),
        unknown,
      })),
    fc
      .record({ column: fc.nat(1), words: fc.tuple(word, word, word), unknown })
      .map(({ column, words, unknown }) => ({
        kind: "category" as const,
        column,
        allowed: Uint32Array.from(words),
        unknown,
      })),
    fc.record({ value: fc.constantFrom(0 as const, 1 as const), unknown }).map((one) => ({
      kind: "flag" as const,
      column: 0,
      ...one,
    })),
    fc.tuple(word, word, fc.boolean()).map(([a, b, withUnknown]) => {
      const words = (rows + 31) >> 5;
      const failed = Uint32Array.from({ length: words }, (_, index) => (index % 2 === 0 ? a : b));
      return {
        kind: "bitmap" as const,
        failed,
        ...(withUnknown ? { unknown: failed.map((bits, index) => bits & (index % 3 === 0 ? b : a)) } : {}),
      };
    }),
  );

const query = (rows: number): fc.Arbitrary<Query> =>
  fc
    .record({
      constraints: fc.array(fc.array(predicate(rows), { minLength: 1, maxLength: 3 }), { maxLength: 6 }),
      skip: fc.boolean(),
      weights: fc.array(fc.constantFrom(0.5, 1, 0.1), { maxLength: 2 }),
      k: fc.integer({ min: 1, max: 20 }),
      margin: fc.constantFrom(0, 0.001, 2),
    })
    .map(({ constraints, skip, weights, k, margin }) => ({
      constraints: constraints.map((predicates, index): Constraint => ({ name: `c${index}`, predicates })),
      ...(skip ? { skip: 1 } : {}),
      terms: weights.map((weight, column) => ({ column, weight })),
      k,
      margin,
    }));

test("the kernel loads where the tests run", () => {
  expect(kernelModule).not.toBeNull();
});

test.for(sizes)("kernel and twin agree bit for bit on %i rows", (rows) => {
  const columns = columnsOf(rows, rows + 1);
  const wasm = wasmTable(kernelModule!, columns);
  const twin = twinTable(columns);
  fc.assert(
    fc.property(query(rows), (one) => {
      expect(wasm.select(one)).toEqual(twin.select(one));
      expect(wasm.feasible(one)).toEqual(twin.feasible(one));
    }),
    { numRuns: rows > 100 ? 60 : 120 },
  );
});

test("columns added later answer like columns present from the start, across memory growth", () => {
  const rows = 5000;
  const columns = columnsOf(rows, 7);
  const wasm = wasmTable(kernelModule!, { ...columns, numeric: [], scores: [] });
  const twin = twinTable({ ...columns, numeric: [], scores: [] });
  for (let round = 0; round < 40; round++) {
    const late = columnsOf(rows, round);
    for (const table of [wasm, twin]) {
      table.addNumeric(late.numeric[1]!);
      table.addScore(late.scores[1]!);
    }
    const one: Query = {
      constraints: [
        { name: "c", predicates: [{ kind: "range", column: round, max: 16_777_216, unknown: "fail" }] },
      ],
      terms: [{ column: round, weight: 1 }],
      k: 5,
      margin: 0,
    };
    expect(wasm.select(one)).toEqual(twin.select(one));
  }
});
