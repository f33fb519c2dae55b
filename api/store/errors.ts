/**
 * - `overloaded`: too many writes wait; try again.
 * - `full`: no space left; nothing of the write remains.
 * - `unavailable`: the storage failed or the store is closed; nothing of the write remains.
 * - `conflict`: the row changed meanwhile, or a unique name is taken.
 * - `fenced`: another process decides by now; nothing of the write remains.
 * - `unknown`: the connection was lost during the commit and did not come back in time: the write is there or not.
 *   Repeated with the same idempotency key it happens once.
 */
export type StoreErrorCode =
  | "overloaded"
  | "full"
  | "unavailable"
  | "conflict"
  | "fenced"
  | "unknown"
  | "internal";

/** The store could not do it. Never carries values of rows. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

// SQLite's primary result codes (sqlite3.h); the extended code of a failed fsync is 4 << 8 | 10.
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_CONSTRAINT = 19;
const SQLITE_IOERR_FSYNC = 1034;
const SQLITE_IOERR_DIR_FSYNC = 1290;

/**
 * SQLSTATE classes and codes (PostgreSQL, appendix A) that say nothing about the statement, only that it could not be
 * run now: connection lost, server starting or ending, too many connections, deadlock, lock or statement timeout, a
 * session ended while it was idle in a transaction.
 */
const passing = /^(08|57P0|53[023]|40001|40P01|55P03|57014|25P03|25006)/;

const stateOf = (error: unknown): string => {
  // errors of sockets have codes of the same look, and no severity
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  return typeof code === "string" && severity !== undefined ? code : "";
};

/** True when PostgreSQL answered nothing about the statement itself: it may be run again, on another connection. */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const state = stateOf(error);
  if (state !== "") return passing.test(state);
  const { code, message } = error as NodeJS.ErrnoException;
  return (
    /^E(CONN|PIPE|TIMEDOUT|HOST|NET|NOENT|AI_)/.test(String(code ?? "")) ||
    /connection|timeout|Client (has|was)|not queryable/i.test(message ?? "")
  );
}

const resultCode = (error: unknown): number => {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === "number" ? errcode : 0;
};

/** A failed fsync may have dropped the pages it should have written: repeating it proves nothing, so the process ends. */
export function isFatal(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_IOERR_FSYNC || code === SQLITE_IOERR_DIR_FSYNC;
}

/** What an error of the database means to callers. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const state = stateOf(error);
  if (state === "53100") return new StoreError("full", "no space left on the disk of the database");
  if (state.startsWith("23")) return new StoreError("conflict", message);
  if (isConnectionLoss(error))
    return new StoreError("unavailable", `the database cannot be reached or used now: ${message}`);
  const primary = resultCode(error) & 0xff;
  if (primary === SQLITE_FULL) return new StoreError("full", "no space left on the disk of the database");
  if ([SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_BUSY].includes(primary))
    return new StoreError("unavailable", `the database cannot be written (SQLite code ${resultCode(error)})`);
  if (primary === SQLITE_CONSTRAINT) return new StoreError("conflict", message);
  return new StoreError("internal", message, { cause: error });
}
