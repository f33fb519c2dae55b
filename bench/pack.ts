import { parseArgs } from "node:util";
import { createRandom } from "../engine/assign/random.ts";
import { createHighsSolver } from "../engine/milp/highs.ts";
import type { Solver } from "../engine/milp/solver.ts";
import { createClasses, modelsOf } from "../engine/pack/classes.ts";
import { solveConfiguration } from "../engine/pack/configuration.ts";
import { createFragmentation, typicalPods } from "../engine/pack/fragmentation.ts";
import { type PackPod, podMilli } from "../engine/pack/model.ts";
import { createPackSession, type PackSession, type PolicyName, policyNames } from "../engine/pack/session.ts";
import { kindsOf } from "../engine/pack/states.ts";
import { amountOf, countOf, FlagError } from "./flags.ts";
import { arrivalsOf, misjudged, rankedNodes } from "./pack-protocol.ts";
import { type Faithful, faithfulTo, hasGo } from "./pack-published.ts";
import { generateTrace, type PackTrace, readTraces } from "./pack-trace.ts";
import { type Aim, aim, machine, median, print } from "./report.ts";

/** Share of the pods that a wrong distribution counts for other classes. */
const WRONG = 0.2;
/** FGD's own decisions per second, and ours, on the published 1,213 nodes. */
const LEAST_PER_SECOND = { flare: 20_000, fgd: 40_000 } as const;
/** Allocation at 100 % arrivals to reach, per cent. */
const leastAllocated: Readonly<Record<string, number>> = { default: 96.1, gpuspec33: 95.3, multigpu50: 97.7 };
/** What one policy did with one order of arrival. */
interface Measured {
  /** Allocated GPU thousandths when arrivals reach the capacity, per cent of it. */
  readonly allocated: number;
  readonly unallocatedGpus: number;
  /** Of what is idle then, the part that the expected pods cannot use, per cent. */
  readonly fragmented: number;
  readonly declined: number;
  /** Decisions per second, without the LPs that a drifted mix asks for. */
  readonly perSecond: number;
  /** The same per second of processor time, all threads of the process counted. */
  readonly perCpuSecond: number;
}

/** Seconds of processor time of this process so far: what a shared machine does not distort by waiting. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Places pods until all have come; figures are taken at the arrival with which demand reaches the capacity. */
async function run(
  session: PackSession,
  pods: readonly PackPod[],
  fragmentedPart: () => number,
): Promise<Measured> {
  const { cluster } = session;
  let arrived = 0;
  let declined = 0;
  let at: Omit<Measured, "perSecond" | "perCpuSecond"> | null = null;
  const apart = { wall: 0, cpu: 0 };
  /** Does something that is no decision. */
  const aside = async (work: () => unknown): Promise<void> => {
    const [wall, cpu] = [performance.now(), processorSeconds()];
    await work();
    apart.wall += (performance.now() - wall) / 1000;
    apart.cpu += processorSeconds() - cpu;
  };
  const [wallStart, cpuStart] = [performance.now(), processorSeconds()];
  for (const pod of pods) {
    if (session.place(pod) === null && at === null) declined += 1;
    if (session.hasDrifted()) await aside(() => session.adapt());
    arrived += podMilli(pod);
    if (at !== null || arrived < cluster.capacityMilli) continue;
    await aside(() => {
      const idle = cluster.capacityMilli - cluster.usedMilli();
      at = {
        allocated: (100 * cluster.usedMilli()) / cluster.capacityMilli,
        unallocatedGpus: idle / 1000,
        fragmented: 100 * fragmentedPart(),
        declined,
      };
    });
  }
  const wall = (performance.now() - wallStart) / 1000 - apart.wall;
  const cpu = processorSeconds() - cpuStart - apart.cpu;
  if (at === null) throw new Error("arrivals end below the capacity");
  return {
    ...(at as Omit<Measured, "perSecond" | "perCpuSecond">),
    perSecond: pods.length / wall,
    perCpuSecond: pods.length / cpu,
  };
}

/** Part of what is idle that the trace's pods cannot use, by the published measure. */
function fragmentedPartOf(trace: PackTrace, { cluster }: PackSession): () => number {
  const classes = createClasses(cluster.models, trace.pods);
  const measure = createFragmentation(cluster.states, typicalPods(classes.list, trace.pods.length));
  return () => {
    const idle = cluster.capacityMilli - cluster.usedMilli();
    const lost = cluster.nodes.reduce(
      (sum, _, node) => sum + measure.of(cluster.state[node]!, cluster.cpuMilli[node]!),
      0,
    );
    return idle === 0 ? 0 : lost / idle;
  };
}

