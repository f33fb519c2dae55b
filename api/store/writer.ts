import type { Tx } from "./chain.ts";
import { isFatal, StoreError, type StoreErrorCode, toStoreError } from "./errors.ts";
import { systemOperations, tenantOperations } from "./operations/registry.ts";
import type { Connection } from "./sqlite.ts";
import type { TenantId } from "./tenant.ts";

/** One call of a store method, as plain data that crosses threads. */
export interface Command {
  /** Null: a method of the system store. */
  readonly tenant: TenantId | null;
  readonly name: string;
  readonly input: readonly unknown[];
}

/** What a writer keeps between groups. */
export type WriterState = Omit<Tx, "db">;

/** What became of one command. */
export type Reply =
  | { readonly value: unknown }
  | { readonly error: { readonly code: StoreErrorCode; readonly message: string } };

/** What became of a group of commands that shared one transaction. */
export interface GroupResult {
  readonly replies: readonly Reply[];
  /** Number of the last event, when the group appended any. */
  readonly lastEvent: number | null;
  /** Present when the storage can no longer be trusted: the process must end. */
  readonly fatal?: string;
}

interface AnyOperation {
  readonly mode: "read" | "write";
  run(tx: Tx, ...input: readonly unknown[]): Promise<unknown>;
}

/** The operation behind a command. */
export function operationOf({ tenant, name }: Pick<Command, "tenant" | "name">): AnyOperation {
  const operations = (tenant === null ? systemOperations : tenantOperations) as unknown as Readonly<
    Record<string, AnyOperation>
  >;
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (operation === undefined) throw new StoreError("internal", `no store method ${name}`);
  return operation;
}

/** Runs the operation of a command. */
export function perform(tx: Tx, command: Command): Promise<unknown> {
  const { tenant, input } = command;
  const operation = operationOf(command);
  return tenant === null ? operation.run(tx, ...input) : operation.run(tx, tenant, ...input);
}

/** An error as a reply. */
export const failure = (error: unknown): Reply => {
  const { code, message } = toStoreError(error);
  return { error: { code, message } };
};

/**
 * Runs a group of commands in one transaction and one sync. A command that fails is rolled back alone; when the
 * commit itself fails, all of them are.
 */
export async function runGroup(
  { raw, db, exec }: Connection,
  { heads, hasOutbox }: WriterState,
  commands: readonly Command[],
): Promise<GroupResult> {
  const before = heads.get("events");
  const tx: Tx = { db, heads, hasOutbox };
  // one alone is rolled back with its transaction
  const isAlone = commands.length === 1;
  const replies: Reply[] = [];
  let lastEvent: number | null = null;
  try {
    exec("begin immediate");
    for (const command of commands) {
      if (!isAlone) exec("savepoint one");
      try {
        replies.push({ value: await perform(tx, command) });
        const head = heads.get("events");
        if (head !== undefined && head !== before) lastEvent = head.seq;
      } catch (error) {
        heads.clear();
        // a full disk ends the whole transaction, and with it the savepoints
        if (!raw.isTransaction) throw error;
        exec(isAlone ? "rollback" : "rollback to one");
        replies.push(failure(error));
      }
      if (!isAlone) exec("release one");
    }
    if (raw.isTransaction) exec("commit");
  } catch (error) {
    heads.clear();
    if (raw.isTransaction) exec("rollback");
    const reply = failure(error);
    return {
      replies: commands.map(() => reply),
      lastEvent: null,
      ...(isFatal(error) ? { fatal: String(error) } : {}),
    };
  }
  return { replies, lastEvent };
}
