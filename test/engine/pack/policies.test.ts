import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modelsIn } from "../../../engine/pack/classes.ts";
import type { PackNode, PackPod, Spot } from "../../../engine/pack/model.ts";
import { policyNames } from "../../../engine/pack/session.ts";
import { sessionOf, someNodes, somePods } from "./builders.ts";

/** Free resources, counted here from placements alone. */
class Ledger {
  readonly nodes: readonly PackNode[];
  readonly free: { cpu: number; memory: number; pods: number; devices: number[] }[];

  constructor(nodes: readonly PackNode[]) {
    this.nodes = nodes;
    this.free = nodes.map(({ cpuMilli, memoryMib, gpus }) => ({
      cpu: cpuMilli,
      memory: memoryMib,
      pods: 1001,
      devices: Array.from({ length: gpus }, () => 1000),
    }));
  }

  fits(pod: PackPod, row: number): boolean {
    const { cpu, memory, pods, devices } = this.free[row]!;
    if (cpu < pod.cpuMilli || memory < pod.memoryMib || pods < 1) return false;
    if (pod.gpus === 0) return true;
    const named = modelsIn(pod.spec);
    if (named.length > 0 && !named.includes(this.nodes[row]!.model)) return false;
    return devices.filter((milli) => milli >= pod.gpuMilli).length >= pod.gpus;
  }

  take(pod: PackPod, { node, devices }: Spot): void {
    const here = this.free[node]!;
    expect(devices).toEqual([...new Set(devices)].sort((a, b) => a - b));
    expect(devices).toHaveLength(pod.gpus);
    expect(this.fits(pod, node)).toBe(true);
    here.cpu -= pod.cpuMilli;
    here.memory -= pod.memoryMib;
    here.pods -= 1;
    for (const device of devices) {
      expect(device).toBeLessThan(this.nodes[node]!.gpus);
      here.devices[device]! -= pod.gpuMilli;
      expect(here.devices[device]).toBeGreaterThanOrEqual(0);
    }
  }
}

describe.for(policyNames)("policy %s", (policy) => {
  test("takes nothing twice, names devices that exist, and declines only what fits nowhere", async () => {
    await fc.assert(
      fc.asyncProperty(someNodes, somePods, async (nodes, pods) => {
        const session = await sessionOf(policy, nodes, pods);
        const ledger = new Ledger(nodes);
        for (const pod of pods) {
          const spot = session.place(pod);
          if (spot !== null) ledger.take(pod, spot);
          else expect(nodes.some((_, row) => ledger.fits(pod, row))).toBe(false);
        }
      }),
      { numRuns: policy === "flare" ? 25 : 60 },
    );
  });

  test("gives the same placements every time", async () => {
    const [nodes, pods] = fc.sample(fc.tuple(someNodes, somePods), { numRuns: 1, seed: 11 })[0]!;
    const runs = await Promise.all(
      [1, 2].map(async () => {
        const session = await sessionOf(policy, nodes, pods);
        return pods.map((pod) => session.place(pod));
      }),
    );
    expect(runs[0]).toEqual(runs[1]);
  });
});

const node = (name: string, gpus: number, model = "A"): PackNode => ({
  name,
  cpuMilli: 64_000,
  memoryMib: 1024,
  gpus,
  model,
});
const pod = (name: string, gpus: number, gpuMilli: number, spec = ""): PackPod => ({
  name,
  cpuMilli: 0,
  memoryMib: 0,
  gpus,
  gpuMilli,
  spec,
});

test("the 1002nd pod of a node goes elsewhere", async () => {
  const session = await sessionOf("first", [node("a", 0), node("b", 0)], []);
  const rows = Array.from({ length: 1002 }, (_, row) => session.place(pod(`p${row}`, 0, 0))?.node);
  expect(rows.indexOf(1)).toBe(1001);
});

test("a model that no node has fits nowhere and is counted; one known model of several is enough", async () => {
  const session = await sessionOf("first", [node("a", 2)], []);
  expect(session.place(pod("p", 1, 500, "Q"))).toBeNull();
  expect(session.place(pod("p", 1, 500, "Q|A"))).toEqual({ node: 0, devices: [0] });
  expect(session.unknownModels()).toBe(1);
});

test.for([
  // two thirds of a device in use on b: the share goes beside it
  { policy: "bestfit", wanted: 1 },
  { policy: "dotprod", wanted: 1 },
  { policy: "packing", wanted: 1 },
  { policy: "clustering", wanted: 1 },
  { policy: "first", wanted: 0 },
] as const)("$policy puts a share on node $wanted of an empty and a used one", async ({ policy, wanted }) => {
  const nodes = [node("a", 2), node("b", 2, "B")];
  const session = await sessionOf(policy, nodes, []);
  session.place({ ...pod("first", 1, 600, "B"), cpuMilli: 32_000 });
  expect(session.place({ ...pod("second", 1, 300), cpuMilli: 32_000 })?.node).toBe(wanted);
});

test("clustering keeps kinds of requests apart", async () => {
  const session = await sessionOf("clustering", [node("a", 4), node("b", 4), node("c", 4)], []);
  const rows = [
    pod("s", 1, 500),
    pod("w", 1, 1000),
    pod("t", 1, 500),
    pod("g", 2, 1000),
    pod("v", 1, 1000),
  ].map((one) => session.place(one)?.node);
  expect(rows).toEqual([0, 1, 0, 2, 1]);
});

test("flare keeps a device free for the whole-device pods it expects", async () => {
  const expected = Array.from({ length: 10 }, (_, row) =>
    pod(`e${row}`, row % 2 === 0 ? 2 : 1, row % 2 === 0 ? 1000 : 500),
  );
  const session = await sessionOf("flare", [node("a", 2), node("b", 2)], expected);
  const shares = [1, 2, 3, 4].map((row) => session.place(pod(`s${row}`, 1, 500))?.node);
  expect(new Set(shares).size).toBe(1);
  expect(session.place(pod("whole", 2, 1000))).not.toBeNull();
});

test("flare notices a mix that is not the expected one, and goes on after adapting", async () => {
  const session = await sessionOf("flare", [node("a", 8)], [pod("e", 1, 500)]);
  for (let row = 0; row < 499; row++) session.place(pod(`p${row}`, 1, 10));
  expect(session.hasDrifted()).toBe(false);
  session.place(pod("last", 1, 10));
  expect(session.hasDrifted()).toBe(true);
  await session.adapt();
  expect(session.hasDrifted()).toBe(false);
  expect(session.place(pod("next", 1, 10))).not.toBeNull();
});

test("a mix that arrives as expected never drifts", async () => {
  const mix = [pod("a", 1, 10), pod("b", 1, 20), pod("c", 0, 0)];
  const session = await sessionOf("flare", [node("n", 4)], mix);
  for (let row = 0; row < 1500; row++) session.place(mix[(row * 7) % 3]!);
  expect(session.hasDrifted()).toBe(false);
});

test("policies that need a distribution say so, and so does a repeated node", async () => {
  await expect(sessionOf("fgd", [node("a", 1)], [])).rejects.toThrow("policy fgd needs expected pods");
  await expect(sessionOf("first", [node("a", 1), node("a", 2)], [])).rejects.toThrow("two nodes are named a");
});
