import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { type Listening, listen } from "../../../api/platform/listen.ts";
import { readPageFiles } from "../../../api/platform/reference-page.ts";
import { hasBrowser, launch, whyNot } from "../../browser/chromium.ts";
import { createDrivenService } from "../driven-env.ts";

/** Opens the page in a browser and tells what it did. */
async function withPage(
  path: string,
  look: (page: Page, seen: { readonly asked: string[]; readonly complaints: string[] }) => Promise<void>,
): Promise<void> {
  const files = readPageFiles();
  const service = await createDrivenService(files === undefined ? {} : { page: files });
  const listening: Listening = await listen(
    (request, bindings) => service.app.fetch(request, bindings),
    "127.0.0.1",
    0,
  );
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const seen = { asked: [] as string[], complaints: [] as string[] };
    page.on("request", (request) => seen.asked.push(request.url()));
    page.on("pageerror", (error) => seen.complaints.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) seen.complaints.push(message.text());
    });
    await page.goto(`${listening.url}${path}`);
    await look(page, seen);
  } finally {
    await browser.close();
    await listening.close(1000);
  }
}

test.skipIf(!hasBrowser)(
  `the reference page shows every operation, without an error or a request to anywhere else${whyNot}`,
  () =>
    withPage("/docs", async (page, { asked, complaints }) => {
      await page.waitForSelector(".opblock-tag, .opblock");
      const document = (await (await fetch(new URL("./openapi.json", page.url()))).json()) as {
        paths: Record<string, object>;
      };
      const operations = Object.values(document.paths).flatMap(Object.keys).length;
      expect(operations).toBeGreaterThan(30);
      const blocks = page.locator(".opblock");
      await expect.poll(() => blocks.count()).toBe(operations);
      // one that is opened shows its parameters and answers
      const submit = page.locator(".opblock-post", { has: page.locator('[data-path$="/intents"]') }).first();
      await submit.locator(".opblock-summary-control").click();
      await submit.locator(".responses-table").first().waitFor();
      expect(await submit.locator(".opblock-body").innerText()).toContain("Idempotency-Key");
      expect(complaints).toEqual([]);
      const { host } = new URL(page.url());
      const elsewhere = asked.filter((url) => !url.startsWith("data:") && new URL(url).host !== host);
      expect(elsewhere).toEqual([]);
      expect(asked.some((url) => url.endsWith("/openapi.json"))).toBe(true);
    }),
);
