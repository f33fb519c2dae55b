import { documentOf } from "../operations/intents.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";

/** Tables that change by themselves, and the audit log, which tells of what was refused. */
const besides: ReadonlySet<string> = new Set(["audit", "leases"]);

/** Everything that is stored but for what no request changes. */
function stored({ database }: World): string {
  const tables = database
    .rows<{ name: string }>(
      "select name from sqlite_schema where type = 'table' and name not like 'sqlite%' order by name",
    )
    .filter(({ name }) => !besides.has(name));
  return tables
    .map(({ name }) => {
      const rows = database.rows<Record<string, unknown>>(`select * from "${name}" order by 1, 2`);
      // when a token was used last is noted now and then
      return JSON.stringify([name, rows.map(({ last_used_ms: _, ...row }) => row)]);
    })
    .join("\n");
}

/** Requests that must be refused, each for another reason. */
function askWrongly(world: World, told: (status: number, what: string) => void): void {
  const { clients, swarm } = world;
  const ask = (
    what: string,
    token: string | null,
    [method, path, body]: readonly [string, string, string?],
    headers: Readonly<Record<string, string>> = {},
  ): void => {
    world.request(token, method, path, { headers, ...(body === undefined ? {} : { body }) }, ({ status }) =>
      told(status, what),
    );
  };
  for (const { tenant, token } of clients.list) {
    const shape = swarm.shapes[0];
    const own = clients.submissions.findLast((one) => one.tenant === tenant.name && one.id !== null);
    const other = clients.submissions.findLast((one) => one.tenant !== tenant.name && one.id !== null);
    const spare = clients.tokens.find((one) => one.tenant === tenant.name && one.revokedMs === null);
    ask("no JSON", token, ["POST", "/intents", "{"]);
    ask("no reservation", token, ["POST", "/resources/reservations", "{}"]);
    if (shape !== undefined)
      ask("nobody", null, ["POST", "/intents", JSON.stringify(documentOf("nobody", shape))]);
    if (other !== undefined) ask("another's", token, ["DELETE", `/intents/${other.id}`]);
    if (own === undefined || shape === undefined) continue;
    ask("old version", token, ["DELETE", `/intents/${own.id}`], { "if-match": '"999999"' });
    const body = JSON.stringify(documentOf("again", shape));
    ask("used key", token, ["POST", "/intents", body], { "idempotency-key": own.key });
    ask("no permission", spare?.text ?? null, ["DELETE", `/intents/${own.id}`]);
    const isAlive = world.database.rows(
      "select 1 from intents where id = ? and terminal_ms is null",
      own.id ?? "",
    );
    if (isAlive.length > 0) ask("used name", token, ["POST", "/intents", own.text]);
  }
}

/** Asks wrongly once. What requests that were refused have changed, null where that cannot be said. */
async function changeOf(world: World, pass: () => Promise<void>): Promise<string | null> {
  const before = stored(world);
  const head = world.books.events.length;
  let refused = 0;
  let accepted = 0;
  askWrongly(world, (status, what) => {
    world.trace.mark(`refused at rest: ${what}, ${status}`);
    if (status >= 400 && status < 500) refused++;
    else accepted++;
  });
  await pass();
  world.books.look();
  // something else happened just now, or what was asked wrongly was right after all
  if (accepted > 0 || refused === 0 || world.books.events.length !== head) return null;
  const after = stored(world);
  if (after === before) {
    world.trace.mark("refusals changed nothing");
    return null;
  }
  const old = new Set(before.split("\n"));
  const line = after.split("\n").find((one) => !old.has(one)) ?? "";
  return `${refused} refused requests changed ${line.slice(0, 400)}`;
}

/** The service looks by itself again at what waits, and notes that: never three times within these moments. */
const MOST_TRIES = 3;

/**
 * Rejected means unchanged: while nothing else goes on, requests that are refused leave every table as it was, but for the
 * audit log.
 */
export async function checkRefusals(world: World, pass: () => Promise<void>): Promise<void> {
  let change: string | null = null;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    change = await changeOf(world, pass);
    if (change === null) return;
  }
  check(false, "rejected-changed", () => change ?? "");
}
