import { kernelModule } from "../engine/kernel/load.ts";
import type { Query, TableColumns } from "../engine/kernel/query.ts";
import { type WasmTable, type WrittenJob, wasmTable } from "../engine/kernel/wasm.ts";
import { type BenchIntent, makeColumns, makeIntents, type Profile, queryOf } from "./kernel-data.ts";
import { checksum, Objects, type Outcome, rankExactly, TypedArrays } from "./kernel-js.ts";
import { measure, say, type Variant } from "./measure.ts";
import type { NativeKernel } from "./native-kernel.ts";
import { PlainScan } from "./plain-scan.ts";
import type { ReferenceKernel } from "./reference-kernel.ts";
import { median, spread } from "./report.ts";

/** One measured variant of one case. */
export interface Case {
  readonly offers: number;
  readonly predicates: number;
  readonly intents: number;
  readonly variant: string;
  readonly us_per_intent: number;
  readonly spread: number;
}

export interface Setting {
  readonly rounds: number;
  readonly native: NativeKernel | null;
  /** Null where it is not beside the project. */
  readonly reference: ReferenceKernel | null;
}

export interface SizeResult {
  readonly cases: readonly Case[];
  readonly bytesPerOffer: number;
  readonly checksum: number;
  /** Time of the kernel over that of C, by variant of C; one intent at a time. */
  readonly kernelToC: Readonly<Record<string, number>>;
  /** Time of C over that of the reference in C, likewise. */
  readonly cToReference: Readonly<Record<string, number>>;
  readonly wasmStream: number;
}

/** Times in microseconds per intent, by variant and intents: `c128 16`. */
type Times = Map<string, number[]>;

/** Intents that are asked one at a time. */
const SINGLES = 16;

/** Objects are asked at most this many intents per round where there are this many offers. */
const fewIntents = (offers: number): number => (offers >= 1e6 ? 2 : SINGLES);

/** All that answer the same intents over the same offers. */
interface Contenders {
  readonly offers: number;
  readonly columns: TableColumns;
  readonly intents: readonly BenchIntent[];
  readonly queries: readonly Query[];
  readonly kernel: WasmTable;
  readonly floats: WasmTable;
  readonly typed: TypedArrays;
  readonly objects: Objects;
  readonly plain: PlainScan;
}

function contendersOf(offers: number, profile: Profile): Contenders {
  const columns = makeColumns(offers, 11);
  const intents = makeIntents(256, profile, 77);
  return {
    offers,
    columns,
    intents,
    queries: intents.map(queryOf),
    kernel: wasmTable({ module: kernelModule! }, columns),
    floats: wasmTable({ module: kernelModule! }, columns, { layout: "floats" }),
    typed: new TypedArrays(columns),
    objects: new Objects(columns),
    plain: new PlainScan(columns),
  };
}

const runPlain = ({ plain, offers, columns, intents, queries }: Contenders, index: number): Outcome =>
  rankExactly(
    { ...plain.run(intents[index]!), considered: offers, scores: new Int32Array() },
    queries[index]!,
    columns.scores,
  );

/** All agree on every intent, to the last count and row; throws where one does not. */
function verify(contenders: Contenders): number {
  const { kernel, floats, queries, columns, typed, objects, intents, offers } = contenders;
  const exactly = (table: WasmTable, index: number): Outcome =>
    rankExactly(table.select(queries[index]!), queries[index]!, columns.scores);
  const outcomes: Readonly<Record<string, (index: number) => Outcome>> = {
    kernel: (index) => exactly(kernel, index),
    "f32 scan": (index) => exactly(floats, index),
    "f32 plain": (index) => runPlain(contenders, index),
    typed: (index) => typed.run(intents[index]!),
    objects: (index) => objects.run(intents[index]!),
  };
  let sum = 0;
  for (let index = 0; index < fewIntents(offers); index++) {
    const sums = Object.entries(outcomes).map(([name, outcome]) => [name, checksum(outcome(index))] as const);
    for (const [name, value] of sums)
      if (value !== sums[0]![1]) throw new Error(`${name} disagrees with ${sums[0]![0]} on intent ${index}`);
    sum = (sum + sums[0]![1]) | 0;
  }
  return sum;
}

