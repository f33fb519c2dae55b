import { expect, test } from "vitest";
import { readPageFiles } from "../../../api/platform/reference-page.ts";
import { createDrivenService } from "../driven-env.ts";

const files = readPageFiles();
const service = await createDrivenService(files === undefined ? {} : { page: files });
const get = (path: string) => service.request(null, "GET", path);

test("the files of the page are installed", () => {
  expect(files?.script).toContain("SwaggerUIBundle");
  expect(files?.style).toContain(".swagger-ui");
});

test("the page loads only what this service serves, and a strict policy holds it to that", async () => {
  const page = await get("/docs");
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = page.headers.get("content-security-policy")!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)]
    .map(([, path]) => path!)
    .filter((path) => path !== "data:,");
  expect(sources.length).toBe(3);
  for (const source of sources) {
    expect(source).toMatch(/^\.\/docs\/[\w.-]+$/);
    expect((await get(`/api/v1/${source.slice(2)}`)).status).toBe(200);
  }
  // nothing inline: no script without a source, no style or handler in an attribute
  expect(page.text).not.toMatch(/<script>|<style|style=|\son\w+=|https?:/);
});

test("what starts the page asks for our own document and for no validator elsewhere", async () => {
  const { text } = await get("/docs/start.js");
  expect(text).toContain('url: "./openapi.json"');
  expect(text).toContain("validatorUrl: null");
  expect(text).not.toMatch(/https?:/);
});

test("a service without the files says so", async () => {
  const bare = await createDrivenService();
  expect((await bare.request(null, "GET", "/docs")).status).toBe(404);
});
