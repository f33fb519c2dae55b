import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type RunningService, serve } from "../../api/serve.ts";
import { InputError } from "../../cli/exit.ts";
import { readSnapshots, readSource } from "../../cli/input.ts";
import { createProgram } from "../../cli/program.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));

let service: RunningService;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flare-cli-server-"));
  service = await serve({
    host: "127.0.0.1",
    port: 0,
    data: join(folder, "data"),
    snapshot: readSnapshots([readSource(fixture("clusters/europe.json"))], { strict: true }),
    delays: { peeringMs: 5, deployingMs: 5, reservationMs: 60_000 },
    logLevel: "silent",
    onFatal(message) {
      throw new Error(message);
    },
  });
  vi.stubEnv("XDG_CONFIG_HOME", join(folder, "config"));
  vi.stubEnv("FLARE_SERVER", undefined);
  vi.stubEnv("FLARE_TOKEN", undefined);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await service.close();
  rmSync(folder, { recursive: true });
});

/** Runs a command line in this process, against a server in this process. */
async function flare(...args: string[]): Promise<{ code: number; out: string }> {
  let out = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    let code = -1;
    await createProgram((result) => {
      code = result;
    }).parseAsync(["node", "flare", ...args]);
    return { code, out };
  } finally {
    write.mockRestore();
  }
}

const linesOf = async (run: Promise<unknown>): Promise<string> => {
  const error: unknown = await run.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return (error as InputError).lines.join("\n");
};

test("without a server or a token a command says what it needs", async () => {
  expect(await linesOf(flare("get"))).toContain("flare login URL once");
  expect(await linesOf(flare("get", "--server", service.url))).toContain(`no token for ${service.url}`);
  expect(await linesOf(flare("get", "--server", "localhost"))).toContain("accepted: a URL");
});

test("login keeps a token that works, for its owner alone, and none that does not", async () => {
  const token = join(folder, "token");
  writeFileSync(token, "flr_wrong\n");
  expect(await linesOf(flare("login", service.url, "--token-file", token))).toContain("INVALID_TOKEN");
  writeFileSync(token, `${service.adminToken}\n`);
  expect((await flare("login", `${service.url}/`, "--token-file", token)).out).toContain(
    "as admin of default",
  );
  const kept = join(folder, "config/flare/credentials.json");
  expect(statSync(kept).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(kept, "utf8"))).toMatchObject({ server: service.url });
});

test("an intent is submitted, watched, shown by name, explained and cancelled", async () => {
  const dry = await flare("submit", fixture("intents/inference-eu.json"), "--dry-run");
  expect([dry.code, dry.out]).toEqual([0, expect.stringContaining("placed (PLACED)") as unknown]);
  const submitted = await flare("submit", fixture("intents/inference-eu.json"), "--wait");
  expect(submitted.code).toBe(0);
  for (const text of ["queued", "placing", "running", "7.60 EUR/hour"]) expect(submitted.out).toContain(text);
  expect(JSON.parse((await flare("get", "chat-inference", "--json")).out)).toMatchObject({
    phase: "running",
  });
  expect((await flare("get", "--status", "running")).out).toContain("chat-inference");
  const explained = (await flare("get", "chat-inference", "--decision")).out;
  // the same text as from the engine's own decision, but for trade-offs, which nobody asked for
  for (const text of ["Runners-up", "fjord-a100-a", "gpu.interconnect"]) expect(explained).toContain(text);
  expect((await flare("watch", "chat-inference")).out).toContain("running");
  expect((await flare("queue", "--json")).out).toContain('"intents": []');
  const cancelled = await flare("cancel", "chat-inference", "--wait");
  expect(cancelled.out).toContain("cancelled: Intent cancelled");
  expect(await linesOf(flare("get", "no-such-intent"))).toContain("no intent of that id or name");
});

test("the same idempotency key is the same intent", async () => {
  const submit = () => flare("submit", fixture("intents/hpc.json"), "--idempotency-key", "k1", "--json");
  expect((await submit()).out).toBe((await submit()).out);
});

test("what can never be placed exits as not placed, and tells what would", async () => {
  const file = join(folder, "cheap.json");
  const document = readFileSync(fixture("intents/inference-eu.json"), "utf8");
  writeFileSync(file, document.replace(/"max_hourly_cost": "[^"]*"/, '"max_hourly_cost": "0.10 EUR"'));
  const dry = await flare("submit", file, "--dry-run");
  expect([dry.code, dry.out]).toEqual([3, expect.stringContaining("What would get it placed") as unknown]);
  expect(await linesOf(flare("submit", file))).toMatch(/COST_LIMIT_EXCEEDED.*\ntry .*max_hourly_cost/);
});

test("offers, simulations and tokens come from the server", async () => {
  expect((await flare("offers", "--server", service.url)).out).toContain("fjord-a100-a");
  const simulated = await flare(
    "simulate",
    fixture("intents/hpc.json"),
    fixture("intents/video-analytics.json"),
    "--json",
  );
  expect(JSON.parse(simulated.out)).toMatchObject({ decisions: [{}, {}] });
  const out = join(folder, "ci-token");
  const made = await flare("tokens", "create", "ci", "--permissions", "intents:read", "--out", out, "--json");
  expect(statSync(out).mode & 0o777).toBe(0o600);
  const { token_id } = JSON.parse(made.out) as { token_id: string };
  expect(made.out).not.toContain("flr_");
  expect(await linesOf(flare("tokens", "--token-file", out))).toContain("INSUFFICIENT_PERMISSIONS");
  expect((await flare("tokens")).out).toContain("ci");
  await flare("tokens", "revoke", token_id);
  expect(await linesOf(flare("get", "--token-file", out))).toContain("TOKEN_REVOKED");
});
