import fc from "fast-check";
import { expect, test } from "vitest";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { createClasses, modelsOf, type PodClass } from "../../../engine/pack/classes.ts";
import { createCluster } from "../../../engine/pack/cluster.ts";
import { createCompletion } from "../../../engine/pack/completion.ts";
import { solveConfiguration } from "../../../engine/pack/configuration.ts";
import type { PackNode, PackPod } from "../../../engine/pack/model.ts";
import { podMilli } from "../../../engine/pack/model.ts";
import { kindsOf } from "../../../engine/pack/states.ts";

const solver = await createHighsSolver();

/** CPU in whole steps and shares in tens, so that rounding of sizes changes nothing. */
const someNodes = fc.array(
  fc.record({
    cpuMilli: fc.constantFrom(2000, 4000),
    gpus: fc.constantFrom(1, 2),
    model: fc.constantFrom("A", "B"),
  }),
  { minLength: 1, maxLength: 2 },
);
const someClasses = fc.uniqueArray(
  fc.record({
    cpuMilli: fc.constantFrom(1000, 2000),
    size: fc.constantFrom([1, 300], [1, 500], [1, 700], [1, 1000], [2, 1000]),
    spec: fc.constantFrom("", "A"),
  }),
  { minLength: 1, maxLength: 3, selector: (one) => JSON.stringify(one) },
);

function classesOf(
  nodes: readonly PackNode[],
  wanted: readonly { cpuMilli: number; size: readonly number[]; spec: string }[],
) {
  const pods = wanted.map(
    ({ cpuMilli, size, spec }, row): PackPod => ({
      name: `p${row}`,
      cpuMilli,
      memoryMib: 0,
      gpus: size[0]!,
      gpuMilli: size[1]!,
      spec,
    }),
  );
  const { models, of } = modelsOf(nodes);
  return { classes: createClasses(models, pods), models, of };
}

/** Most profit of pods placed in the free devices and CPU, by trying everything. */
function bestFilling(
  free: readonly number[],
  cpu: number,
  model: number,
  classes: readonly PodClass[],
  profit: Float64Array,
): number {
  let best = 0;
  for (const pod of classes) {
    if (pod.allowed[model] === 0 || pod.cpuMilli > cpu || profit[pod.id]! <= 0) continue;
    const devices = free.flatMap((milli, device) => (milli >= pod.gpuMilli ? [device] : []));
    if (devices.length < pod.gpus) continue;
    const choices = pod.gpus === 1 ? devices.map((device) => [device]) : [devices.slice(0, pod.gpus)];
    for (const choice of choices) {
      const after = free.map((milli, device) => (choice.includes(device) ? milli - pod.gpuMilli : milli));
      best = Math.max(best, profit[pod.id]! + bestFilling(after, cpu - pod.cpuMilli, model, classes, profit));
    }
  }
  return best;
}

const named = (nodes: readonly Omit<PackNode, "name" | "memoryMib">[]): PackNode[] =>
  nodes.map((node, row) => ({ ...node, name: `n${row}`, memoryMib: 100 }));

test("the worth of free room is the best filling of it", () => {
  fc.assert(
    fc.property(
      someNodes.map((nodes) => named(nodes.slice(0, 1))),
      someClasses,
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 }),
      fc.array(fc.constantFrom(0, 300, 500, 700, 1000), { minLength: 2, maxLength: 2 }),
      fc.integer({ min: 0, max: 4 }),
      (nodes, wanted, worth, milli, cores) => {
        const { classes, models, of } = classesOf(nodes, wanted);
        const profit = Float64Array.from(classes.list, ({ id }) => worth[id]! * 100);
        const cluster = createCluster(nodes, models, of);
        const free = milli.slice(0, nodes[0]!.gpus);
        const cpu = Math.min(cores * 1000, nodes[0]!.cpuMilli);
        const completion = createCompletion(cluster.states, classes.list, profit);
        const state = cluster.states.intern(0, free);
        expect(completion.of(state, cpu, 100)).toBeCloseTo(
          bestFilling(free, cpu, 0, classes.list, profit),
          6,
        );
      },
    ),
    { numRuns: 200 },
  );
});

/** Most GPU thousandths of a whole demand placed on all nodes, by trying everything. */
function bestPlacement(
  nodes: readonly { free: number[]; cpu: number; model: number }[],
  demand: readonly number[],
  classes: readonly PodClass[],
): number {
  const next = demand.findIndex((count) => count > 0);
  if (next < 0) return 0;
  const pod = classes[next]!;
  const rest = demand.map((count, id) => (id === next ? count - 1 : count));
  let best = bestPlacement(nodes, rest, classes);
  nodes.forEach((node) => {
    if (pod.allowed[node.model] === 0 || pod.cpuMilli > node.cpu) return;
    const fitting = node.free.flatMap((milli, device) => (milli >= pod.gpuMilli ? [device] : []));
    if (fitting.length < pod.gpus) return;
    const choices = pod.gpus === 1 ? fitting.map((device) => [device]) : [fitting.slice(0, pod.gpus)];
    for (const choice of choices) {
      for (const device of choice) node.free[device]! -= pod.gpuMilli;
      node.cpu -= pod.cpuMilli;
      best = Math.max(best, podMilli(pod) + bestPlacement(nodes, rest, classes));
      for (const device of choice) node.free[device]! += pod.gpuMilli;
      node.cpu += pod.cpuMilli;
    }
  });
  return best;
}

test("the LP's bound is at least what any placement reaches, and its value at most the bound", async () => {
  await fc.assert(
    fc.asyncProperty(
      someNodes.map(named),
      someClasses,
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 3 }),
      async (nodes, wanted, counts) => {
        const { classes, of } = classesOf(nodes, wanted);
        const { kinds } = kindsOf(nodes, of);
        const demand = Float64Array.from(classes.list, ({ id }) => counts[id]!);
        const answer = await solveConfiguration(solver, kinds, classes.list, demand);
        const free = nodes.map(({ gpus, cpuMilli }, row) => ({
          free: new Array<number>(gpus).fill(1000),
          cpu: cpuMilli,
          model: of[row]!,
        }));
        const reached = bestPlacement(free, [...demand], classes.list);
        expect(answer.bound).toBeGreaterThanOrEqual(reached - 1e-6);
        expect(answer.value).toBeLessThanOrEqual(answer.bound + 1e-6);
      },
    ),
    { numRuns: 60 },
  );
});
