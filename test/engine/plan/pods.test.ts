import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";

const highs = await createHighsSolver();

test.for<{ name: string; resource: object; need: object }>([
  { name: "pods", resource: { pods: 110, podsFree: 1 }, need: {} },
  { name: "CPU", resource: { cpuMilli: 64_000, cpuMilliFree: 7_000 }, need: { cpuMilli: 4_000 } },
  { name: "memory", resource: { memoryMib: 4_096, memoryMibFree: 2_047 }, need: { memoryMib: 1_024 } },
  { name: "GPUs", resource: { gpusFree: 1 }, need: {} },
])("$name bind: the second intent goes elsewhere, with and without a solver", async ({ resource, need }) => {
  const offers = [
    flavor("cheap", { capacity: { gpus: 4, gpusFree: 4, ...resource } }),
    flavor("dear", { price: { basis: "gpu", onDemand: eur(2) } }),
  ];
  const wanted = ["a", "b"].map((name) => {
    const one = intent({ name });
    return { ...one, workload: { ...one.workload, resources: { ...one.workload.resources, ...need } } };
  });
  for (const solver of [undefined, highs]) {
    const { decisions } = await plan(
      prepare(snapshot(offers)),
      wanted,
      solver === undefined ? {} : { solver },
    );
    expect(decisions.map(({ placements }) => placements[0]?.offer).sort()).toEqual(["cheap", "dear"]);
  }
});

test("an offer without a free place for a pod hosts nobody", async () => {
  const full = flavor("full", { capacity: { gpus: 4, gpusFree: 4, pods: 110, podsFree: 0 } });
  const { decisions } = await plan(prepare(snapshot([full])), [intent({ name: "a" })]);
  expect(decisions[0]!.outcome).not.toBe("placed");
  expect(decisions[0]!.rejections).toEqual({ "offer.pods": 1 });
});
