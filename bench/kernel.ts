import { parseArgs } from "node:util";
import { kernelModule } from "../engine/kernel/load.ts";
import { countOf, countsOf } from "./flags.ts";
import type { Profile } from "./kernel-data.ts";
import { type Case, measureSize, type SizeResult } from "./kernel-size.ts";
import {
  measureColdStart,
  measureHeap,
  measureThreads,
  measureUpdates,
  type Threads,
  type Updates,
} from "./kernel-upkeep.ts";
import { say } from "./measure.ts";
import { NativeKernel } from "./native-kernel.ts";
import { ReferenceKernel } from "./reference-kernel.ts";
import { type Aim, aim, machine, print } from "./report.ts";

type Ratios = Readonly<Record<string, Record<string, number>>>;

/** Time of others over the kernel's, by variant and offers; 10 predicates, one intent. */
function ratiosOf(cases: readonly Case[], names: readonly string[]): Record<string, Record<string, number>> {
  const time = (variant: string, offers: number): number | undefined =>
    cases.find(
      (one) => one.variant === variant && one.offers === offers && one.intents === 1 && one.predicates === 10,
    )?.us_per_intent;
  const ratios: Record<string, Record<string, number>> = {};
  for (const offers of new Set(cases.map((one) => one.offers))) {
    const kernel = time("kernel", offers);
    for (const variant of names) {
      const other = time(variant, offers);
      if (other === undefined || kernel === undefined) continue;
      ratios[variant] ??= {};
      ratios[variant][String(offers)] = other / kernel;
    }
  }
  return ratios;
}

/** What was compared round by round with programs in C, by variant and offers; 10 predicates. */
function ratiosOfC(results: readonly Measured[], of: "kernelToC" | "cToReference"): Ratios {
  const ratios: Record<string, Record<string, number>> = {};
  for (const { profile, offers, [of]: byVariant } of results)
    if (profile === "typical")
      for (const [variant, ratio] of Object.entries(byVariant)) {
        ratios[variant] ??= {};
        ratios[variant][String(offers)] = ratio;
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

/** One size and kind of intents, measured. */
interface Measured extends SizeResult {
  readonly offers: number;
  readonly profile: Profile;
}

/** The same, with the speed of memory as programs in C find it. */
interface Sizes {
  readonly results: readonly Measured[];
  readonly streams: Readonly<Record<string, number>>;
}

function measureSizes(sizes: readonly number[], rounds: number): Sizes {
  const compiled = new NativeKernel();
  const beside = new ReferenceKernel(compiled.flags);
  const native = compiled.variants.length > 0 ? compiled : null;
  const reference = beside.variants.length > 0 ? beside : null;
  if (reference === null) say("the reference in C is not here: c_twin_vs_reference is left out");
  const results = sizes.flatMap((offers) =>
    (["typical", "full"] as const).map((profile) => {
      const isCompared = profile === "typical" && offers >= 1e4;
      const setting = { rounds, native, reference: isCompared ? reference : null };
      return { offers, profile, ...measureSize(offers, profile, setting) };
    }),
  );
  const streams = Object.fromEntries(
    compiled.variants.map((variant) => [variant, compiled.stream(variant)] as const),
  );
  compiled.dispose();
  beside.dispose();
  return { results, streams };
}

/** Pairs of offer and intent per second by offers, in batches of 16. */
function pairsOf(sizes: readonly number[], cases: readonly Case[]): Record<string, number> {
  const timeOf = (offers: number): number =>
    cases.find(
      (one) =>
        one.variant === "kernel" && one.offers === offers && one.intents === 16 && one.predicates === 10,
    )!.us_per_intent;
  return Object.fromEntries(sizes.map((offers) => [String(offers), (offers / timeOf(offers)) * 1e6]));
}

/** What keeping tables takes, besides asking them. */
interface Upkeep {
  readonly updates: Updates;
  readonly threads: readonly Threads[];
  readonly heap: { readonly bytes: number; readonly noise: number };
}

async function measureUpkeep(sizes: readonly number[], rounds: number): Promise<Upkeep> {
  const largest = Math.max(...sizes);
  const updates = measureUpdates(Math.min(largest, 1e5), rounds);
  const threads: Threads[] = [];
  for (const offers of sizes.filter((size) => size >= 1e5))
    threads.push(await measureThreads(offers, rounds));
  return { updates, threads, heap: measureHeap(largest >= 1e5 ? 1e5 : 1e4) };
}

function upkeepAims({ updates, threads, heap }: Upkeep, bytes: number, isLarge: boolean): Aim[] {
  return [
    ...threads.map(({ offers, speedup }) =>
      aim(`times faster with two threads, ${offers} offers`, speedup, { least: 1.8 }),
    ),
    ...(isLarge
      ? [
          aim("bytes per offer, all columns", bytes, { most: 76 }),
          aim("1 % delta on 100,000 offers", updates.delta_one_percent_ms, { most: 4 }, "ms"),
        ]
      : []),
    aim("heap growth", heap.bytes, { most: heap.noise }, "bytes"),
  ];
}

const lineOf = ({ offers, predicates, intents, variant, us_per_intent, spread }: Case): string =>
  `${String(offers).padStart(8)} ${String(predicates).padStart(3)} ${String(intents).padStart(4)} ` +
  `${variant.padEnd(18)} ${us_per_intent.toFixed(2).padStart(12)} us  +- ${(spread * 100).toFixed(0)} %`;

/**
 * The kernel against typed arrays, objects, f32 columns and its C twin, and that against another one where it is at hand.
 * `--sizes 1000,10000` and `--rounds 5` make it short; without them it takes some minutes, most of them for a million
 * objects.
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
  const sizes = countsOf("--sizes", values.sizes);
  const rounds = countOf("--rounds", values.rounds);
  const { results, streams } = measureSizes(sizes, rounds);
  const upkeep = await measureUpkeep(sizes, rounds);
  const cases = results.flatMap((one) => one.cases);
  const ratios = {
    ...ratiosOf(cases, ["typed_js", "aos_js", "f32_scan"]),
    ...ratiosOfC(results, "kernelToC"),
  };
  const plain = ratiosOf(cases, ["f32_plain"]);
  const twin = ratiosOfC(results, "cToReference");
  const pairs = pairsOf(sizes, cases);
  const large = results.filter(({ profile, offers }) => profile === "full" && offers >= 1e5);
  const bytes = Math.max(...(large.length > 0 ? large : results).map((one) => one.bytesPerOffer));
  const { wasmStream } = results.at(-1)!;
  const result = {
    machine: machine(),
    cases,
    ratios,
    pairs_per_s: pairs,
    bytes_per_offer: bytes,
    plain_scan: plain["f32_plain"],
    c_twin_vs_reference: twin,
    updates: upkeep.updates,
    threads: upkeep.threads,
    cold_start_ms: Object.fromEntries(
      sizes.filter((size) => size <= 1e5).map((size) => [String(size), measureColdStart(size)]),
    ),
    stream_bytes_per_s: { wasm: wasmStream, ...streams },
    checksums: Object.fromEntries(results.map((one) => [`${one.offers} ${one.profile}`, one.checksum])),
    aims: [...aimsOf({ ...ratios, ...plain }, twin, pairs), ...upkeepAims(upkeep, bytes, large.length > 0)],
  };
  print(values.json, result, cases.map(lineOf));
}
