import { parseArgs } from "node:util";
import { kernelModule } from "../engine/kernel/load.ts";
import type { Query } from "../engine/kernel/query.ts";
import { type WasmTable, wasmTable } from "../engine/kernel/wasm.ts";
import { type BenchIntent, makeColumns, makeIntents, type Profile, queryOf } from "./kernel-data.ts";
import { checksum, Objects, type Outcome, rankExactly, TypedArrays } from "./kernel-js.ts";
import {
  measureColdStart,
  measureHeap,
  measureThreads,
  measureUpdates,
  type Threads,
} from "./kernel-upkeep.ts";
import { measure, say, type Variant } from "./measure.ts";
import { NativeKernel, type NativeResult } from "./native-kernel.ts";
import { PlainScan } from "./plain-scan.ts";
import { ReferenceKernel } from "./reference-kernel.ts";
import { type Aim, aim, machine, median, print, spread } from "./report.ts";

/** One measured variant of one case. */
interface Case {
  readonly offers: number;
  readonly predicates: number;
  readonly intents: number;
  readonly variant: string;
  readonly us_per_intent: number;
  readonly spread: number;
}

/** All variants agree on every intent, to the last count and row; throws where one does not. */
function verify(outcomes: Readonly<Record<string, (index: number) => Outcome>>, intents: number): number {
  let sum = 0;
  for (let index = 0; index < intents; index++) {
    const sums = Object.entries(outcomes).map(([name, outcome]) => [name, checksum(outcome(index))] as const);
    for (const [name, value] of sums)
      if (value !== sums[0]![1]) throw new Error(`${name} disagrees with ${sums[0]![0]} on intent ${index}`);
    sum = (sum + sums[0]![1]) | 0;
  }
  return sum;
}

interface Setting {
  readonly rounds: number;
  readonly native: NativeKernel | null;
  /** Null where it is not beside the project. */
  readonly reference: ReferenceKernel | null;
}

interface SizeResult {
  readonly cases: readonly Case[];
  readonly bytesPerOffer: number;
  readonly checksum: number;
  readonly native: Readonly<Record<string, NativeResult>>;
  readonly wasmStream: number;
}

/** Objects are asked at most this many intents per round where there are this many offers. */
const fewIntents = (offers: number): number => (offers >= 1e6 ? 2 : 16);

