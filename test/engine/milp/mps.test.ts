import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { generateBatch } from "../../../bench/assign-instances.ts";
import { integerModel } from "../../../engine/assign/dump.ts";
import type { Instance } from "../../../engine/assign/instance.ts";
import { assign } from "../../../engine/assign/solve.ts";
import { createHighsSolver } from "../../../engine/milp/highs.ts";
import { toMps } from "../../../engine/milp/mps.ts";
import { layOut, smallBatches } from "../assign/small-instances.ts";
import { native, nativeName, nativeOptimum } from "./native.ts";
import { modelOf } from "./solver-contract.ts";

const folder = mkdtempSync(join(tmpdir(), "flare-mps-"));
const optimumOf = (instance: Instance): number => {
  const { model, scale } = integerModel(instance);
  const path = join(folder, "instance.mps");
  writeFileSync(
    path,
    toMps(model, { model: "batch", column: (column) => `x${column}`, row: (row) => `r${row}` }),
  );
  return -nativeOptimum(path) * scale;
};

test("writes rows of every type, integer columns between markers, and every bound", () => {
  const model = modelOf({
    cost: [-3, 0.1],
    upper: [2, 5],
    rows: [
      { terms: [1, 2], low: -Infinity, high: 14 },
      { terms: [1, -1], low: 2, high: Infinity },
      { terms: [1, 1], low: 3, high: 3 },
      { terms: [0, 7], low: 1, high: 6 },
    ],
    isInteger: true,
  });
  expect(
    toMps(model, { model: "m", column: (column) => `x${column}`, row: (row) => `r${row}` }).split("\n"),
  ).toEqual([
    "NAME m FREE",
    "ROWS",
    " N cost",
    " L r0",
    " G r1",
    " E r2",
    " L r3",
    "COLUMNS",
    " marker 'MARKER' 'INTORG'",
    " x0 cost -3",
    " x0 r0 1",
    " x0 r1 1",
    " x0 r2 1",
    " x1 cost 0.1",
    " x1 r0 2",
    " x1 r1 -1",
    " x1 r2 1",
    " x1 r3 7",
    " marker 'MARKER' 'INTEND'",
    "RHS",
    " rhs r0 14",
    " rhs r1 2",
    " rhs r2 3",
    " rhs r3 6",
    "RANGES",
    " rng r3 5",
    "BOUNDS",
    " LO bnd x0 0",
    " UP bnd x0 2",
    " LO bnd x1 0",
    " UP bnd x1 5",
    "ENDATA",
    "",
  ]);
});

test.skipIf(native === undefined)(
  `the certified bound is never below what ${nativeName} finds, and no answer above it`,
  async () => {
    const highs = await createHighsSolver();
    const sizes = process.env["FLARE_NIGHTLY"] === undefined ? [20, 40] : [20, 40, 60, 80, 100];
    for (const [index, intents] of sizes.entries()) {
      const { instance } = generateBatch({ intents, seed: 11 + index });
      const best = optimumOf(instance);
      for (const solver of [undefined, highs]) {
        const outcome = await assign(instance, {
          work: 300_000,
          deadlineMs: 500,
          ...(solver === undefined ? {} : { solver }),
        });
        expect(outcome.bound).toBeGreaterThanOrEqual(best * (1 - 1e-7));
        expect(outcome.gain).toBeLessThanOrEqual(best * (1 + 1e-7));
      }
    }
  },
);

test.skipIf(native === undefined)(
  `on tiny batches ${nativeName} and the assigner with HiGHS find the same optimum`,
  async () => {
    const highs = await createHighsSolver();
    const runs = process.env["FLARE_NIGHTLY"] === undefined ? 25 : 400;
    await fc.assert(
      fc.asyncProperty(smallBatches(), async (batch) => {
        const instance = layOut(batch);
        // files without columns are no models
        fc.pre(instance.options > 0);
        const { gain } = await assign(instance, { solver: highs, work: 5_000, gap: 0 });
        expect(gain).toBeCloseTo(optimumOf(instance), 4);
      }),
      { numRuns: runs, seed: 17 },
    );
  },
);
