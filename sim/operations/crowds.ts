import { isActive } from "../books.ts";
import type { Rng } from "../random.ts";
import type { World } from "../world.ts";
import { end, submitOf } from "./intents.ts";

/** Most that a crowd brings. */
const MOST = 8;

/**
 * All that is free is gone for a while, and two tenants want more of the same than comes free first, at one offer: what
 * waits is decided together then, and has to be shared.
 */
export function crowd(world: World, rng: Rng, step: number): void {
  const forMs = rng.between(2, 10) * 1000;
  gather(world, rng, step, {
    forMs,
    othersForMs: forMs + 20_000,
    first: rng.pick(world.swarm.snapshot.offers).id,
  });
}

/** Of an offer this wide several can have something, so that more or less of it shows. */
const WIDE = 4;

/** A crowd as soon as the one before has had the first offer, so that one follows the other; where it can be shared. */
export function rush(world: World, rng: Rng, step: number): void {
  const { offers } = world.swarm.snapshot;
  const forMs = rng.between(2, 10) * 1000;
  const wide = offers.filter(({ divisible, capacity }) => divisible && capacity.gpus >= WIDE);
  const { id: first } = rng.pick(wide.length > 0 ? wide : offers);
  if (!world.providers.troubled().has(first))
    gather(world, rng, step, { forMs, othersForMs: forMs + 8000, first });
}

interface Times {
  readonly first: string;
  readonly forMs: number;
  readonly othersForMs: number;
}

function gather(world: World, rng: Rng, step: number, { first, forMs, othersForMs }: Times): void {
  const { books, clients, providers, swarm } = world;
  const alive = [...books.intents.values()].filter(({ phase }) => isActive(phase ?? ""));
  if (alive.length >= swarm.mostAlive) return;
  for (const { id, capacity } of swarm.snapshot.offers)
    providers.happen({
      kind: "rival",
      offer: id,
      gpus: capacity.gpus,
      forMs: id === first ? forMs : othersForMs,
    });
  const shape = rng.pick(swarm.shapes);
  const count = rng.between(4, MOST);
  const members = clients.list.slice(0, 2);
  for (let index = 0; index < count; index++) {
    const client = members[index % members.length];
    if (client !== undefined) submitOf(world, rng, client, shape, `${step}-${index}`);
  }
}

/** Ends everything that has not ended, so that the next crowd finds all free; not while one waits for the first offer. */
export function clear(world: World, rng: Rng): void {
  if (world.providers.troubled().size === world.swarm.snapshot.offers.length) return;
  for (const submission of world.clients.submissions)
    if (isActive(world.books.intents.get(submission.id ?? "")?.phase ?? "")) end(world, rng, submission);
}

/** Phases on the way from one state of rest to another: where an end comes in between. */
const between: ReadonlySet<string> = new Set([
  "placing",
  "reserved",
  "contracted",
  "peering",
  "deploying",
  "releasing",
  "preempted",
]);

/** Ends an intent while something is being done about it. */
export function cancelMoving(world: World, rng: Rng): void {
  const { books, clients } = world;
  const moving = clients.submissions.filter(({ id }) =>
    between.has(books.intents.get(id ?? "")?.phase ?? ""),
  );
  const back = moving.filter(({ id }) => books.intents.get(id ?? "")?.phase === "releasing");
  if (moving.length > 0) end(world, rng, rng.pick(back.length > 0 ? back : moving));
}

/** Ends an intent that is being given back to be placed anew. */
export function cancelReturning(world: World, rng: Rng): void {
  const { books, clients } = world;
  const returning = clients.submissions.filter(
    ({ id, cancelledAtSeq }) => cancelledAtSeq === null && books.intents.get(id ?? "")?.phase === "releasing",
  );
  if (returning.length > 0) end(world, rng, rng.pick(returning));
}
