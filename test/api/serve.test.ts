import { readFileSync, rmSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "../../api/serve.ts";
import { twoOffers, wish } from "./driven-env.ts";

const fast = { peeringMs: 5, deployingMs: 5, reservationMs: 60_000 };

async function started(data: string, more: object = {}) {
  return serve({
    host: "127.0.0.1",
    port: 0,
    data,
    snapshot: twoOffers,
    delays: fast,
    logLevel: "silent",
    onFatal(message) {
      throw new Error(message);
    },
    ...more,
  });
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "flare-serve-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("the first start gives an admin token with which an intent gets to running; a restart keeps it", async () => {
  const data = await newFolder();
  const first = await started(data);
  const headers = { authorization: `Bearer ${first.adminToken}` };
  const answer = await fetch(`${first.url}/api/v1/intents`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(wish("web", 1)),
  });
  expect(answer.status).toBe(202);
  const { intent_id } = (await answer.json()) as { intent_id: string };
  const phaseAt = async (url: string): Promise<string> => {
    const status = await fetch(`${url}/api/v1/intents/${intent_id}`, { headers });
    return ((await status.json()) as { phase: string }).phase;
  };
  await expect.poll(() => phaseAt(first.url), { timeout: 10_000 }).toBe("running");
  await first.close();
  const second = await started(data);
  expect(second.adminToken).toBeNull();
  expect(await phaseAt(second.url)).toBe("running");
  await second.close();
});

test("a token file is written for its owner alone, and the token is not returned", async () => {
  const data = await newFolder();
  const adminTokenFile = join(data, "token");
  const service = await started(data, { adminTokenFile });
  expect(service.adminToken).toBeNull();
  expect(statSync(adminTokenFile).mode & 0o777).toBe(0o600);
  const token = readFileSync(adminTokenFile, "utf8").trim();
  const answer = await fetch(`${service.url}/intents`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  await service.close();
});

test("two processes never share a folder", async () => {
  const data = await newFolder();
  const service = await started(data);
  await expect(started(data)).rejects.toThrow(/in use/);
  await service.close();
});
