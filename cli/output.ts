import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  mkdirSync,
  openSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { InputError } from "./exit.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist",
  ENOTDIR: "its folder is a file",
  EISDIR: "is a folder",
  EEXIST: "is a file",
  EACCES: "not allowed",
  EROFS: "the disk is read-only",
  ENOSPC: "the disk is full",
};

/** Runs what writes; a failure names the file or folder. */
function blamed<T>(name: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new InputError([`${name}: cannot be written: ${reasons[code] ?? code}`]);
  }
}

/**
 * Writes a file that a flag names.
 *
 * @throws {InputError} naming it when that is not possible
 */
export function writeOutput(name: string, content: string | Uint8Array): void {
  blamed(name, () => writeFileSync(name, content));
}

/**
 * Writes a secret into a file that only its owner may read, also when it was there with other rights.
 *
 * @throws {InputError} naming it when that is not possible
 */
export function writeSecret(name: string, secret: string): void {
  blamed(name, () => {
    const file = openSync(name, "w", 0o600);
    try {
      fchmodSync(file, 0o600);
      writeFileSync(file, `${secret}\n`);
    } finally {
      closeSync(file);
    }
  });
}

/**
 * Looks whether a file could be written, before something is made that is told only once.
 *
 * @throws {InputError} naming it when not
 */
export function requireWritable(name: string): void {
  blamed(name, () => {
    const isThere = existsSync(name);
    if (isThere && statSync(name).isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    if (!isThere && !statSync(dirname(name)).isDirectory())
      throw Object.assign(new Error(), { code: "ENOTDIR" });
    accessSync(isThere ? name : dirname(name), constants.W_OK);
  });
}

/**
 * Makes a folder that a flag names, with those above it.
 *
 * @throws {InputError} naming it when that is not possible
 */
export function makeFolder(name: string): void {
  blamed(name, () => mkdirSync(name, { recursive: true }));
}
