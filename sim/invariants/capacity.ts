import type { AllocationRow, ReservationRow } from "../../api/store/schema.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";

/** Phases of a key in which it takes nothing of its offer. */
const over: ReadonlySet<string> = new Set(["lost", "completed"]);

/**
 * No oversubscription: what providers hold for us fits into each offer; what our books call ours was granted; what
 * tenants reserved ahead fits at every moment.
 */
export async function checkCapacity({ providers, swarm, database }: World): Promise<void> {
  const held = await providers.inner.observe();
  for (const { id, capacity, divisible } of swarm.snapshot.offers) {
    const there = held.filter(({ offer, phase }) => offer === id && !over.has(phase));
    const gpus = there.reduce((sum, one) => sum + one.gpus, 0);
    const fits = divisible ? gpus <= capacity.gpus : there.length <= 1;
    check(
      fits,
      "oversubscription",
      () => `${id} holds ${gpus} of ${capacity.gpus} GPUs for ${there.length} keys`,
    );
  }
  for (const { id, state } of database.rows<Pick<AllocationRow, "id" | "state">>(
    "select id, state from allocations where released_ms is null and state <> 'planned'",
  ))
    check(providers.granted.has(id), "oversubscription", () => `${id} is ${state} and was never granted`);
}

/** Reservations of all tenants fit into each offer at every moment. */
export function checkReservations({ swarm, database }: World): void {
  const rows = database.rows<ReservationRow>("select * from reservations where state = 'active'");
  for (const { id, capacity } of swarm.snapshot.offers) {
    const there = rows.filter(({ offer }) => offer === id);
    for (const { from_ms: at } of there) {
      const gpus = there.reduce((sum, one) => sum + (one.from_ms <= at && at < one.to_ms ? one.gpus : 0), 0);
      check(
        gpus <= capacity.gpus,
        "oversubscription",
        () => `${gpus} of ${capacity.gpus} GPUs of ${id} are reserved`,
      );
    }
  }
}

/** After convergence: what providers hold is exactly what the books say is held. */
export async function checkNoOrphans({ providers, database }: World): Promise<void> {
  const there = (await providers.inner.observe()).map(({ key }) => key);
  const here = database
    .rows<{ id: string }>("select id from allocations where released_ms is null order by id")
    .map(({ id }) => id);
  check(
    JSON.stringify(there) === JSON.stringify(here),
    "orphan",
    () => `held: ${there}; in the books: ${here}`,
  );
}