function measureSize(offers: number, profile: Profile, { rounds, native, reference }: Setting): SizeResult {
  say(`${offers} offers, ${profile} intents`);
  const columns = makeColumns(offers, 11);
  const intents = makeIntents(256, profile, 77);
  const queries = intents.map(queryOf);
  const some = intents.slice(0, 16);
  const kernel = wasmTable({ module: kernelModule! }, columns);
  const floats = wasmTable({ module: kernelModule! }, columns, { layout: "floats" });
  const typed = new TypedArrays(columns);
  const objects = new Objects(columns);
  const plain = new PlainScan(columns);
  const { scores } = columns;
  const exactly = (table: WasmTable, index: number): Outcome =>
    rankExactly(table.select(queries[index]!), queries[index]!, scores);
  const sum = verify(
    {
      kernel: (index) => exactly(kernel, index),
      "f32 scan": (index) => exactly(floats, index),
      "f32 plain": (index) =>
        rankExactly(
          { ...plain.run(some[index]!), considered: offers, scores: new Int32Array() },
          queries[index]!,
          scores,
        ),
      typed: (index) => typed.run(some[index]!),
      objects: (index) => objects.run(some[index]!),
    },
    fewIntents(offers),
  );
  const each = (name: string, count: number, one: (intent: BenchIntent, query: Query) => void): Variant => ({
    name,
    intents: 1,
    size: count,
    run: () => {
      for (let index = 0; index < count; index++) one(some[index]!, queries[index]!);
    },
  });
  const raw = queries.slice(0, 16).map((query) => kernel.written([query]));
  const batches = [16, 256].map((count) => {
    const batch = queries.slice(0, count);
    return {
      name: "kernel",
      intents: count,
      size: count,
      run: () => {
        for (const [index, answer] of kernel.selectAll(batch).entries())
          rankExactly(answer, batch[index]!, scores);
      },
    };
  });
  const batch16 = queries.slice(0, 16);
  const rawBatch = kernel.written(batch16);
  const variants: Variant[] = [
    each("kernel", 16, (_, query) => void rankExactly(kernel.select(query), query, scores)),
    ...batches,
    {
      name: "kernel_run",
      intents: 1,
      size: 16,
      run: () => {
        for (const job of raw) job.run();
      },
    },
    { name: "kernel_run", intents: 16, size: 16, run: () => rawBatch.run() },
    each("f32_scan", 16, (_, query) => void rankExactly(floats.select(query), query, scores)),
    {
      name: "f32_scan",
      intents: 16,
      size: 16,
      run: () => void floats.selectAll(batch16),
    },
    each(
      "f32_plain",
      16,
      (intent, query) =>
        void rankExactly(
          { ...plain.run(intent), considered: offers, scores: new Int32Array() },
          query,
          scores,
        ),
    ),
    each("typed_js", fewIntents(offers), (intent) => void typed.run(intent)),
    each("aos_js", fewIntents(offers), (intent) => void objects.run(intent)),
  ];
  const predicates = queries[0]!.constraints.length;
  const image = native?.image(kernel, batch16);
  const referenceImage = reference?.image(
    columns,
    some,
    batch16.map((query) => ({ ...kernel.select(query), best: [...kernel.feasible(query).subarray(0, 16)] })),
  );
  const times = new Map<string, number[]>();
  const results = new Map<string, NativeResult[]>();
  const referenceTimes = new Map<string, number[]>();
  const note = (key: string, value: number): void => {
    referenceTimes.set(key, [...(referenceTimes.get(key) ?? []), value]);
  };
  // the native twin runs between rounds, so that it meets the same disturbances
  const blocks = native === null ? 1 : Math.min(3, rounds);
  for (let block = 0; block < blocks; block++) {
    for (const [key, list] of measure(variants, Math.ceil(rounds / blocks)))
      times.set(key, [...(times.get(key) ?? []), ...list]);
    for (const variant of native?.variants ?? []) {
      const result = native!.run(variant, image!, 5);
      results.set(variant, [...(results.get(variant) ?? []), result]);
      if (referenceImage === undefined || !reference!.variants.includes(variant)) continue;
      const { single, batch } = reference!.run(variant, referenceImage, 5);
      note(`${variant}_reference 1`, single);
      note(`${variant}_reference 16`, batch);
    }
  }
  for (const [variant, list] of results)
    for (const {
      checksum: [single],
    } of list)
      if (single !== kernelChecksum(raw)) throw new Error(`${variant} disagrees with the kernel`);
  const cases = [...times, ...referenceTimes].map(([key, list]): Case => {
    const [variant, count] = key.split(" ") as [string, string];
    return {
      offers,
      predicates,
      intents: Number(count),
      variant,
      us_per_intent: median(list),
      spread: spread(list),
    };
  });
  for (const [variant, list] of results)
    for (const [count, of] of [
      [1, "single"],
      [16, "batch"],
    ] as const) {
      const microseconds = list.map((result) => result[of]);
      const one = { offers, predicates, intents: count, variant };
      cases.push({ ...one, us_per_intent: median(microseconds), spread: spread(microseconds) });
    }
  return {
    cases,
    bytesPerOffer: kernel.columnBytes / offers,
    checksum: sum,
    native: Object.fromEntries([...results].map(([variant, list]) => [variant, list[0]!])),
    wasmStream: plain.stream(),
  };
}

/** The checksum bench/kernel.c computes: over counts and kept rows of every query. */
function kernelChecksum(jobs: readonly ReturnType<WasmTable["written"]>[]): number {
  let sum = 0;
  for (const job of jobs) {
    job.run();
    for (const { feasible, failed, unknown, sole, rows } of job.answers()) {
      sum = (sum + feasible * 31) >>> 0;
      const counts = [...failed, ...unknown, ...sole];
      for (const [at, count] of counts.entries()) sum = (sum + Math.imul(count, at + 1)) >>> 0;
      for (const row of rows) sum = (sum + (row + 1) * 7) >>> 0;
    }
  }
  return sum;
}

