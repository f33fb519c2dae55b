import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { generateSnapshot } from "../../adapters/catalog/generate.ts";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { applyChanges, plan, prepare } from "../../engine/index.ts";
import { bundle, root } from "./bundle.ts";

const read = (path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8"));

test("the engine bundled for the browser needs nothing of Node and gives the same plan bytes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "flare-bundle-"));
  try {
    const outfile = join(folder, "engine.mjs");
    await bundle("engine/index.ts", outfile);
    expect(readFileSync(outfile, "utf8")).not.toMatch(/from "node:/);
    const bundled = (await import(pathToFileURL(outfile).href)) as {
      applyChanges: typeof applyChanges;
      plan: typeof plan;
      prepare: typeof prepare;
    };
    const intent = readIntent(read("fixtures/intents/inference-eu.json"));
    const snapshot = readSnapshot(read("fixtures/clusters/europe.json"));
    const here = await plan(prepare(snapshot), [intent]);
    const there = await bundled.plan(bundled.prepare(snapshot), [intent]);
    expect(there.engine.kernel).toBe("wasm");
    expect(JSON.stringify(there)).toBe(JSON.stringify(here));
    // enough offers for every layout of the kernel, and changed afterwards
    const many = readSnapshot(generateSnapshot(3000, 1));
    const changes = { offers: readSnapshot(generateSnapshot(3000, 2)).offers.slice(0, 300) };
    const [near, far] = [prepare(many), bundled.prepare(many)];
    expect(JSON.stringify(await bundled.plan(far, [intent]))).toBe(
      JSON.stringify(await plan(near, [intent])),
    );
    const changed = await plan(applyChanges(near, changes), [intent]);
    expect(JSON.stringify(await bundled.plan(bundled.applyChanges(far, changes), [intent]))).toBe(
      JSON.stringify(changed),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
