import { sql } from "kysely";
import type { Tx } from "../chain.ts";
import type { SystemStore } from "../store.ts";

/** See `SystemStore.gpusInUse`. The database adds up: a window may see more allocations than fit into memory. */
export async function gpusInUse(
  { db }: Pick<Tx, "db">,
  { fromMs, untilMs, points }: Parameters<SystemStore["gpusInUse"]>[0],
): Promise<number[]> {
  const spanMs = untilMs - fromMs;
  /** GPUs by the first point that is not before the time in the column: integers divide towards zero. */
  const changes = (column: "created_ms" | "released_ms") =>
    db
      .selectFrom("allocations")
      .select(({ fn }) => [
        sql<number>`((${sql.ref(column)} - ${sql.lit(fromMs)}) * ${sql.lit(points - 1)} + ${sql.lit(spanMs - 1)}) / ${sql.lit(spanMs)}`.as(
          "point",
        ),
        fn.sum<number>("gpus").as("gpus"),
      ])
      .where(column, ">", fromMs)
      .where(column, "<=", untilMs)
      .groupBy(sql`1`)
      .execute();
  const before = await db
    .selectFrom("allocations")
    .select(({ fn }) => fn.sum<number>("gpus").as("gpus"))
    .where("created_ms", "<=", fromMs)
    .where(({ eb, or }) => or([eb("released_ms", "is", null), eb("released_ms", ">", fromMs)]))
    .executeTakeFirst();
  const deltas = new Float64Array(points);
  const add = (point: number, gpus: number): void => {
    deltas[point] = (deltas[point] ?? 0) + gpus;
  };
  add(0, Number(before?.gpus ?? 0));
  for (const { point, gpus } of await changes("created_ms")) add(Number(point), Number(gpus));
  for (const { point, gpus } of await changes("released_ms")) add(Number(point), -Number(gpus));
  let used = 0;
  return Array.from(deltas, (delta) => {
    used += delta;
    return used;
  });
}