type Ratios = Readonly<Record<string, Record<string, number>>>;

/** Time of others over the kernel's, and the kernel's over C's, by variant and offers. */
function ratiosOf(cases: readonly Case[], names: readonly string[]): Ratios {
  const time = (variant: string, offers: number, intents = 1): number | undefined =>
    cases.find(
      (one) =>
        one.variant === variant && one.offers === offers && one.intents === intents && one.predicates === 10,
    )?.us_per_intent;
  const ratios: Record<string, Record<string, number>> = {};
  for (const offers of new Set(cases.map((one) => one.offers))) {
    const kernel = time("kernel", offers);
    const raw = time("kernel_run", offers);
    if (kernel === undefined || raw === undefined) continue;
    for (const variant of names) {
      const other = time(variant, offers);
      if (other === undefined) continue;
      ratios[variant] ??= {};
      ratios[variant][String(offers)] = variant.startsWith("c") ? raw / other : other / kernel;
    }
  }
  return ratios;
}

/** Time of the project's C over that of the reference, by width and offers, one intent at a time. */
function twinRatios(cases: readonly Case[]): Ratios {
  const ratios: Record<string, Record<string, number>> = {};
  for (const { variant, intents, offers, predicates, us_per_intent: reference } of cases) {
    if (!variant.endsWith("_reference") || intents !== 1 || predicates !== 10) continue;
    const width = variant.replace("_reference", "");
    const twin = cases.find(
      (one) =>
        one.variant === width && one.intents === 1 && one.offers === offers && one.predicates === predicates,
    )!;
    ratios[width] ??= {};
    ratios[width][String(offers)] = twin.us_per_intent / reference;
  }
  return ratios;
}

/** The aims that concern what was measured. */
function aimsOf(ratios: Ratios, twin: Ratios, pairs: Readonly<Record<string, number>>): Aim[] {
  const aims: Aim[] = [];
  const atLeast = (name: string, variant: string, offers: number, least: number): void => {
    const value = ratios[variant]?.[String(offers)];
    if (value !== undefined) aims.push(aim(`${name}, ${offers} offers`, value, { least }));
  };
  const atMost = (name: string, variant: string, offers: number, most: number): void => {
    const value = ratios[variant]?.[String(offers)];
    if (value !== undefined) aims.push(aim(`${name}, ${offers} offers`, value, { most }));
  };
  for (const [offers, least] of [
    [1e3, 20],
    [1e4, 35],
    [1e5, 35],
    [1e6, 25],
  ] as const)
    atLeast("times faster than typed arrays", "typed_js", offers, least);
  for (const offers of [1e4, 1e5, 1e6]) atMost("times the 128-bit C twin", "c128", offers, 1.2);
  for (const offers of [1e4, 1e5, 1e6]) atMost("times the native C twin", "c_native", offers, 1.5);
  for (const [width, bySize] of Object.entries(twin))
    for (const [offers, value] of Object.entries(bySize))
      if (Number(offers) >= 1e4)
        aims.push(aim(`c_twin_vs_reference, ${width}, ${offers} offers`, value, { most: 1.05 }));
  atLeast("times faster than f32 columns, all else equal", "f32_scan", 1e6, 1.5);
  atLeast("times faster than the plain f32 scan", "f32_plain", 1e5, 3);
  atLeast("times faster than the plain f32 scan", "f32_plain", 1e6, 2.4);
  for (const [offers, least] of [
    [1e5, 1.3e9],
    [1e6, 1e9],
  ] as const) {
    const value = pairs[String(offers)];
    if (value !== undefined)
      aims.push(aim(`pairs per second per core, batches of 16, ${offers} offers`, value, { least }));
  }
  return aims;
}

