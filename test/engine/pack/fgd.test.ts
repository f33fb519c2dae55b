import fc from "fast-check";
import { expect, test } from "vitest";
import type { PackNode, PackPod } from "../../../engine/pack/model.ts";
import { sessionOf, someNodes, somePods } from "./builders.ts";

/** FGD once more, slow and from its published description: no interning, no caches, scores from `Math.exp`. */
class SlowFgd {
  readonly nodes: {
    readonly node: PackNode;
    cpu: number;
    memory: number;
    readonly free: number[];
    pods: number;
  }[];
  readonly typical: { readonly pod: PackPod; readonly share: number }[];

  constructor(nodes: readonly PackNode[], expected: readonly PackPod[]) {
    this.nodes = nodes.map((node) => ({
      node,
      cpu: node.cpuMilli,
      memory: node.memoryMib,
      free: new Array<number>(node.gpus).fill(1000),
      pods: 0,
    }));
    const counts = new Map<string, { pod: PackPod; count: number }>();
    for (const pod of expected) {
      const key = JSON.stringify([pod.cpuMilli, pod.gpuMilli, pod.gpus, pod.spec]);
      const entry = counts.get(key) ?? { pod, count: 0 };
      entry.count++;
      counts.set(key, entry);
    }
    const order = [...counts.values()].sort((x, y) => {
      if (x.count !== y.count) return y.count - x.count;
      if (x.pod.cpuMilli !== y.pod.cpuMilli) return y.pod.cpuMilli - x.pod.cpuMilli;
      if (x.pod.gpuMilli !== y.pod.gpuMilli) return y.pod.gpuMilli - x.pod.gpuMilli;
      if (x.pod.gpus !== y.pod.gpus) return y.pod.gpus - x.pod.gpus;
      return x.pod.spec < y.pod.spec ? 1 : -1;
    });
    let seen = 0;
    let length = 0;
    while (seen < (95 * expected.length) / 100) seen += order[length++]!.count;
    this.typical = order.slice(0, length).map(({ pod, count }) => {
      let share = count / expected.length;
      if (length < order.length) share /= seen / expected.length;
      return { pod, share };
    });
  }

  idleForNobody(free: readonly number[], cpu: number, model: string): number {
    const sums = { both: 0, gpu: 0, cpu: 0, plain: 0, plainCpu: 0, access: 0 };
    const idle = free.reduce((a, b) => a + b, 0);
    for (const { pod, share } of this.typical) {
      if (pod.gpuMilli === 0) {
        sums[cpu >= pod.cpuMilli ? "plain" : "plainCpu"] += share * idle;
        continue;
      }
      if (pod.spec !== "" && !pod.spec.split("|").includes(model)) {
        sums.access += share * idle;
        continue;
      }
      const usable = free.filter((milli) => milli >= pod.gpuMilli);
      const scraps = idle - usable.reduce((a, b) => a + b, 0);
      const gpuOk = usable.length >= pod.gpus;
      const cpuOk = cpu >= pod.cpuMilli;
      if (gpuOk && cpuOk) sums.gpu += share * scraps;
      else if (gpuOk) sums.cpu += share * idle;
      else if (cpuOk) sums.gpu += share * idle;
      else sums.both += share * idle;
    }
    return sums.both + sums.gpu + sums.cpu + sums.plain + sums.plainCpu + sums.access;
  }

  place(pod: PackPod): { node: number; devices: number[] } | null {
    let best: { node: number; devices: number[]; score: number } | null = null;
    this.nodes.forEach((here, node) => {
      const named = pod.gpus > 0 && pod.spec !== "" ? pod.spec.split("|") : null;
      if (here.cpu < pod.cpuMilli || here.memory < pod.memoryMib || here.pods > 1000) return;
      if (named !== null && !named.includes(here.node.model)) return;
      const now = this.idleForNobody(here.free, here.cpu, here.node.model);
      const candidates: number[][] = [];
      if (pod.gpus === 1 && pod.gpuMilli < 1000)
        here.free.forEach((milli, device) => {
          if (milli >= pod.gpuMilli) candidates.push([device]);
        });
      else {
        const whole = here.free.flatMap((milli, device) => (milli === 1000 ? [device] : []));
        if (whole.length >= pod.gpus) candidates.push(whole.slice(0, pod.gpus));
      }
      for (const devices of candidates) {
        const after = here.free.map((milli, device) =>
          devices.includes(device) ? milli - pod.gpuMilli : milli,
        );
        const then = this.idleForNobody(after, here.cpu - pod.cpuMilli, here.node.model);
        const score = Math.floor((1 / (1 + Math.exp(-(now - then) / 1000))) * 100);
        if (best === null || score > best.score) best = { node, devices, score };
      }
    });
    if (best === null) return null;
    const { node, devices } = best as { node: number; devices: number[] };
    const here = this.nodes[node]!;
    here.cpu -= pod.cpuMilli;
    here.memory -= pod.memoryMib;
    here.pods += 1;
    for (const device of devices) here.free[device]! -= pod.gpuMilli;
    return { node, devices };
  }
}

test("equals the slow reference pod by pod", async () => {
  await fc.assert(
    fc.asyncProperty(someNodes, somePods, somePods, async (nodes, expected, pods) => {
      const session = await sessionOf("fgd", nodes, expected);
      const slow = new SlowFgd(nodes, expected);
      for (const pod of pods) expect(session.place(pod)).toEqual(slow.place(pod));
    }),
    { numRuns: 150 },
  );
});
