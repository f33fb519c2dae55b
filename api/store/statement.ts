import type { Compilable, CompiledQuery, Insertable, Kysely } from "kysely";
import type { Database } from "./schema.ts";

type Reader = Kysely<Database>;

/** Compiled statements by what they do, per dialect in use: the same few are run thousands of times a second. */
const compiled = new WeakMap<object, Map<string, CompiledQuery<unknown>>>();

function statement(db: Reader, key: string, build: () => Compilable<unknown>): CompiledQuery<unknown> {
  // shared by a database and its transactions
  const { adapter } = db.getExecutor();
  let known = compiled.get(adapter);
  if (known === undefined) {
    known = new Map();
    compiled.set(adapter, known);
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
  const query = statement(db, key, build);
  if (query.parameters.length !== parameters.length)
    throw new Error(`statement ${key} takes ${query.parameters.length} values, not ${parameters.length}`);
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
