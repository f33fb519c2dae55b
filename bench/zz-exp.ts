import { ascendBlocks } from "../engine/assign/blocks.ts";
import { classesOf } from "../engine/assign/classes.ts";
import { ascend, boundAt } from "../engine/assign/dual.ts";
import { formulate, pointOf, pricesOf } from "../engine/assign/formulate.ts";
import { preprocess } from "../engine/assign/instance.ts";
import { neighborhoodOf, search } from "../engine/assign/search.ts";
import { createHighsSolver } from "../engine/milp/highs.ts";
import { solveVerified } from "../engine/milp/verify.ts";
import { generateBatch } from "./assign-instances.ts";

const solver = await createHighsSolver();
const [n, ms] = process.argv.slice(2).map(Number) as [number, number];
for (const seed of [1, 2, 3]) {
  const g = generateBatch({ intents: n, seed });
  const { instance } = preprocess(g.instance);
  const classes = classesOf(instance);
  const f = formulate(instance, classes);
  let t = performance.now();
  const lp = await solveVerified(solver, { model: f.model });
  const tl = performance.now() - t;
  const prices = pricesOf(instance, f, lp.rowDuals!);
  t = performance.now();
  const lag = ascend(instance, { rounds: 300, known: 0.95 * boundAt(instance, prices) });
  const tlag = performance.now() - t;
  t = performance.now();
  const s = search(instance, neighborhoodOf(instance), { work: 60e6, seed: 5, prices, warm: 0.15 });
  const ts = performance.now() - t;
  const pct = (b: number) => ((100 * (b - s.gain)) / (s.gain - g.baseline)).toFixed(3);
  t = performance.now();
  const bl = ascendBlocks(instance, {
    work: 1e6,
    known: s.gain,
    from: { bound: boundAt(instance, prices), prices },
  });
  console.log(
    `n=${n} seed=${seed} cols ${f.model.cols} rows ${f.model.rows}: LP ${tl.toFixed(0)}ms lp ${pct(boundAt(instance, prices))} lag ${tlag.toFixed(0)}ms ${pct(lag.bound)} search ${ts.toFixed(0)}ms; blocks ${(performance.now() - t).toFixed(0)}ms ${pct(bl.bound)}`,
  );
  const order = Array.from({ length: instance.items }, (_, i) => i).sort(
    (a, b) => instance.worth[b]! - instance.worth[a]!,
  );
  for (const K of [40, 80, 150, 300, instance.items]) {
    const integer = new Uint8Array(instance.items);
    for (const i of order.slice(0, K)) integer[i] = 1;
    const fm = formulate(instance, classes, { integer });
    t = performance.now();
    const a = await solveVerified(solver, {
      model: fm.model,
      deadlineMs: ms,
      gap: 1e-4,
      focus: "bound",
      start: pointOf(instance, fm, s.units),
    });
    console.log(
      "   K",
      K,
      "mip",
      (performance.now() - t).toFixed(0),
      "ms bound",
      pct(-a.bound * fm.scale),
      "obj",
      pct(-a.objective * fm.scale),
      a.message,
    );
  }
}
