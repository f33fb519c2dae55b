import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { lockFolder } from "../api/platform/lock.ts";
import {
  ANCHOR_FILE,
  backupFolder,
  DATABASE_FILE,
  readAnchors,
  restoreFolder,
  verifyFile,
} from "../api/store/sqlite-backup.ts";
import { exitCodes, InputError } from "./exit.ts";
import { toText } from "./place.ts";

/** Flags of the commands on a data folder. */
export interface DataFlags {
  readonly data: string;
  readonly json?: boolean;
  readonly to?: string;
  readonly force?: boolean;
  readonly anchors?: string;
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

/** `flare verify`: exit 0 when everything agrees, else 4. */
export async function verifyCommand(flags: DataFlags): Promise<number> {
  const path = requireDatabase(flags.data);
  const verdict = await blamed(() =>
    verifyFile(path, readAnchors(flags.anchors ?? join(flags.data, ANCHOR_FILE))),
  );
  if (flags.json === true) process.stdout.write(toText(verdict));
  else {
    const { events, audit, intents, anchors, findings } = verdict;
    process.stdout.write(
      `${events.seq} events, ${audit.seq} audit entries, ${intents} intents, ${anchors} anchors: ${findings.length === 0 ? "everything agrees" : `${findings.length} findings`}\n`,
    );
    for (const finding of findings) process.stdout.write(`  ${finding}\n`);
  }
  return verdict.findings.length === 0 ? exitCodes.ok : exitCodes.assertionFailed;
}

/** `flare backup`: a checked copy, also of a running service. */
export async function backupCommand(flags: DataFlags & { readonly to: string }): Promise<number> {
  requireDatabase(flags.data);
  const manifest = await blamed(() => backupFolder(flags.data, flags.to));
  process.stdout.write(
    flags.json === true
      ? toText(manifest)
      : `${flags.to}: ${manifest.bytes} bytes, ${manifest.events.seq} events, ${manifest.intents} intents, verified\n`,
  );
  return exitCodes.ok;
}

/** `flare restore`: puts a backup into a folder that no service uses. */
export async function restoreCommand(source: string, flags: DataFlags): Promise<number> {
  if (!existsSync(source) || !existsSync(`${source}.json`))
    throw new InputError([`${source}: accepted: a file written by flare backup, with its .json beside it`]);
  const manifest = await blamed(async () => {
    mkdirSync(flags.data, { recursive: true, mode: 0o700 });
    const unlock = lockFolder(flags.data);
    try {
      return await restoreFolder(source, flags.data, flags.force === true);
    } finally {
      unlock();
    }
  });
  process.stdout.write(
    flags.json === true ? toText(manifest) : `${flags.data}: restored to event ${manifest.events.seq}\n`,
  );
  return exitCodes.ok;
}
