import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type PostgresServer, startPostgres } from "../postgres/server.ts";

/** One replica in a process of its own. */
export interface Replica {
  readonly child: ChildProcess;
  readonly url: string;
  readonly exited: Promise<number | null>;
  /** What it logged last. */
  readonly last: readonly string[];
  /** The epoch that it took last; 0 before the first. */
  epoch: number;
}

/** Three replicas on one database. */
export interface Cluster {
  readonly server: PostgresServer;
  readonly url: string;
  readonly replicas: Replica[];
  readonly leaseMs: number;
  readonly token: string;
  /** Starts one more in place of one that ended. */
  replace(replica: Replica): Promise<void>;
  /** The epoch of the lease now. */
  epoch(): Promise<number>;
  query<Row extends object>(text: string): Promise<Row[]>;
  stop(): Promise<void>;
}

const entry = fileURLToPath(new URL("./replica-process.ts", import.meta.url));

interface Started {
  readonly url: string;
  readonly data: string;
  readonly leaseMs: number;
  readonly env: Record<string, string>;
}

async function startReplica({ url, data, leaseMs, env }: Started): Promise<Replica> {
  const child = spawn(process.execPath, [entry, url, data, String(leaseMs)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env, FLARE_TEST_LOG: "info" },
  });
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const last: string[] = [];
  const replica = { child, url: "", exited, last, epoch: 0 };
  createInterface(child.stderr).on("line", (line) => {
    last.push(line);
    if (last.length > 20) last.shift();
    if (line.includes("leads from now on")) replica.epoch = (JSON.parse(line) as { epoch: number }).epoch;
  });
  replica.url = await Promise.race([
    new Promise<string>((resolve) => createInterface(child.stdout).once("line", resolve)),
    exited.then((code) => {
      throw new Error(`a replica ended with ${code} before it listened: ${last.join("\n")}`);
    }),
  ]);
  return replica;
}

/** Starts a database and replicas that share it. */
export async function startCluster(leaseMs: number): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "flare-replicas-"));
  const server = await startPostgres({ isSafe: true });
  const url = server.url("postgres");
  const key = join(folder, "key");
  const tokenFile = join(folder, "token");
  writeFileSync(key, Buffer.alloc(32, 7).toString("base64"));
  const env = { FLARE_TEST_KEY: key, FLARE_TEST_TOKEN: tokenFile };
  let made = 0;
  const start = (): Promise<Replica> =>
    startReplica({ url, data: join(folder, `replica${made++}`), leaseMs, env });
  // all at once on an empty database
  const replicas = await Promise.all([start(), start(), start()]);
  if (!existsSync(tokenFile)) throw new Error("no replica made the first token");
  const query = async <Row extends object>(text: string): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    server,
    url,
    replicas,
    leaseMs,
    token: readFileSync(tokenFile, "utf8"),
    query,
    async epoch() {
      const [row] = await query<{ epoch: string }>("select epoch from leases");
      return Number(row?.epoch ?? 0);
    },
    async replace(replica) {
      replicas[replicas.indexOf(replica)] = await start();
    },
    async stop() {
      for (const { child } of replicas) child.kill("SIGKILL");
      await Promise.all(replicas.map(({ exited }) => exited));
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
