import {
  type Compilable,
  type CompiledQuery,
  type Insertable,
  type Kysely,
  type RawBuilder,
  sql,
} from "kysely";
import type { Database } from "./schema.ts";

type Reader = Kysely<Database>;

/** Compiled statements by what they do, per dialect in use: the same few are run thousands of times a second. */
const compiled = new WeakMap<object, Map<string, CompiledQuery<unknown>>>();

/** Runs a compiled statement and gives its rows. */
export type Runner = (text: string, parameters: readonly unknown[]) => unknown[] | Promise<unknown[]>;

/** Databases whose compiled statements need not go through the layers of Kysely, by their adapters. */
const runners = new WeakMap<object, Runner>();

/**
 * From now on compiled statements of a database are run so: one that answers in the same thread, where connections, turns
 * and plugins only take time.
 */
export function runWith(db: Reader, runner: Runner): void {
  runners.set(db.getExecutor().adapter, runner);
}

/**
 * A number of rows as a value of `limit`. Without the cast SQLite looks at the value when it plans, and therefore plans
 * the statement anew at every run.
 */
export const rowLimit = (rows: number): RawBuilder<number> => sql<number>`cast(${rows} as integer)`;

function statement(adapter: object, key: string, build: () => Compilable<unknown>): CompiledQuery<unknown> {
  // the same text for all databases of a dialect
  let known = compiled.get(adapter.constructor);
  if (known === undefined) {
    known = new Map();
    compiled.set(adapter.constructor, known);
  }
  let found = known.get(key);
  if (found === undefined) {
    found = build().compile();
    known.set(key, found);
  }
  return found;
}

/**
 * Runs a statement that is built once.
 *
 * @param key names the statement among all; it must not depend on anything but the key
 * @param parameters values in the order in which the statement has them, whatever it was built with
 */
export async function run<Row>(
  db: Reader,
  key: string,
  build: () => Compilable<Row>,
  parameters: readonly unknown[],
): Promise<Row[]> {
  const { adapter } = db.getExecutor();
  const query = statement(adapter, key, build);
  if (query.parameters.length !== parameters.length)
    throw new Error(`statement ${key} takes ${query.parameters.length} values, not ${parameters.length}`);
  const runner = runners.get(adapter);
  if (runner !== undefined) return (await runner(query.sql, parameters)) as Row[];
  const { rows } = await db.executeQuery<Row>({ ...query, parameters } as CompiledQuery<Row>);
  return rows;
}

/** Inserts a row whose members are columns, with a statement built once for these columns. */
export async function insertRow<Table extends keyof Database>(
  db: Reader,
  table: Table,
  row: Insertable<Database[Table]>,
): Promise<void> {
  const columns = Object.keys(row);
  await run(
    db,
    `insert ${table} ${columns.join()}`,
    () => db.insertInto(table).values(row as never),
    columns.map((column) => (row as Readonly<Record<string, unknown>>)[column]),
  );
}
