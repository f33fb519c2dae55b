import type { IntentRow } from "../api/store/schema.ts";
import { verifyDatabase } from "../api/store/verify.ts";
import type { Intent } from "../engine/model/intent.ts";
import { checkCapacity, checkNoOrphans, checkReserved } from "./invariants/capacity.ts";
import { checkRefusals } from "./invariants/refusals.ts";
import { setActive } from "./operations/access.ts";
import { checkHooks } from "./operations/hooks.ts";
import { isExcused } from "./operations/intents.ts";
import { checkStreams } from "./operations/streams.ts";
import { check } from "./violation.ts";
import type { World } from "./world.ts";

const SECOND_MS = 1000;
/** Without faults everything that is on its way comes to rest within this simulated time. */
const BOUND_MS = 15 * 60 * SECOND_MS;
/** Waiting work is looked at again after a minute, an offer that let down is left out for a quarter of one. */
const LOOK_AGAIN_MS = 80 * SECOND_MS;
/** Timers that a process at rest may have. */
const MOST_TIMERS = 12;

const atRest = "('waiting', 'running')";

/** What still moves, or has to be sent. */
function restless({ database }: World): string[] {
  return [
    ...database
      .rows<{ id: string; phase: string }>(
        `select id, phase from intents where terminal_ms is null and phase not in ${atRest}`,
      )
      .map(({ id, phase }) => `${id} is ${phase}`),
    ...database
      .rows<{ n: number }>("select count(*) as n from outbox")
      .flatMap(({ n }) => (n > 0 ? [`${n} events are not delivered`] : [])),
  ];
}

async function tick(world: World, ms: number, look: () => Promise<void>): Promise<void> {
  await world.pass(ms);
  await world.settle();
  await world.revive();
  world.trace.raise();
  await look();
}

const endedIn = ({ database }: World): number =>
  database.rows<{ n: number }>("select count(*) as n from intents where terminal_ms is not null")[0]?.n ?? 0;

/** What there is now, read again only when something was written. */
function createStatus(world: World) {
  const { database } = world;
  const read = () => ({
    changes: database.changes(),
    moving: restless(world),
    ended: endedIn(world),
    isWaiting:
      database.rows("select 1 from intents where phase = 'waiting' and terminal_ms is null limit 1").length >
      0,
  });
  let last = read();
  return () => {
    if (database.changes() !== last.changes) last = read();
    return last;
  };
}

/** Lets time pass until nothing moves for a while. */
async function comeToRest(world: World, look: () => Promise<void>, quietMs: number): Promise<void> {
  const { time } = world;
  let endMs = time.nowMs() + BOUND_MS;
  let sinceMs = time.nowMs();
  const status = createStatus(world);
  let { ended } = status();
  let head = world.books.events.length;
  for (;;) {
    await tick(world, SECOND_MS, look);
    const { moving, isWaiting, ended: endedNow } = status();
    if (moving.length > 0 || world.books.events.length !== head) sinceMs = time.nowMs();
    head = world.books.events.length;
    // nothing new comes: as long as work ends, and makes room for what waits, there is progress
    if (endedNow > ended) endMs = time.nowMs() + BOUND_MS;
    ended = endedNow;
    if (time.nowMs() - sinceMs >= (isWaiting ? quietMs : 3 * SECOND_MS)) return;
    check(
      time.nowMs() < endMs,
      "liveness",
      () => `after ${BOUND_MS} ms without faults ${moving.join(", ") || "events go on"}`,
    );
  }
}

/** The first in the queue that would be placed if it were decided now; null: there is none. */
async function firstPlaceable({ database, processes }: World): Promise<string | null> {
  // the first alone: what the others could have is kept for it
  const rows = database.rows<IntentRow>(
    "select * from intents where phase = 'waiting' order by priority desc, id",
  );
  const [row] = rows;
  if (row === undefined) return null;
  // where it would borrow, who lends and waits as well takes it back at once, whatever the priority
  const lends = database.rows("select 1 from tenants where id = ? and cohort is not null", row.tenant_id);
  const cases = lends.length > 0 ? [[row], rows] : [[row]];
  // a process whose clock is minutes off sees ends of outages and promises that the leader does not see yet
  for (const { planner } of processes())
    for (const wanted of cases) {
      const { decisions } = await planner.consider(wanted.map(({ spec }) => JSON.parse(spec) as Intent));
      if (decisions.find(({ intent }) => intent === row.id)?.outcome !== "placed") return null;
    }
  return row.id;
}

