import { readFileSync } from "node:fs";
import { describeUrl } from "../api/store/postgres.ts";
import { InputError } from "./exit.ts";

/** Flags that say where the store is. */
export interface StoreFlags {
  readonly store?: string;
  readonly storeFile?: string;
}

/** Variable that holds the address of the store, for those who pass secrets that way. */
const STORE_VARIABLE = "FLARE_STORE";

function readFile(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new InputError([
      `--store-file ${file}: ${(error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : "cannot be read"}`,
    ]);
  }
}

/**
 * The address of the PostgreSQL database, or null where none is named and SQLite is meant. A password never comes as an
 * argument: everybody on the machine can read those.
 *
 * @throws {InputError} that never repeats the address
 */
export function readStore(flags: StoreFlags): string | null {
  const { store, storeFile } = flags;
  if (store !== undefined && storeFile !== undefined)
    throw new InputError(["--store and --store-file: accepted: one of them"]);
  const [source, url] =
    store !== undefined
      ? ["--store", store]
      : storeFile !== undefined
        ? ["--store-file", readFile(storeFile)]
        : [STORE_VARIABLE, process.env[STORE_VARIABLE] ?? ""];
  if (url === "" && source === STORE_VARIABLE) return null;
  try {
    describeUrl(url);
  } catch {
    throw new InputError([`${source}: accepted: postgres://user@host/database`]);
  }
  if (source === "--store" && /:\/\/[^:?#]*:[^?#]*@|[?&](password|sslpassword)=/.test(url))
    throw new InputError([
      `--store: holds a password, which other users of this machine could read; accepted: --store-file, ${STORE_VARIABLE}, PGPASSWORD or ~/.pgpass`,
    ]);
  return url;
}
