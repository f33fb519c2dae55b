import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { serve } from "../../api/serve.ts";
import { createProgram } from "../../cli/program.ts";
import { twoOffers, wish } from "./driven-env.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs/guides/webhooks.md"), "utf8");
const [, receiver = ""] = /^```js run\n([\s\S]*?)^```$/m.exec(page) ?? [];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Runs a command line in this process and returns what it prints as JSON. */
async function flare(...args: string[]): Promise<{ code: number; answer: Record<string, unknown> }> {
  let out = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    let code = -1;
    await createProgram((result) => {
      code = result;
    }).parseAsync(["node", "flare", "webhooks", ...args, "--json"]);
    return { code, answer: JSON.parse(out) as Record<string, unknown> };
  } finally {
    write.mockRestore();
  }
}

/** The receiver of the page in a process of its own. */
async function startReceiver(
  secret: string,
  port: number,
): Promise<{ child: ChildProcess; lines: string[] }> {
  const child = spawn(process.execPath, ["--input-type=module", "-"], {
    cwd: root,
    env: { ...process.env, WEBHOOK_SECRET: secret, PORT: String(port) },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines: string[] = [];
  child.stdout!.on("data", (part: Buffer) => lines.push(...part.toString().trim().split("\n")));
  child.stdin!.end(receiver);
  const answers = (): Promise<number> =>
    fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "{}" }).then(
      ({ status }) => status,
      () => 0,
    );
  // what is not signed gets nowhere
  await expect.poll(answers, { timeout: 10_000 }).toBe(401);
  return { child, lines };
}

test("the receiver of the guide verifies what the service sends, with the commands of the guide", async () => {
  const folder = mkdtempSync(join(tmpdir(), "flare-webhooks-"));
  const port = await freePort();
  const service = await serve({
    host: "127.0.0.1",
    port: 0,
    data: join(folder, "data"),
    snapshot: twoOffers,
    delays: { peeringMs: 5, deployingMs: 5, reservationMs: 60_000 },
    webhooks: { allowNetworks: ["127.0.0.0/8"], ports: [port], allowHttp: true },
    logLevel: "silent",
    onFatal(message) {
      throw new Error(message);
    },
  });
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await service.close();
    rmSync(folder, { recursive: true });
  });
  vi.stubEnv("FLARE_SERVER", service.url);
  vi.stubEnv("FLARE_TOKEN", service.adminToken ?? "");

  const file = join(folder, "webhook.secret");
  const url = `http://127.0.0.1:${port}/flare`;
  const made = await flare("create", url, "--events", "intent.running,intent.cancelled", "--out", file);
  const id = String(made.answer["webhook_id"]);
  expect(made.answer).not.toHaveProperty("secret");
  const secret = readFileSync(file, "utf8").trim();
  expect((await flare("test", id)).code).toBe(4);

  const { child, lines } = await startReceiver(secret, port);
  onTestFinished(() => void child.kill());
  expect(await flare("test", id)).toMatchObject({ code: 0, answer: { status: "delivered" } });
  const accepted = await fetch(`${service.url}/intents`, {
    method: "POST",
    headers: { authorization: `Bearer ${service.adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(wish("web", 1)),
  });
  const { intent_id: intent } = (await accepted.json()) as { intent_id: string };
  const ran = expect.stringMatching(new RegExp(`^evt-\\d+ intent\\.running ${intent}$`));
  const test = expect.stringMatching(/^test-\S+ webhook\.test whk-/);
  await expect.poll(() => lines, { timeout: 10_000 }).toEqual([test, ran]);

  // a rotation: the receiver with the old secret accepts what both sign
  await flare("rotate", id, "--overlap", "1h", "--out", join(folder, "new.secret"));
  expect((await flare("test", id)).code).toBe(0);
  await flare("rotate", id, "--overlap", "0s", "--out", join(folder, "new.secret"));
  expect(await flare("test", id)).toMatchObject({
    code: 4,
    answer: { http_status: 401, answer: "bad signature" },
  });

  expect((await flare("deliveries", id, "--status", "delivered")).answer["deliveries"]).toHaveLength(3);
  expect((await flare("list")).answer["webhooks"]).toMatchObject([{ webhook_id: id, status: "active" }]);
  expect((await flare("replay", id, "--since", "2026-01-01T00:00:00Z")).answer).toMatchObject({ queued: 1 });
  expect((await flare("update", id, "--disable")).answer).toMatchObject({ status: "disabled" });
  expect((await flare("delete", id)).code).toBe(0);
}, 30_000);
