import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { lockFolder } from "../api/platform/lock.ts";
import { systemClock, waitingTimers } from "../api/platform/node-env.ts";
import { describeUrl, type PostgresOptions } from "../api/store/postgres.ts";
import {
  ANCHOR_FILE,
  backupFolder,
  DATABASE_FILE,
  type Manifest,
  readAnchors,
  restoreFolder,
  verifyFile,
} from "../api/store/sqlite-backup.ts";
import { backupPostgres, restorePostgres, verifyPostgres } from "../api/store/sqlite-transfer.ts";
import type { Anchor } from "../api/store/verify.ts";
import { exitCodes, InputError } from "./exit.ts";
import { requireWritable } from "./output.ts";
import { toText } from "./place.ts";
import { readStore, type StoreFlags } from "./store.ts";

/** Flags of the commands on a data folder or a shared database. */
export interface DataFlags extends StoreFlags {
  readonly data?: string;
  readonly json?: boolean;
  readonly to?: string;
  readonly force?: boolean;
  readonly anchors?: string;
}

/** Where the database is, when nothing is said. */
const FOLDER = ".flare";

/** The folder that is meant, or the database: a named folder wins over a variable. */
function placeOf(flags: DataFlags): { readonly folder: string } | { readonly postgres: PostgresOptions } {
  const isNamed = flags.store !== undefined || flags.storeFile !== undefined;
  if (flags.data !== undefined && isNamed)
    throw new InputError(["--data and --store: accepted: one of them"]);
  const url = flags.data === undefined ? readStore(flags) : null;
  if (url === null) return { folder: flags.data ?? FOLDER };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return { postgres: { url, idleMs: 60_000, clock: systemClock, timers: waitingTimers, log } };
}

/** What went wrong with a file, as a line instead of a stack. */
async function blamed<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new InputError([(error as Error).message]);
  }
}

const requireDatabase = (folder: string): string => {
  const path = join(folder, DATABASE_FILE);
  if (!existsSync(path))
    throw new InputError([`${path}: no such file; accepted: --data with the folder of a service`]);
  return path;
};

/**
 * Anchors of a file that somebody named.
 *
 * @throws {InputError} when it is not there or holds something else: nothing would be compared, and all would agree
 */
function namedAnchors(file: string): Anchor[] {
  if (!existsSync(file)) throw new InputError([`--anchors ${file}: no such file`]);
  try {
    const anchors = readAnchors(file);
    if (anchors.length > 0) return anchors;
  } catch {
    // told below
  }
  throw new InputError([
    `--anchors ${file}: no anchors; accepted: a copy of ${ANCHOR_FILE} of a data folder`,
  ]);
}

/** `flare verify`: exit 0 when everything agrees, else 4. */
export async function verifyCommand(flags: DataFlags): Promise<number> {
  const place = placeOf(flags);
  const named = flags.anchors === undefined ? undefined : namedAnchors(flags.anchors);
  const verdict = await blamed(async () => {
    if ("postgres" in place) return verifyPostgres(place.postgres, named ?? []);
    const path = requireDatabase(place.folder);
    return verifyFile(path, named ?? readAnchors(join(place.folder, ANCHOR_FILE)));
  });
  if (flags.json === true) process.stdout.write(toText(verdict));
  else {
    const { events, audit, intents, anchors, findings } = verdict;
    process.stdout.write(
      `${events.seq} events, ${audit.seq} audit entries, ${intents} intents, ${anchors} anchors: ${findings.length === 0 ? "everything agrees" : `${findings.length} finding${findings.length === 1 ? "" : "s"}`}\n`,
    );
    for (const finding of findings) process.stdout.write(`  ${finding}\n`);
  }
  return verdict.findings.length === 0 ? exitCodes.ok : exitCodes.assertionFailed;
}

/** `flare backup`: a checked copy, also of a running service. */
export async function backupCommand(flags: DataFlags & { readonly to: string }): Promise<number> {
  const place = placeOf(flags);
  requireWritable(flags.to);
  const manifest = await blamed(async () => {
    if ("postgres" in place) return backupPostgres(place.postgres, flags.to, []);
    requireDatabase(place.folder);
    return backupFolder(place.folder, flags.to);
  });
  process.stdout.write(
    flags.json === true
      ? toText(manifest)
      : `${flags.to}: ${manifest.bytes} bytes, ${manifest.events.seq} events, ${manifest.intents} intents, verified\n`,
  );
  return exitCodes.ok;
}

async function restoreToFolder(source: string, folder: string, force: boolean): Promise<Manifest> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(folder);
  try {
    return await restoreFolder(source, folder, force);
  } finally {
    unlock();
  }
}

/** `flare restore`: puts a backup into a folder that no service uses, or into an empty database. */
export async function restoreCommand(source: string, flags: DataFlags): Promise<number> {
  if (!existsSync(source) || !existsSync(`${source}.json`))
    throw new InputError([`${source}: accepted: a file written by flare backup, with its .json beside it`]);
  const place = placeOf(flags);
  const isShared = "postgres" in place;
  if (isShared && flags.force === true)
    throw new InputError(["--force: accepted: with --data; a shared database has to be empty"]);
  const manifest = await blamed(() =>
    isShared
      ? restorePostgres(source, place.postgres)
      : restoreToFolder(source, place.folder, flags.force === true),
  );
  const name = isShared ? describeUrl(place.postgres.url) : place.folder;
  process.stdout.write(
    flags.json === true ? toText(manifest) : `${name}: restored to event ${manifest.events.seq}\n`,
  );
  return exitCodes.ok;
}
