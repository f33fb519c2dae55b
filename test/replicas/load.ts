import { setTimeout as sleep } from "node:timers/promises";
import { wish } from "../api/driven-env.ts";
import type { Ledger } from "../durability/rounds.ts";
import type { Cluster } from "./cluster.ts";

/** Clients that submit and cancel until they are stopped, each request again elsewhere until it is answered. */
export interface Load {
  /** Resolves when every request that was begun has been answered. */
  stop(): Promise<void>;
}

/** Longer than any untroubled answer, shorter than a replica that stands still. */
const PATIENCE_MS = 1000;

/** Puts load on all replicas of a cluster. */
export function startLoad(cluster: Cluster, ledger: Ledger, chance: () => number, clients = 4): Load {
  const { replicas, token } = cluster;
  let made = 0;
  let isStopped = false;
  const draw = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T;

  /** Asks one replica after another until one answers with 2xx; the same request every time. */
  const ask = async (method: string, path: string, key: string, body?: string): Promise<unknown> => {
    for (let wait = 20; ; wait = Math.min(500, wait * 2)) {
      try {
        const answer = await fetch(`${draw(replicas).url}${path}`, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            "idempotency-key": key,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
          },
          ...(body === undefined ? {} : { body }),
          signal: AbortSignal.timeout(PATIENCE_MS),
        });
        const text = await answer.text();
        if (answer.ok) return JSON.parse(text) as unknown;
        if (answer.status < 500 && answer.status !== 429) {
          ledger.unexpected.push(`${method} ${path} ${key}: ${answer.status} ${text}`);
          return null;
        }
      } catch {
        ledger.inDoubt.add(key);
      }
      await sleep(wait);
    }
  };
  const submit = async (): Promise<string> => {
    const key = `work-${String(made++).padStart(5, "0")}`;
    const answer = await ask("POST", "/intents", key, JSON.stringify(wish(key, 1 + (made % 3))));
    const { intent_id: id } = answer as { intent_id: string };
    const before = ledger.acknowledged.get(key);
    if (before !== undefined && before !== id) ledger.unexpected.push(`${key}: is ${before} and ${id}`);
    ledger.acknowledged.set(key, id);
    return id;
  };
  const client = async (): Promise<void> => {
    const own: string[] = [];
    while (!isStopped) {
      own.push(await submit());
      // about as much is given back as is asked for
      if (own.length > 6) {
        const id = own.splice(Math.floor(chance() * own.length), 1)[0] ?? "";
        await ask("DELETE", `/intents/${id}`, `cancel-${id}`);
        ledger.cancelled.add(id);
      }
      await sleep(20);
    }
  };
  const running = Array.from({ length: clients }, client);
  return {
    async stop() {
      isStopped = true;
      await Promise.all(running);
    },
  };
}
