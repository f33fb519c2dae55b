import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readPackNodes, readPackPods } from "../adapters/trace/openb.ts";
import { createRandom } from "../engine/assign/random.ts";
import type { PackNode, PackPod } from "../engine/pack/model.ts";
import { FlagError } from "./flags.ts";

/** Nodes and pods that a bench packs. */
export interface PackTrace {
  readonly name: string;
  readonly nodes: readonly PackNode[];
  readonly pods: readonly PackPod[];
}

const NODES = "openb_node_list_gpu_node.csv";
const PODS = /^openb_pod_list_(.+)\.csv$/;

/**
 * The Alibaba 2023 GPU traces in a folder (or its subfolder `openb`): one per pod list.
 *
 * @throws when the folder holds none
 * @see https://github.com/alibaba/clusterdata, cluster-trace-gpu-v2023
 */
export function readTraces(folder: string): PackTrace[] {
  const place = [folder, join(folder, "openb")].find((one) => existsSync(join(one, NODES)));
  if (place === undefined) throw new FlagError(`--data ${folder}: no ${NODES} there`);
  const nodes = readPackNodes(readFileSync(join(place, NODES), "utf8"));
  return readdirSync(place)
    .sort()
    .flatMap((file) => {
      const name = PODS.exec(file)?.[1];
      return name === undefined
        ? []
        : [{ name, nodes, pods: readPackPods(readFileSync(join(place, file), "utf8")) }];
    });
}

/** Kinds of nodes of a made-up cluster: model, devices, CPUs, GiB, nodes of a full-size one. */
const kinds: readonly (readonly [string, number, number, number, number])[] = [
  ["G2", 8, 96, 384, 550],
  ["T4", 2, 104, 512, 390],
  ["P100", 2, 16, 120, 110],
  ["G3", 8, 128, 768, 40],
  ["V100M16", 4, 32, 128, 30],
  ["V100M32", 8, 96, 768, 30],
  ["V100M16", 1, 8, 32, 20],
  ["T4", 4, 96, 384, 20],
];

/** Requests: CPUs, GiB, devices, thousandths, weight. */
const requests: readonly (readonly [number, number, number, number, number])[] = [
  [12, 16, 1, 1000, 16],
  [6, 12, 1, 460, 15],
  [8, 32, 1, 1000, 9],
  [4, 16, 1, 1000, 7],
  [8, 16, 1, 500, 6],
  [10, 64, 1, 810, 5],
  [3, 9, 1, 200, 5],
  [2, 8, 1, 100, 4],
  [11, 40, 1, 1000, 4],
  [4, 8, 1, 330, 4],
  [16, 48, 1, 1000, 3],
  [5, 20, 1, 750, 3],
  [7, 24, 1, 620, 2],
  [24, 96, 1, 1000, 1],
  [20, 64, 0, 0, 6],
  [32, 64, 0, 0, 4],
  [8, 16, 0, 0, 3],
  [24, 128, 2, 1000, 0.4],
  [48, 256, 4, 1000, 0.3],
  [88, 320, 8, 1000, 0.8],
];

/** Model constraints of the constrained variant: spec and weight; the empty one is none. */
const specs: readonly (readonly [string, number])[] = [
  ["", 67],
  ["T4", 16],
  ["G2", 7],
  ["P100", 4],
  ["V100M16|V100M32", 4],
  ["G3", 2],
];

function drawn<T extends readonly (string | number)[]>(rows: readonly T[], at: number): T {
  const total = rows.reduce((sum, row) => sum + Number(row.at(-1)), 0);
  let left = at * total;
  for (const row of rows) {
    left -= Number(row.at(-1));
    if (left < 0) return row;
  }
  return rows.at(-1)!;
}

/**
 * A made-up trace shaped like the public ones: few kinds of nodes, mostly requests for one GPU or part of one, about an
 * eighth without GPUs, few for several; with or without constraints on the model.
 *
 * @param size share of a full-size cluster of about 1,200 nodes
 */
export function generateTrace(isConstrained: boolean, size: number, seed: number): PackTrace {
  const random = createRandom(seed);
  const nodes = kinds.flatMap(([model, gpus, cpus, gib, count]) =>
    Array.from({ length: Math.max(1, Math.round(count * size)) }, () => ({
      cpuMilli: cpus * 1000,
      memoryMib: gib * 1024,
      gpus,
      model,
    })),
  );
  const named = nodes.map((node, row) => ({ ...node, name: `node-${String(row).padStart(4, "0")}` }));
  const pods = Array.from({ length: Math.round(8000 * size) }, (_, row): PackPod => {
    const [cpus, gib, gpus, gpuMilli] = drawn(requests, random.next());
    const [spec] = isConstrained ? drawn(specs, random.next()) : [""];
    const name = `pod-${String(row).padStart(5, "0")}`;
    const own = gpus === 0 || gpus === 8 ? "" : String(spec);
    return { name, cpuMilli: cpus * 1000, memoryMib: gib * 1024, gpus, gpuMilli, spec: own };
  });
  return { name: isConstrained ? "generated-spec" : "generated", nodes: named, pods };
}