/** The checksum bench/kernel.c computes: over counts and kept rows of every query. */
function kernelChecksum(jobs: readonly WrittenJob[]): number {
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

/** What is measured in this process beside each other. */
function variantsOf(contenders: Contenders): Variant[] {
  const { offers, queries, kernel, floats, typed, objects, intents, columns } = contenders;
  const { scores } = columns;
  const each = (name: string, count: number, one: (index: number) => void): Variant => ({
    name,
    intents: 1,
    size: count,
    run: () => {
      for (let index = 0; index < count; index++) one(index);
    },
  });
  const ask = (name: string, table: WasmTable): Variant =>
    each(name, SINGLES, (index) => {
      const query = queries[index]!;
      rankExactly(table.select(query), query, scores);
    });
  const askAll = (name: string, table: WasmTable, count: number): Variant => {
    const batch = queries.slice(0, count);
    const run = (): void => {
      for (const [index, answer] of table.selectAll(batch).entries())
        rankExactly(answer, batch[index]!, scores);
    };
    return { name, intents: count, size: count, run };
  };
  return [
    ask("kernel", kernel),
    askAll("kernel", kernel, 16),
    askAll("kernel", kernel, 256),
    ask("f32_scan", floats),
    askAll("f32_scan", floats, 16),
    askAll("f32_scan", floats, 256),
    each("f32_plain", SINGLES, (index) => void runPlain(contenders, index)),
    each("typed_js", fewIntents(offers), (index) => void typed.run(intents[index]!)),
    each("aos_js", fewIntents(offers), (index) => void objects.run(intents[index]!)),
  ];
}

const note = (times: Times, key: string, values: readonly number[]): void => {
  times.set(key, [...(times.get(key) ?? []), ...values]);
};

/** The kernel without reading its answers: what C is compared with. */
function rawVariants(singles: readonly WrittenJob[], batch: WrittenJob): Variant[] {
  const runAll = (): void => {
    for (const job of singles) job.run();
  };
  return [
    { name: "kernel_run", intents: 1, size: SINGLES, run: runAll },
    { name: "kernel_run", intents: 16, size: 16, run: () => batch.run() },
  ];
}

/** Programs in C over images of memory written beforehand. */
interface Programs {
  readonly native: NativeKernel;
  readonly reference: ReferenceKernel | null;
  readonly images: { readonly native: string; readonly reference?: string };
  readonly expected: number;
}

/** Repetitions within one run of a program in C. */
const C_REPEATS = 5;

/**
 * The kernel, C and the reference in C once each. Every run of a program is a new process, so where its pages happen to
 * lie is drawn anew: at sizes about those of the caches that alone moves a time by some percent, and only many such rounds
 * tell programs apart. Who comes first changes from round to round.
 */
function roundOfC(times: Times, raw: readonly Variant[], programs: Programs, round: number): void {
  const { native, reference, images, expected } = programs;
  for (const [key, list] of measure(raw, 1)) note(times, key, list);
  for (const variant of native.variants) {
    const twin = (): void => {
      const result = native.run(variant, images.native, C_REPEATS);
      if (result.checksum[0] !== expected) throw new Error(`${variant} disagrees with the kernel`);
      note(times, `${variant} 1`, [result.single]);
      note(times, `${variant} 16`, [result.batch]);
    };
    const beside = (): void => {
      if (images.reference === undefined || !reference!.variants.includes(variant)) return;
      const { single, batch } = reference!.run(variant, images.reference, C_REPEATS);
      note(times, `${variant}_reference 1`, [single]);
      note(times, `${variant}_reference 16`, [batch]);
    };
    for (const run of round % 2 === 0 ? [twin, beside] : [beside, twin]) run();
  }
}

/** Median over rounds of one's time over another's in the same round; undefined where one was not measured. */
function ratioOf(times: Times, one: string, other: string): number | undefined {
  const [above, below] = [times.get(one), times.get(other)];
  if (above === undefined || below === undefined) return undefined;
  return median(above.map((time, round) => time / below[round]!));
}

/** Ratios by variant of C, of those that were measured. */
function ratiosOfC(times: Times, of: (variant: string) => readonly [string, string]): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const variant of ["c128", "c_native"]) {
    const ratio = ratioOf(times, ...of(variant));
    if (ratio !== undefined) ratios[variant] = ratio;
  }
  return ratios;
}

/** Writes what C is to run; null where there is no compiler. */
function programsOf(contenders: Contenders, raw: readonly WrittenJob[], setting: Setting): Programs | null {
  const { kernel, queries, columns, intents } = contenders;
  const { native, reference } = setting;
  if (native === null) return null;
  const batch = queries.slice(0, 16);
  const feasibleFirst = (query: Query): readonly number[] => [...kernel.feasible(query).subarray(0, 16)];
  const outcomes = batch.map((query) => ({ ...kernel.select(query), best: feasibleFirst(query) }));
  const images = {
    native: native.image(kernel, batch),
    ...(reference === null ? {} : { reference: reference.image(columns, intents.slice(0, 16), outcomes) }),
  };
  return { native, reference, images, expected: kernelChecksum(raw) };
}

/** Measures all variants on one number of offers. */
export function measureSize(offers: number, profile: Profile, setting: Setting): SizeResult {
  say(`${offers} offers, ${profile} intents`);
  const contenders = contendersOf(offers, profile);
  const { kernel, queries, plain } = contenders;
  const sum = verify(contenders);
  const batch = queries.slice(0, 16);
  const raw = batch.map((query) => kernel.written([query]));
  const programs = programsOf(contenders, raw, setting);
  const times: Times = new Map();
  for (const [key, list] of measure(variantsOf(contenders), setting.rounds)) note(times, key, list);
  const alone = rawVariants(raw, kernel.written(batch));
  const rounds = setting.reference === null ? setting.rounds : setting.rounds * 2 + 1;
  for (let round = 0; programs !== null && round < rounds; round++) roundOfC(times, alone, programs, round);
  return {
    cases: casesOf(times, offers, queries[0]!.constraints.length),
    bytesPerOffer: kernel.columnBytes / offers,
    checksum: sum,
    kernelToC: ratiosOfC(times, (variant) => ["kernel_run 1", `${variant} 1`]),
    cToReference: ratiosOfC(times, (variant) => [`${variant} 1`, `${variant}_reference 1`]),
    wasmStream: plain.stream(),
  };
}

function casesOf(times: Times, offers: number, predicates: number): Case[] {
  return [...times].map(([key, list]): Case => {
    const [variant, intents] = key.split(" ") as [string, string];
    return {
      offers,
      predicates,
      intents: Number(intents),
      variant,
      us_per_intent: median(list),
      spread: spread(list),
    };
  });
}
