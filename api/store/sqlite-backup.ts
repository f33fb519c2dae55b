import { createHash } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { backup } from "node:sqlite";
import type { Head } from "./chain.ts";
import { schemaVersion } from "./migrate.ts";
import { openSqlite } from "./sqlite.ts";
import { type Anchor, type Verdict, verifyDatabase } from "./verify.ts";

/** Name of the database in a data folder. */
export const DATABASE_FILE = "flare.db";
/** Name of the file of anchors in a data folder. */
export const ANCHOR_FILE = "anchors.ndjson";

/** What lies beside a backup and says what it is. */
export interface Manifest {
  readonly format: 1;
  readonly schema: number;
  readonly bytes: number;
  /** SHA-256 of the file, hex. */
  readonly sha256: string;
  readonly events: Head;
  readonly audit: Head;
  readonly intents: number;
}

/** The anchors in a file, one JSON object a line; a last line that was cut off is left out. */
export function readAnchors(path: string): Anchor[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Anchor);
}

/** Opens a database file, by itself or under a running service, and checks all of it. */
export async function verifyFile(path: string, anchors: readonly Anchor[] = []): Promise<Verdict> {
  const { raw, db, close } = openSqlite({ path, readOnly: true });
  try {
    const own = raw.prepare("pragma integrity_check(20)").all();
    const complaints = own.map((row) => String(row["integrity_check"])).filter((text) => text !== "ok");
    if (complaints.length > 0)
      return {
        findings: complaints.map((text) => `SQLite: ${text}`),
        events: { seq: 0, hash: "" },
        audit: { seq: 0, hash: "" },
        intents: 0,
        anchors: 0,
      };
    return await verifyDatabase(db, anchors);
  } finally {
    close();
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Uint8Array);
  return hash.digest("hex");
}

/** Makes names and contents durable: the file, then the folder that names it. */
function syncWithFolder(path: string): void {
  for (const target of [path, dirname(path)]) {
    const handle = openSync(target, "r");
    fsyncSync(handle);
    closeSync(handle);
  }
}

/**
 * Checks a finished copy in full, writes its manifest, and gives it its name only then.
 *
 * @throws {Error} when the copy does not verify
 */
export async function nameBackup(
  partial: string,
  target: string,
  anchors: readonly Anchor[],
): Promise<Manifest> {
  const verdict = await verifyFile(partial, anchors);
  if (verdict.findings.length > 0)
    throw new Error(`the copy does not verify: ${verdict.findings.slice(0, 3).join("; ")}`);
  const { events, audit, intents } = verdict;
  const manifest: Manifest = {
    format: 1,
    schema: schemaVersion,
    bytes: statSync(partial).size,
    sha256: await sha256Of(partial),
    events,
    audit,
    intents,
  };
  writeFileSync(`${target}.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  renameSync(partial, target);
  syncWithFolder(`${target}.json`);
  syncWithFolder(target);
  return manifest;
}

/**
 * A file beside `target` that a copy is written to; what an earlier try left there is gone.
 *
 * @throws {Error} when `target` exists
 */
export function partialOf(target: string): string {
  if (existsSync(target)) throw new Error(`${target} exists; accepted: a new name`);
  const partial = `${target}.partial`;
  rmSync(partial, { force: true });
  return partial;
}

/**
 * Copies the database of a data folder to `target`, also while a service runs on it. Its manifest lies beside it,
 * `<target>.json`.
 *
 * @throws {Error} when the copy does not verify, or `target` exists
 */
export async function backupFolder(folder: string, target: string): Promise<Manifest> {
  const partial = partialOf(target);
  const source = openSqlite({ path: join(folder, DATABASE_FILE), readOnly: true });
  try {
    await backup(source.raw, partial);
  } finally {
    source.close();
  }
  // out of the journal mode that would leave two more files beside every copy
  const copy = openSqlite({ path: partial, journal: "delete" });
  copy.close();
  return nameBackup(partial, target, readAnchors(join(folder, ANCHOR_FILE)));
}

/**
 * The manifest of a backup.
 *
 * @throws {Error} when the backup is not what its manifest says
 */
export async function readManifest(source: string): Promise<Manifest> {
  const manifest = JSON.parse(readFileSync(`${source}.json`, "utf8")) as Manifest;
  if ((await sha256Of(source)) !== manifest.sha256)
    throw new Error(`${source} is not the file of its manifest`);
  return manifest;
}

/** The heads of a backup's logs, as claims to verify it against. */
export const anchorsOf = ({ events, audit }: Manifest): readonly Anchor[] => [
  { log: "events", ...events },
  { log: "audit", ...audit },
];

/**
 * Puts a backup into a data folder, after checking it against its manifest. The folder must not be in use; the caller
 * holds its lock.
 *
 * @throws {Error} when the backup is not what its manifest says, or the folder holds a database and `force` is not set
 */
export async function restoreFolder(source: string, folder: string, force: boolean): Promise<Manifest> {
  const target = join(folder, DATABASE_FILE);
  if (existsSync(target) && !force)
    throw new Error(`${target} exists; accepted: an empty folder, or --force to replace it`);
  const manifest = await readManifest(source);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const partial = `${target}.partial`;
  copyFileSync(source, partial);
  const { findings } = await verifyFile(partial, anchorsOf(manifest));
  if (findings.length > 0) {
    rmSync(partial);
    throw new Error(`${source} does not verify: ${findings.slice(0, 3).join("; ")}`);
  }
  // the journal of the old database must never be replayed onto the new one
  for (const suffix of ["-wal", "-shm"]) rmSync(`${target}${suffix}`, { force: true });
  // anchors of a later past would contradict what is restored
  rmSync(join(folder, ANCHOR_FILE), { force: true });
  renameSync(partial, target);
  syncWithFolder(target);
  return manifest;
}