/** Upper bound on the allocation of the expected demand at 100 % arrivals, refusals allowed, per cent. */
async function boundOf(trace: PackTrace, solver: Solver): Promise<number> {
  const { models, of } = modelsOf(trace.nodes);
  const { kinds } = kindsOf(trace.nodes, of);
  const { list } = createClasses(models, trace.pods);
  const capacity = trace.nodes.reduce((sum, { gpus }) => sum + gpus * 1000, 0);
  const perPod = list.reduce((sum, pod) => sum + pod.share * podMilli(pod), 0);
  const demand = Float64Array.from(list, ({ share }) => (share * capacity) / perPod);
  return (100 * (await solveConfiguration(solver, kinds, list, demand)).bound) / capacity;
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom 1..30; the normal one beyond. */
const quantiles = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

interface Interval {
  readonly mean: number;
  /** Half the width of the 95 % interval of the mean; NaN for one seed. */
  readonly half: number;
}

function intervalOf(values: readonly number[]): Interval {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  const t = quantiles[values.length - 2] ?? 1.96;
  return { mean, half: values.length < 2 ? Number.NaN : t * Math.sqrt(square / values.length) };
}

/** `10` is the seeds 1 to 10, `61-70` a range, `3,5` a list. */
function seedsOf(text: string): number[] {
  const range = /^(\d+)-(\d+)$/.exec(text);
  const [first, last] = range === null ? [1, Number(text)] : [Number(range[1]), Number(range[2])];
  if (/^\d+(,\d+)+$/.test(text)) return text.split(",").map(Number);
  if (!(last >= first)) throw new FlagError(`--seeds ${text}; accepted: 10, 61-70 or 3,5`);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/** Policies measured: ours twice, the second time with a wrong distribution. */
type Contestant = PolicyName | "flare-misjudged";

interface TraceResult {
  readonly trace: string;
  readonly nodes: number;
  readonly gpus: number;
  readonly boundPercent: number;
  readonly faithful: readonly Faithful[];
  readonly policies: readonly {
    readonly policy: Contestant;
    readonly allocated: Interval;
    readonly overBound: number;
    readonly unallocatedGpus: number;
    readonly fragmented: number;
    readonly declined: number;
    readonly perSecond: number;
    readonly perCpuSecond: number;
    readonly overFgd: Interval;
    readonly seeds: readonly number[];
  }[];
}

/** Sessions of one trace: ours solves its LPs once per distribution it is given. */
async function measure(
  trace: PackTrace,
  contestants: readonly Contestant[],
  seeds: readonly number[],
  solver: Solver,
): Promise<ReadonlyMap<Contestant, readonly Measured[]>> {
  const results = new Map<Contestant, Measured[]>(contestants.map((name) => [name, []]));
  let profit: Float64Array | undefined;
  for (const seed of seeds) {
    const nodes = rankedNodes(trace.nodes, seed);
    const pods = arrivalsOf(trace.pods, trace.nodes, seed);
    for (const contestant of contestants) {
      const isWrong = contestant === "flare-misjudged";
      const session = await createPackSession({
        nodes,
        expected: isWrong ? misjudged(trace.pods, WRONG, seed) : trace.pods,
        policy: isWrong ? "flare" : contestant,
        draw: createRandom(seed).next,
        solver,
        ...(contestant === "flare" && profit !== undefined ? { profit } : {}),
      });
      if (contestant === "flare") profit ??= session.profit;
      results.get(contestant)!.push(await run(session, pods, fragmentedPartOf(trace, session)));
    }
  }
  return results;
}

async function resultOf(
  trace: PackTrace,
  contestants: readonly Contestant[],
  { seeds, publishedSeeds }: { readonly seeds: readonly number[]; readonly publishedSeeds: number },
  solver: Solver,
): Promise<TraceResult> {
  const results = await measure(trace, contestants, seeds, solver);
  const boundPercent = await boundOf(trace, solver);
  const fgd = results.get("fgd")!;
  const mean = (all: readonly Measured[], key: keyof Measured): number =>
    intervalOf(all.map((one) => one[key])).mean;
  return {
    trace: trace.name,
    nodes: trace.nodes.length,
    gpus: trace.nodes.reduce((sum, { gpus }) => sum + gpus, 0),
    boundPercent,
    faithful: publishedSeeds > 0 ? await faithfulTo(trace, publishedSeeds) : [],
    policies: contestants.map((policy) => {
      const all = results.get(policy)!;
      const allocated = intervalOf(all.map((one) => one.allocated));
      return {
        policy,
        allocated,
        overBound: allocated.mean / boundPercent,
        unallocatedGpus: mean(all, "unallocatedGpus"),
        fragmented: mean(all, "fragmented"),
        declined: mean(all, "declined"),
        perSecond: median(all.map((one) => one.perSecond)),
        perCpuSecond: median(all.map((one) => one.perCpuSecond)),
        overFgd: intervalOf(all.map((one, at) => one.allocated - fgd[at]!.allocated)),
        seeds: all.map((one) => one.allocated),
      };
    }),
  };
}

/** A difference to FGD counts as positive when its whole 95 % interval is (the mean itself for one seed). */
function aboveFgd(name: string, { mean, half }: Interval): Aim {
  const least = Number.isNaN(half) ? mean : mean - half;
  return { name, aim: "> 0 points, 95 % interval included", value: mean, met: least > 0 };
}

function aimsOf({ trace, policies, faithful }: TraceResult): Aim[] {
  const of = (policy: Contestant) => policies.find((one) => one.policy === policy);
  const flare = of("flare")!;
  const wrong = of("flare-misjudged");
  const least = leastAllocated[trace];
  return [
    ...(least === undefined ? [] : [aim(`${trace}: flare allocated`, flare.allocated.mean, { least }, "%")]),
    aboveFgd(`${trace}: flare above FGD`, flare.overFgd),
    ...(wrong === undefined
      ? []
      : [aboveFgd(`${trace}: flare with a 20 % wrong distribution above FGD`, wrong.overFgd)]),
    ...faithful.map(({ policy, published, allocated }) => {
      const figure = intervalOf(published).mean;
      return aim(
        `${trace}: ${policy} from its published mean of ${figure.toFixed(2)} %, on the published seeds`,
        Math.abs(intervalOf(allocated).mean - figure),
        { most: 0.1 },
        "points",
      );
    }),
  ];
}

const speedAims = (results: readonly TraceResult[]): Aim[] =>
  (["flare", "fgd"] as const).map((name) => {
    const rates = results.flatMap(({ policies }) =>
      policies.filter(({ policy }) => policy === name).map(({ perCpuSecond }) => perCpuSecond),
    );
    return aim(
      `${name}: slowest trace`,
      Math.min(...rates),
      { least: LEAST_PER_SECOND[name] },
      "decisions per second of processor time",
    );
  });

const linesOf = (result: TraceResult): string[] => [
  `${result.trace}: ${result.nodes} nodes, ${result.gpus} GPUs, at 100 % arrivals; LP bound ${result.boundPercent.toFixed(2)} %`,
  ...result.policies.map(
    ({ policy, allocated, overBound, overFgd, unallocatedGpus, fragmented, perSecond, perCpuSecond }) =>
      `  ${policy.padEnd(16)} ${allocated.mean.toFixed(2)} +- ${allocated.half.toFixed(2)} %, ` +
      `${(100 * overBound).toFixed(1)} % of the bound, ${overFgd.mean.toFixed(2)} +- ${overFgd.half.toFixed(2)} to FGD, ` +
      `${unallocatedGpus.toFixed(0)} GPUs idle, ${fragmented.toFixed(0)} % of it fragmented, ` +
      `${Math.round(perSecond)} decisions/s, ${Math.round(perCpuSecond)} per processor second`,
  ),
];

/**
 * Packing policies on the public traces in `--data DIR`, or on two made-up ones of the same shape: pods arrive in a
 * seeded order, one by one, to 130 % of the GPUs. Reports allocation when arrivals reach 100 %, against FGD in the same
 * order and against the LP bound. `--seeds 10 | 61-70 | 3,5`, `--traces a,b`, `--policies a,b` (ours and FGD always),
 * `--published-seeds` for the seeds of the published figures on which baselines are compared with them (default 10, needs
 * Go; 0 leaves them out), `--size` of the made-up
 * cluster (1: about 1,200 nodes).
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      seeds: { type: "string", default: "10" },
      data: { type: "string" },
      traces: { type: "string" },
      policies: { type: "string" },
      "published-seeds": { type: "string", default: "10" },
      size: { type: "string", default: "1" },
    },
  });
  const seeds = seedsOf(values.seeds);
  const publishedSeeds = hasGo() ? countOf("--published-seeds", values["published-seeds"], 0) : 0;
  if (publishedSeeds === 0)
    process.stderr.write("no Go toolchain: published orders of arrival are left out\n");
  const wanted = values.traces?.split(",");
  const all =
    values.data === undefined
      ? [false, true].map((isConstrained) => generateTrace(isConstrained, amountOf("--size", values.size), 1))
      : readTraces(values.data);
  const traces = all.filter(({ name }) => wanted?.includes(name) ?? true);
  const chosen = values.policies?.split(",");
  const contestants = [...policyNames, "flare-misjudged" as const].filter(
    (name) => name === "flare" || name === "fgd" || (chosen?.includes(name) ?? true),
  );
  const solver = await createHighsSolver();
  const results: TraceResult[] = [];
  for (const trace of traces) {
    results.push(await resultOf(trace, contestants, { seeds, publishedSeeds }, solver));
    if (values.json !== true) process.stdout.write(`${linesOf(results.at(-1)!).join("\n")}\n`);
  }
  const aims = [...results.flatMap(aimsOf), ...speedAims(results)];
  const source = values.data === undefined ? "generated" : "data";
  print(values.json === true, { machine: machine(), source, seeds, results, aims } as { aims: Aim[] }, []);
}
