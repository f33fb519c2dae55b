import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { wish } from "../api/driven-env.ts";

/** A service in a process of its own. */
export interface ServiceProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly exited: Promise<number | null>;
}

const entry = fileURLToPath(new URL("./service-process.ts", import.meta.url));

/** Starts a service on a folder and waits for its address. */
export async function startService(
  data: string,
  { synchronous = "full", env = {} }: { synchronous?: "full" | "off"; env?: Record<string, string> } = {},
): Promise<ServiceProcess> {
  mkdirSync(data, { recursive: true });
  const child = spawn(process.execPath, [entry, data, synchronous], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let complaints = "";
  child.stderr.on("data", (part) => (complaints += String(part)));
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const url = await Promise.race([
    new Promise<string>((resolve) => createInterface(child.stdout).once("line", resolve)),
    exited.then((code) => {
      throw new Error(`the service ended with ${code} before it listened: ${complaints}`);
    }),
  ]);
  return { child, url, exited };
}

/** Numbers from a seed in 0..1. */
export function createChance(seed: number): () => number {
  let drawn = 0;
  return () => createHash("sha256").update(`${seed}.${drawn++}`).digest().readUInt32LE(0) / 2 ** 32;
}

/** What the clients of all rounds know. */
export interface Ledger {
  /** Ids that were answered with 202, by idempotency key. */
  readonly acknowledged: Map<string, string>;
  /** Keys whose request got no answer. */
  readonly inDoubt: Set<string>;
  /** Ids whose cancellation was answered with 202. */
  readonly cancelled: Set<string>;
  /** Answers that must never come. */
  readonly unexpected: string[];
}

export const createLedger = (): Ledger => ({
  acknowledged: new Map(),
  inDoubt: new Set(),
  cancelled: new Set(),
  unexpected: [],
});

export const tokenOf = (data: string): string => readFileSync(`${data}.token`, "utf8").trim();

const bodyOf = (key: string): string =>
  JSON.stringify(wish(key, 1 + (Number.parseInt(key.slice(-2), 36) % 3)));

/** Submits under a key, whatever number of times it was submitted before. */
async function submit(url: string, token: string, key: string, ledger: Ledger): Promise<void> {
  ledger.inDoubt.add(key);
  const answer = await fetch(`${url}/intents`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "idempotency-key": key },
    body: bodyOf(key),
  });
  const { intent_id: id } = (await answer.json()) as { intent_id: string };
  if (answer.status !== 202) ledger.unexpected.push(`${key}: ${answer.status}`);
  const before = ledger.acknowledged.get(key);
  if (before !== undefined && before !== id) ledger.unexpected.push(`${key}: is ${before} and ${id}`);
  ledger.acknowledged.set(key, id);
  ledger.inDoubt.delete(key);
}

async function cancel(url: string, token: string, id: string, ledger: Ledger): Promise<void> {
  const answer = await fetch(`${url}/intents/${id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}` },
  });
  await answer.arrayBuffer();
  if (answer.status === 202) ledger.cancelled.add(id);
  else ledger.unexpected.push(`cancelling ${id}: ${answer.status}`);
}

export interface Load {
  readonly url: string;
  readonly token: string;
  readonly ledger: Ledger;
  readonly name: string;
  readonly chance: () => number;
  readonly clients?: number;
}

/** Clients that submit and cancel until the service is gone. Resolves when all have noticed. */
export async function loadUntilGone(load: Load): Promise<void> {
  const { url, token, ledger, name, chance, clients = 8 } = load;
  const repeat = [...ledger.inDoubt];
  let made = 0;
  const client = async (): Promise<void> => {
    for (;;)
      try {
        const ids = [...ledger.acknowledged.values()];
        const key = repeat.shift() ?? `${name}-${String(made++).padStart(4, "0")}`;
        if (ids.length > 0 && chance() < 0.3)
          await cancel(url, token, ids[Math.floor(chance() * ids.length)] ?? "", ledger);
        await submit(url, token, key, ledger);
      } catch {
        return;
      }
  };
  await Promise.all(Array.from({ length: clients }, client));
}

/** The file that a crash of an empty disk leaves: SQLite recovers from its journal alone. */
export function ensureFile(path: string): void {
  if (!existsSync(path)) writeFileSync(path, "");
}
