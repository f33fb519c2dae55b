import type { Rng } from "../random.ts";
import type { World } from "../world.ts";

const MINUTE_MS = 60_000;

/** Nothing but time, and much of it. */
export function wait(world: World, rng: Rng): Promise<void> {
  return world.pass(rng.chance(0.05) ? 90_000 : rng.pick([1000, 3000, 10_000]));
}

/** Something happens at one of the providers. */
export function incident(
  world: World,
  rng: Rng,
  kind: "price" | "interrupt" | "fail" | "outage" | "rival",
): void {
  const { id: offer, capacity } = rng.pick(world.swarm.snapshot.offers);
  world.trace.mark(`incident: ${kind}`);
  if (kind === "price") world.providers.happen({ kind, offer, factor: rng.pick([0.5, 0.8, 1.25, 2]) });
  else if (kind === "outage") world.providers.happen({ kind, offer, forMs: rng.between(1, 5) * MINUTE_MS });
  else if (kind === "rival")
    world.providers.happen({
      kind,
      offer,
      gpus: rng.between(1, capacity.gpus),
      forMs: rng.between(1, 5) * MINUTE_MS,
    });
  else world.providers.happen({ kind, offer });
}

/** The wall clock of the service's machine is set, to some minutes off. */
export function jump(world: World, rng: Rng): void {
  const { clock } = world.process();
  const offMs = clock.wallMs() - world.time.nowMs();
  clock.jump(rng.between(-3, 3) * MINUTE_MS - offMs);
}

/** The disk is full, or a sync fails: the process ends then, and starts again. */
export function commitFault(world: World, rng: Rng): void {
  world.calmSinceMs = Number.POSITIVE_INFINITY;
  world.database.failNextCommit(rng.pick(["full", "busy", "sync_lost", "sync_kept"]));
}
