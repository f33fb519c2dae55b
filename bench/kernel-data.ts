import type { Constraint, Predicate, Query, TableColumns } from "../engine/kernel/query.ts";

/** Numbers in [0, 1) from a seed: the same offers and intents in every run and on every machine. */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

const whole = (random: Random, below: number): number => Math.floor(random() * below);
const oneOf = <T>(random: Random, list: readonly T[]): T => list[whole(random, list.length)]!;

export const numericNames = [
  "price",
  "latency",
  "gpusFree",
  "gpuMemory",
  "tflops",
  "bandwidth",
  "link",
  "efficiency",
  "cores",
  "clock",
  "carbon",
  "pue",
  "uptime",
  "cpuFree",
  "memoryFree",
  "suitability",
] as const;

export const categoryNames = ["model", "vendor", "architecture", "tier", "region", "interconnect"] as const;
const categorySizes = [24, 4, 8, 4, 32, 6] as const;
export const flagCount = 12;
/** Numeric columns that are scored, and whether more is better. */
export const criteria = [
  { column: 0, more: false },
  { column: 1, more: false },
  { column: 4, more: true },
  { column: 5, more: true },
  { column: 10, more: false },
  { column: 15, more: true },
] as const;

interface Model {
  readonly vendor: number;
  readonly architecture: number;
  readonly memory: number;
  readonly tflops: number;
  readonly bandwidth: number;
  readonly price: number;
  readonly link: number;
}

const models: readonly Model[] = Array.from({ length: 24 }, (_, index) => {
  const random = randomFrom(100 + index);
  const memory = oneOf(random, [8, 16, 24, 40, 48, 80, 96, 141, 192]);
  return {
    vendor: oneOf(random, [0, 0, 0, 1, 1, 2, 3]),
    architecture: whole(random, 8),
    memory,
    tflops: memory * (4 + 8 * random()),
    bandwidth: memory * (10 + 30 * random()),
    price: memory * 0.02 * (0.6 + random()),
    link: whole(random, 6),
  };
});

const regions = Array.from({ length: 32 }, (_, index) => {
  const random = randomFrom(500 + index);
  return { latency: 5 + 200 * random(), carbon: 20 + 600 * random(), pue: 1.05 + 0.6 * random() };
});

/**
 * A table of offers: 24 models in 32 regions, 16 numeric columns of which ten hold a different f32 in nearly every row
 * (the hard case for codes), 6 of names, 12 of flags, 6 scored. The scores are logarithms, as the engine's are.
 */
export function makeColumns(rows: number, seed: number): TableColumns {
  const random = randomFrom(seed);
  const numeric = numericNames.map((name) => ({ name, values: new Float64Array(rows) }));
  const category = categoryNames.map((name, index) => ({
    name,
    codes: new Int32Array(rows),
    size: categorySizes[index]!,
  }));
  const flags = Array.from({ length: flagCount }, (_, index) => ({
    name: `flag${index}`,
    values: new Uint8Array(rows),
  }));
  for (let row = 0; row < rows; row++) {
    const model = Math.floor(random() * random() * 24);
    const region = whole(random, 32);
    makeRow(random, models[model]!, regions[region]!, (column, value) => {
      numeric[column]!.values[row] = Math.fround(value);
    });
    const { vendor, architecture, link } = models[model]!;
    [model, vendor, architecture, whole(random, 4), region, link].forEach((code, column) => {
      category[column]!.codes[row] = code;
    });
    for (const { values } of flags) values[row] = random() < 0.75 ? 1 : 0;
  }
  const scores = criteria.map(({ column, more }) => ({
    name: numericNames[column]!,
    values: Float32Array.from(numeric[column]!.values, (value) => Math.log(more ? 1 / value : value)),
  }));
  return { rows, numeric, category, flags, scores };
}

function makeRow(
  random: Random,
  model: Model,
  region: (typeof regions)[number],
  set: (column: number, value: number) => void,
): void {
  const tier = whole(random, 4);
  const count = oneOf(random, [1, 2, 4, 8]);
  set(0, model.price * count * (0.5 + 1.2 * random()) * (1 - 0.15 * tier));
  set(1, region.latency * (0.8 + 0.4 * random()));
  set(2, whole(random, count + 1));
  set(3, model.memory);
  set(4, model.tflops * (0.95 + 0.1 * random()));
  set(5, model.bandwidth * (0.95 + 0.1 * random()));
  set(6, [0, 32, 64, 300, 600, 900][model.link]!);
  set(7, 0.6 + 0.4 * random());
  set(8, oneOf(random, [8, 16, 32, 64, 96, 128]));
  set(9, 2 + 2.5 * random());
  set(10, region.carbon * (0.9 + 0.2 * random()));
  set(11, region.pue * (0.98 + 0.04 * random()));
  set(12, 0.9 + 0.1 * Math.sqrt(random()));
  set(13, whole(random, 128));
  set(14, whole(random, 1024));
  set(15, 0.001 + 0.999 * random());
}

