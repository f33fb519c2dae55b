import type { Solver } from "../milp/solver.ts";
import { EngineError } from "../model/errors.ts";
import { type Classes, createClasses, modelsIn, modelsOf } from "./classes.ts";
import { type Cluster, createCluster } from "./cluster.ts";
import { createCompletion } from "./completion.ts";
import { expectedProfits } from "./configuration.ts";
import { createExpectation, type Expectation } from "./expectation.ts";
import { createFragmentation, typicalPods } from "./fragmentation.ts";
import type { PackNode, PackPod, Spot } from "./model.ts";
import { createPacker, type Packer } from "./packer.ts";
import { createFgd } from "./policies/fgd.ts";
import { createFlare } from "./policies/flare.ts";
import {
  createBestFit,
  createClustering,
  createDotProduct,
  createFirst,
  createPacking,
  createRandomPolicy,
} from "./policies/plain.ts";
import { createGroupPrices } from "./prices.ts";
import type { Scorer } from "./scorer.ts";
import { createSlots } from "./slots.ts";

/** The packing policies, ours first. */
export const policyNames = [
  "flare",
  "fgd",
  "bestfit",
  "dotprod",
  "packing",
  "clustering",
  "first",
  "random",
] as const;

export type PolicyName = (typeof policyNames)[number];

/** Policies that score by the expected mix of pods. */
export const needsMix = (policy: PolicyName): boolean => policy === "flare" || policy === "fgd";

export interface PackOptions {
  /** In order of rank: of equally good nodes the first one is taken. */
  readonly nodes: readonly PackNode[];
  /** Pods like those to come, for the distribution of classes alone; may be empty for policies without a mix. */
  readonly expected: readonly PackPod[];
  readonly policy: PolicyName;
  /** A seeded stream in [0, 1), for the draws of `random`. */
  readonly draw: () => number;
  /** Solver of the configuration LP, needed by `flare`. */
  readonly solver?: Solver;
  /** `PackSession.profit` of a session over the same kinds of nodes and the same expected pods: saves its LPs. */
  readonly profit?: Float64Array;
}

/** Pods placed one by one on a set of nodes. */
export interface PackSession {
  /** GPU thousandths that room for one more pod of each expected class is worth; empty but for `flare`. */
  readonly profit: Float64Array;
  readonly cluster: Cluster;
  /** Where the pod sits from now on; null where no node can take it. */
  place(pod: PackPod): Spot | null;
  /** The arrivals contradict the expected mix; `adapt` is due before the next pod. Only ever true for `flare`. */
  hasDrifted(): boolean;
  /** Solves the prices again for the mix that arrived. Placed pods stay where they are. */
  adapt(): Promise<void>;
  /** Pods so far whose `spec` names no model that any node has: they fit nowhere. */
  unknownModels(): number;
}

/** CPU thousandths per MiB over the expected pods with GPUs. */
function cpuPerMibOf(expected: readonly PackPod[]): number {
  let cpu = 0;
  let memory = 0;
  for (const pod of expected) {
    if (pod.gpus === 0) continue;
    cpu += pod.cpuMilli;
    memory += pod.memoryMib;
  }
  return memory === 0 ? Number.POSITIVE_INFINITY : cpu / memory;
}

const sharesOnly = (classes: Classes, shares: readonly number[]) =>
  classes.list.map((pod) => ({ ...pod, share: shares[pod.id] ?? 0 }));

function flareScorer(
  cluster: Cluster,
  classes: Classes,
  expectation: Expectation,
  { expected }: PackOptions,
  profit: Float64Array,
): Scorer {
  const mix = sharesOnly(classes, expectation.shares());
  return createFlare({
    cluster,
    fragmentation: createFragmentation(cluster.states, typicalPods(mix, expected.length)),
    completion: createCompletion(cluster.states, mix, profit),
    prices: createGroupPrices(cluster, classes.list),
    slots: createSlots(cluster, mix),
    profit,
    expectation,
    cpuPerMib: cpuPerMibOf(expected),
  });
}

function plainScorer(cluster: Cluster, classes: Classes, { policy, expected, draw }: PackOptions): Scorer {
  switch (policy) {
    case "fgd":
      return createFgd(
        cluster,
        createFragmentation(cluster.states, typicalPods(classes.list, expected.length)),
      );
    case "bestfit":
      return createBestFit(cluster);
    case "dotprod":
      return createDotProduct(cluster);
    case "packing":
      return createPacking(cluster);
    case "clustering":
      return createClustering(cluster);
    case "random":
      return createRandomPolicy(cluster, draw);
    default:
      return createFirst(cluster);
  }
}

/**
 * Empty nodes under a packing policy. For `flare` this solves the configuration LPs, seconds of work for hundreds of
 * classes; every placement afterwards takes microseconds.
 *
 * @throws {EngineError} `missing_field` when the policy needs an expected mix or a solver and has none, `duplicate_id`
 *   when two nodes share a name
 */
export async function createPackSession(options: PackOptions): Promise<PackSession> {
  const { nodes, expected, policy } = options;
  if (needsMix(policy) && expected.length === 0)
    throw new EngineError("missing_field", `policy ${policy} needs expected pods; none given`);
  const names = new Set<string>();
  for (const { name } of nodes) {
    if (names.has(name)) throw new EngineError("duplicate_id", `two nodes are named ${name}`);
    names.add(name);
  }
  const { models, of } = modelsOf(nodes);
  const classes = createClasses(models, expected);
  const cluster = createCluster(nodes, models, of);
  const expectation = createExpectation(classes.list);
  /** Profits of the mix in use, by the configuration LP. */
  const solve = (): Promise<Float64Array> => {
    const { solver } = options;
    if (solver === undefined)
      throw new EngineError("missing_field", "policy flare needs a solver for its configuration LP");
    const mix = sharesOnly(classes, expectation.shares());
    return expectedProfits(solver, cluster.states.kinds, mix);
  };
  const isFlare = policy === "flare";
  let profit = isFlare ? (options.profit ?? (await solve())) : new Float64Array(0);
  let packer: Packer = createPacker(
    cluster,
    classes,
    isFlare
      ? flareScorer(cluster, classes, expectation, options, profit)
      : plainScorer(cluster, classes, options),
  );
  const known = new Set(models);
  let unknown = 0;
  return {
    cluster,
    get profit() {
      return profit;
    },
    place(pod) {
      const named = pod.gpus === 0 ? [] : modelsIn(pod.spec);
      if (named.length > 0 && !named.some((model) => known.has(model))) unknown += 1;
      if (isFlare) expectation.observe(classes.of(pod));
      return packer.place(pod);
    },
    hasDrifted: () => isFlare && expectation.hasDrifted(),
    async adapt() {
      expectation.adopt();
      profit = await solve();
      packer = createPacker(cluster, classes, flareScorer(cluster, classes, expectation, options, profit));
    },
    unknownModels: () => unknown,
  };
}
