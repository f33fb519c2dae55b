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

type Statements = Map<string, CompiledQuery<unknown>>;

/** Compiled statements by what they do, per dialect in use: the same few are run thousands of times a second. */
const compiled = new WeakMap<object, Statements>();

/** Runs a compiled statement and gives its rows. */
export type Runner = (text: string, parameters: readonly unknown[]) => unknown[] | Promise<unknown[]>;

/** How compiled statements of a database are run. */
interface Running {
  readonly statements: Statements;
  /** Null: through the layers of Kysely. */
  readonly runner: Runner | null;
}

/** By their adapters. */
const databases = new WeakMap<object, Running>();

/**
 * From now on compiled statements of a database are run so: one that answers in the same thread, where connections, turns
 * and plugins only take time.
 */
export function runWith(db: Reader, runner: Runner): void {
  const { adapter } = db.getExecutor();
  databases.set(adapter, { statements: statementsOf(adapter), runner });
}

/**
 * A number of rows as a value of `limit`. Without the cast SQLite looks at the value when it plans, and therefore plans
 * the statement anew at every run.
 */
export const rowLimit = (rows: number): RawBuilder<number> => sql<number>`cast(${rows} as integer)`;

/** The same texts for all databases of a dialect. */
function statementsOf(adapter: object): Statements {
  const known = compiled.get(adapter.constructor) ?? new Map<string, CompiledQuery<unknown>>();
  compiled.set(adapter.constructor, known);
  return known;
}

function runningOf(adapter: object): Running {
  const known = databases.get(adapter) ?? { statements: statementsOf(adapter), runner: null };
  databases.set(adapter, known);
  return known;
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
  const { statements, runner } = runningOf(db.getExecutor().adapter);
  let query = statements.get(key);
  if (query === undefined) {
    query = build().compile();
    statements.set(key, query);
  }
  if (query.parameters.length !== parameters.length)
    throw new Error(`statement ${key} takes ${query.parameters.length} values, not ${parameters.length}`);
  if (runner !== null) {
    const rows = runner(query.sql, parameters);
    // what is there already need not be waited for
    return (Array.isArray(rows) ? rows : await rows) as Row[];
  }
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