/** Bounds of a numeric column; absent is open. */
export interface Bound {
  readonly column: number;
  readonly min?: number;
  readonly max?: number;
}

/** What is asked, in a form every variant reads: each bound, choice and flag is one constraint. */
export interface BenchIntent {
  readonly bounds: readonly Bound[];
  /** Allowed codes as a mask; no column has more than 32. */
  readonly choices: readonly { readonly column: number; readonly mask: number }[];
  readonly flag: number;
  readonly weights: readonly number[];
}

function maskOf(random: Random, size: number, share: number): number {
  let mask = 0;
  for (let code = 0; code < size; code++) if (random() < share) mask |= 1 << code;
  return (mask || 1) >>> 0;
}

const weights = [0.3, 0.2, 0.15, 0.15, 0.1, 0.1] as const;

/** An intent with ten predicates as a user states them, about 5 % of the offers feasible. */
function typicalIntent(random: Random): BenchIntent {
  const bounds: Bound[] = [
    { column: 0, max: 2 + 6 * random() },
    { column: 1, max: 80 + 120 * random() },
    { column: 2, min: 1 + whole(random, 2) },
    { column: 3, min: oneOf(random, [16, 24, 40]) },
    { column: 12, min: 0.93 + 0.03 * random() },
    { column: 10, max: 300 + 300 * random() },
  ];
  const choices = [
    { column: 1, mask: (maskOf(random, 4, 0.8) | 1) >>> 0 },
    { column: 4, mask: maskOf(random, 32, 0.7) },
    { column: 3, mask: maskOf(random, 4, 0.85) },
  ];
  return { bounds, choices, flag: whole(random, flagCount), weights };
}

/** An intent that states everything: both bounds of all numbers, all names, a flag. */
function fullIntent(random: Random): BenchIntent {
  const between = (column: number, min: number, max: number): Bound => ({ column, min, max });
  const bounds = [
    between(0, 0.05, 4 + 8 * random()),
    between(1, 1, 120 + 120 * random()),
    between(2, 1, 8),
    between(3, oneOf(random, [8, 16, 24]), 192),
    between(4, 20, 3000),
    between(5, 50, 8000),
    between(6, 0, 900),
    between(7, 0.62, 1),
    between(8, 8, 128),
    between(9, 2.05, 4.5),
    between(10, 10, 400 + 300 * random()),
    between(11, 1, 1.7),
    between(12, 0.92, 1),
    between(13, 4, 128),
    between(14, 16, 1024),
    between(15, 0.02, 1),
  ];
  const choices = categorySizes.map((size, column) => ({
    column,
    mask: (maskOf(random, size, 0.9) | (column === 1 ? 1 : 0)) >>> 0,
  }));
  return { bounds, choices, flag: whole(random, flagCount), weights };
}

export type Profile = "typical" | "full";

export function makeIntents(count: number, profile: Profile, seed: number): BenchIntent[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => {
    const intent = profile === "typical" ? typicalIntent(random) : fullIntent(random);
    const round = (value: number): number => Math.fround(value);
    return {
      ...intent,
      bounds: intent.bounds.map(({ column, min, max }) => ({
        column,
        ...(min === undefined ? {} : { min: round(min) }),
        ...(max === undefined ? {} : { max: round(max) }),
      })),
    };
  });
}

/** Best rows wanted. */
export const wanted = 16;

export function queryOf(intent: BenchIntent): Query {
  const predicates: Predicate[] = [
    ...intent.bounds.map((bound) => ({ kind: "range", ...bound, unknown: "fail" }) as const),
    ...intent.choices.map(
      ({ column, mask }) =>
        ({ kind: "category", column, allowed: Uint32Array.of(mask), unknown: "fail" }) as const,
    ),
    { kind: "flag", column: intent.flag, value: 1, unknown: "fail" },
  ];
  return {
    constraints: predicates.map((one, index): Constraint => ({ name: `c${index}`, predicates: [one] })),
    terms: intent.weights.map((weight, column) => ({ column, weight })),
    k: wanted,
    margin: 0,
  };
}
