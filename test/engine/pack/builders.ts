import fc from "fast-check";
import { createRandom } from "../../../engine/assign/random.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import type { PackNode, PackPod } from "../../../engine/pack/model.ts";
import { createPackSession, type PackSession, type PolicyName } from "../../../engine/pack/session.ts";

const models = ["A", "B", "C"] as const;

/** Small machines of few kinds, so that equal scores and exact fits happen; some without GPUs. */
export const someNodes: fc.Arbitrary<PackNode[]> = fc
  .array(
    fc.record({
      cpuMilli: fc.constantFrom(4000, 8000),
      memoryMib: fc.constantFrom(64, 96),
      gpus: fc.constantFrom(0, 1, 2, 4),
      model: fc.constantFrom(...models),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((nodes) => nodes.map((node, row) => ({ ...node, name: `n${row}` })));

const request = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ gpus: fc.constant(1), gpuMilli: fc.constantFrom(100, 250, 330, 500, 505) }),
  },
  { weight: 3, arbitrary: fc.record({ gpus: fc.constantFrom(1, 2, 4), gpuMilli: fc.constant(1000) }) },
  { weight: 1, arbitrary: fc.record({ gpus: fc.constant(0), gpuMilli: fc.constant(0) }) },
);

/** Requests of few sizes; a part of them bound to models, one of which no node has. */
export const somePods: fc.Arbitrary<PackPod[]> = fc
  .array(
    fc.record({
      request,
      cpuMilli: fc.constantFrom(0, 500, 1000, 2000),
      memoryMib: fc.constantFrom(0, 4, 16),
      spec: fc.constantFrom("", "", "", "A", "A|B", "Z"),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((pods) =>
    pods.map(({ request: asked, spec, ...pod }, row) => ({
      ...pod,
      ...asked,
      spec: asked.gpus === 0 ? "" : spec,
      name: `p${row}`,
    })),
  );

const solver = await createHighsSolver();

/** A session whose expected pods are given; the seed is fixed. */
export const sessionOf = (
  policy: PolicyName,
  nodes: readonly PackNode[],
  expected: readonly PackPod[],
): Promise<PackSession> => createPackSession({ nodes, expected, policy, draw: createRandom(7).next, solver });
