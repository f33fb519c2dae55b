import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

/** Folder of the newest PostgreSQL programs on this machine, or null. */
function findPrograms(): string | null {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).map(Number).filter(Number.isInteger) : [];
  const folders = versions.sort((a, b) => b - a).map((version) => join(root, String(version), "bin"));
  const config = spawnSync("pg_config", ["--bindir"], { encoding: "utf8" });
  if (config.status === 0) folders.push(config.stdout.trim());
  return folders.find((folder) => existsSync(join(folder, "initdb"))) ?? null;
}

/** The server refuses to run as root: then it runs as somebody else. */
function findUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, name], { encoding: "utf8" }));
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  return null;
}

const programs = findPrograms();
const user = findUser();

/** Why tests with PostgreSQL cannot run here, or null. */
export const noPostgres: string | null =
  programs === null || user === null ? "PostgreSQL is not installed here (apt-get install postgresql)" : null;

/** Folder of PostgreSQL's programs; empty where there is none. */
export const postgresPrograms: string = programs ?? "";

/** A server of its own in a temporary folder. */
export interface PostgresServer {
  /** Where its socket lies. */
  readonly folder: string;
  /** Address of a database, over the server's socket. */
  url(database: string): string;
  /** Makes an empty schema, as good as a database and quicker to have, and returns its address. */
  create(): Promise<string>;
  /** Ends the server as a power failure would end its processes. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** Makes and starts a server. `isSafe` false does without syncs, for tests that kill nothing. */
export async function startPostgres({
  isSafe = false,
}: {
  readonly isSafe?: boolean;
} = {}): Promise<PostgresServer> {
  if (programs === null || user === null) throw new Error("PostgreSQL is not installed here");
  const folder = mkdtempSync(join(tmpdir(), "flare-pg-"));
  chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const run = { ...user, env: { ...process.env, LC_ALL: "C.UTF-8" }, cwd: folder };
  const made = spawnSync(
    join(programs, "initdb"),
    ["-D", data, "-U", "flare", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"],
    { ...run, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const url = (database: string): string =>
    `postgres://flare@/${database}?host=${encodeURIComponent(folder)}`;
  let child: ChildProcess | null = null;
  let schemas = 0;

  const isUp = async (): Promise<boolean> => {
    const client = new pg.Client({ connectionString: url("postgres") });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.end();
      return true;
    } catch {
      return false;
    }
  };
  const ended = (): Promise<void> =>
    child === null || child.exitCode !== null || child.signalCode !== null
      ? Promise.resolve()
      : new Promise((resolve) => child?.once("exit", () => resolve()));
  const settings = {
    listen_addresses: "",
    unix_socket_directories: folder,
    max_connections: "60",
    shared_buffers: "32MB",
    ...(isSafe ? {} : { fsync: "off", full_page_writes: "off" }),
  };
  const start = async (): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
      child = spawn(join(programs, "postgres"), ["-D", data, ...flags], { ...run, stdio: "ignore" });
      const here = child;
      // what a killed server left behind may have to end first: then the new one gives up, and is tried again
      while (here.exitCode === null && here.signalCode === null) {
        if (await isUp()) return;
        await sleep(20);
      }
      if (attempt === 50) throw new Error("the server does not start");
      await sleep(100);
    }
  };
  await start();
  return {
    folder,
    url,
    start,
    async create() {
      const name = `test${schemas++}`;
      const admin = new pg.Client({ connectionString: url("postgres") });
      await admin.connect();
      await admin.query(`create schema ${name}`);
      await admin.end();
      return `${url("postgres")}&options=${encodeURIComponent(`-c search_path=${name}`)}`;
    },
    async kill() {
      const gone = ended();
      child?.kill("SIGKILL");
      await gone;
    },
    async stop() {
      const gone = ended();
      // immediate: there is nothing to keep
      child?.kill("SIGQUIT");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