/** Nobody waits for what is free longer than until the next look at everything. */
async function checkNoStarvation(world: World, look: () => Promise<void>): Promise<void> {
  const before = await firstPlaceable(world);
  if (before === null) return;
  // an outage may just have ended
  for (let left = LOOK_AGAIN_MS; left > 0; left -= SECOND_MS) await tick(world, SECOND_MS, look);
  const after = await firstPlaceable(world);
  check(after !== before, "fairness", () => `${before} waits though it would be placed`);
}

async function reactivate(world: World, look: () => Promise<void>): Promise<void> {
  for (const client of world.clients.list) setActive(world, client, true);
  await tick(world, 100, look);
}

/** Everything that was acknowledged is there, for its owner. */
async function checkNothingLost(world: World, look: () => Promise<void>): Promise<void> {
  for (const { id, tenant, answer } of world.clients.submissions) {
    if (id === null) continue;
    const told = world.books.intents.get(id);
    check(told?.tenant === tenant, "lost", () => `${id} was acknowledged with ${answer} and is gone`);
  }
  for (const client of world.clients.list) {
    const own = world.clients.submissions.findLast(
      ({ tenant, id }) => tenant === client.tenant.name && id !== null,
    );
    if (own === undefined) continue;
    world.request(client.token, "GET", `/intents/${own.id}`, {}, (answer) => {
      if (!isExcused(world, answer, client))
        check(answer.status === 200, "lost", () => `${own.id} is not found: ${answer.text}`);
    });
  }
  await tick(world, 10, look);
}

async function cancelAll(world: World, look: () => Promise<void>): Promise<void> {
  const alive = world.database.rows<IntentRow>("select * from intents where terminal_ms is null");
  for (const { id, tenant_id } of alive) {
    const client = world.clients.list.find(({ tenant }) => tenant.name === tenant_id);
    world.request(client?.token ?? null, "DELETE", `/intents/${id}`, {}, (answer) => {
      check(
        answer.status === 202,
        "answer",
        () => `without faults ${id} cannot be cancelled: ${answer.text}`,
      );
    });
  }
  await comeToRest(world, look, 3 * SECOND_MS);
  const left = world.database.rows<IntentRow>("select * from intents where terminal_ms is null");
  check(
    left.length === 0,
    "terminal",
    () => `${left.map(({ id, phase }) => `${id} is ${phase}`)} after its end was asked for`,
  );
}

/**
 * The second phase of a run: nothing goes wrong any more. Everything accepted comes to run, to wait for what is really
 * not there, or to its end; then everything is cancelled, and nothing may be left anywhere.
 */
export async function converge(world: World, look: () => Promise<void>): Promise<void> {
  world.calmDown();
  await world.settle();
  await tick(world, 10, look);
  await reactivate(world, look);
  await comeToRest(world, look, LOOK_AGAIN_MS);
  await checkNoStarvation(world, look);
  await comeToRest(world, look, 3 * SECOND_MS);
  await checkCapacity(world);
  checkReserved(world);
  await checkNoOrphans(world);
  await checkNothingLost(world, look);
  await checkRefusals(world, () => tick(world, 10, look));
  await checkStreams(world, () => tick(world, 10, look));
  await cancelAll(world, look);
  await checkHooks(world, async (ms) => {
    for (let left = ms; left > 0; left -= SECOND_MS) await tick(world, SECOND_MS, look);
  });
  await checkNoOrphans(world);
  world.books.compareAll();
  for (const { seq } of world.books.events)
    check(world.mailbox.arrived.has(seq), "outbox", () => `event ${seq} never arrived`);
  const { findings } = await verifyDatabase(world.database.reader.db);
  check(findings.length === 0, "event-log", () => findings.join("; "));
  const waiting = world.gates.waiting();
  check(waiting.length === 0, "liveness", () => `messages still wait: ${waiting}`);
  const timers = world.timers();
  check(timers <= MOST_TIMERS, "liveness", () => `${timers} timers are left`);
}
