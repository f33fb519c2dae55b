import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateSnapshot } from "../../adapters/catalog/generate.ts";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { hasBrowser, launch, whyNot } from "../browser/chromium.ts";
import { bundle, root } from "./bundle.ts";
import { type RunInput, type RunOutput, runEngine } from "./engine-run.ts";

const readJson = (path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8"));

/** Serves the page and its module from memory, on a free port of the loopback interface. */
async function serve(module: string): Promise<{ readonly url: string; close(): void }> {
  const page = `<!doctype html><meta charset="utf-8"><title>engine</title><script type="module">
    import { runEngine } from "./engine.mjs";
    globalThis.runEngine = runEngine;
  </script>`;
  const server = createServer(({ url }, response) => {
    const isModule = url === "/engine.mjs";
    response.setHeader("content-type", isModule ? "text/javascript" : "text/html");
    response.end(isModule ? module : page);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}

async function runInBrowser(module: string, input: RunInput): Promise<RunOutput> {
  const { url, close } = await serve(module);
  const started = await launch();
  try {
    const page = await started.newPage();
    await page.goto(url);
    await page.waitForFunction(() => "runEngine" in globalThis);
    return await page.evaluate(
      (given) =>
        (globalThis as unknown as { runEngine: (input: RunInput) => Promise<RunOutput> }).runEngine(given),
      input,
    );
  } finally {
    await started.close();
    close();
  }
}

test.skipIf(!hasBrowser)(
  `a page in Chromium plans the same bytes as Node, on the same kernel with the same counts${whyNot}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "flare-browser-"));
    try {
      const outfile = join(folder, "engine.mjs");
      await bundle("test/package/engine-run.ts", outfile);
      const offersOf = (seed: number): RunInput["snapshot"] => readSnapshot(generateSnapshot(1200, seed));
      const intents = ["inference-eu", "fine-tuning", "hpc"].map((name) =>
        readIntent(readJson(`fixtures/intents/${name}.json`)),
      );
      const given = { snapshot: offersOf(1), changed: offersOf(2).offers.slice(0, 150), intents };
      // as it arrives in the page
      const input = JSON.parse(JSON.stringify(given)) as RunInput;
      const there = await runInBrowser(readFileSync(outfile, "utf8"), input);
      const here = await runEngine(input);
      expect(there.kernel).toBe("wasm");
      expect(there.plans).toEqual(here.plans);
      expect(there.answers).toBe(here.answers);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