/**
 * The kernel against typed arrays, objects, f32 columns and its C twin. `--sizes 1000,10000` and `--rounds 5` make it
 * short; without them it takes some minutes, most of them for a million objects.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean", default: false },
      sizes: { type: "string", default: "1000,10000,100000,1000000" },
      rounds: { type: "string", default: "7" },
    },
  });
  if (kernelModule === null) throw new Error("the kernel is not built, or WebAssembly SIMD is missing");
  const sizes = values.sizes.split(",").map(Number);
  const rounds = Number(values.rounds);
  const compiled = new NativeKernel();
  const native = compiled.variants.length > 0 ? compiled : null;
  const beside = new ReferenceKernel(compiled.flags);
  if (beside.variants.length === 0) say("the reference in C is not here: c_twin_vs_reference is left out");
  const results = sizes.flatMap((offers) =>
    (["typical", "full"] as const).map((profile) => ({
      offers,
      profile,
      ...measureSize(offers, profile, {
        rounds,
        native,
        reference: profile === "typical" && offers >= 1e4 && beside.variants.length > 0 ? beside : null,
      }),
    })),
  );
  compiled.dispose();
  beside.dispose();
  const cases = results.flatMap((one) => one.cases);
  const ratios = ratiosOf(cases, ["typed_js", "aos_js", "f32_scan", "c128", "c_native"]);
  const plain = ratiosOf(cases, ["f32_plain"]);
  const twin = twinRatios(cases);
  const pairs = Object.fromEntries(
    sizes.map((offers) => {
      const batch = cases.find(
        (one) =>
          one.variant === "kernel" && one.offers === offers && one.intents === 16 && one.predicates === 10,
      )!;
      return [String(offers), (offers / batch.us_per_intent) * 1e6];
    }),
  );
  const largest = Math.max(...sizes);
  const updates = measureUpdates(Math.min(largest, 1e5), rounds);
  const threads: Threads[] = [];
  for (const offers of sizes.filter((size) => size >= 1e5))
    threads.push(await measureThreads(offers, rounds));
  const heap = measureHeap(largest >= 1e5 ? 1e5 : 1e4);
  const full = results.filter(({ profile, offers }) => profile === "full" && offers >= 1e5);
  const bytes = (full.length > 0 ? full : results).map((one) => one.bytesPerOffer);
  const aims = [
    ...aimsOf({ ...ratios, ...plain }, twin, pairs),
    ...threads.map(({ offers, speedup }) =>
      aim(`times faster with two threads, ${offers} offers`, speedup, { least: 1.8 }),
    ),
    ...(full.length > 0 ? [aim("bytes per offer, all columns", Math.max(...bytes), { most: 76 })] : []),
    ...(largest >= 1e5
      ? [aim("1 % delta on 100,000 offers", updates.delta_one_percent_ms, { most: 4 }, "ms")]
      : []),
    aim("heap growth", heap.bytes, { most: heap.noise }, "bytes"),
  ];
  const result = {
    machine: machine(),
    cases,
    ratios,
    pairs_per_s: pairs,
    bytes_per_offer: Math.max(...bytes),
    plain_scan: plain["f32_plain"],
    c_twin_vs_reference: twin,
    updates,
    threads,
    cold_start_ms: Object.fromEntries(
      sizes.filter((size) => size <= 1e5).map((size) => [String(size), measureColdStart(size)]),
    ),
    stream_bytes_per_s: {
      wasm: results.at(-1)!.wasmStream,
      ...Object.fromEntries(
        Object.entries(results.at(-1)!.native).map(([name, { stream }]) => [name, stream]),
      ),
    },
    checksums: Object.fromEntries(
      results.map(({ offers, profile, checksum: sum }) => [`${offers} ${profile}`, sum]),
    ),
    aims,
  };
  print(
    values.json,
    result,
    cases.map(
      (one) =>
        `${String(one.offers).padStart(8)} ${String(one.predicates).padStart(3)} ${String(one.intents).padStart(4)} ` +
        `${one.variant.padEnd(11)} ${one.us_per_intent.toFixed(2).padStart(12)} us  +- ${(one.spread * 100).toFixed(0)} %`,
    ),
  );
}
