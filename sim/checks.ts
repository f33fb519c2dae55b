import { checkCapacity, checkReservations, checkReserved } from "./invariants/capacity.ts";
import { checkPlansLogged, createMoveChecks } from "./invariants/moves.ts";
import { createQuotaCheck } from "./invariants/quota.ts";
import { checkShares } from "./invariants/shares.ts";
import { createTwinCheck } from "./invariants/twin.ts";
import type { World } from "./world.ts";

/** All checks of a world, in the order of their cost. */
export function createLook(world: World): (isFull: boolean) => Promise<void> {
  const quotas = createQuotaCheck();
  const checkMoves = createMoveChecks(quotas);
  const checkTwin = createTwinCheck();
  let held = -1;
  return async (isFull) => {
    world.trace.raise();
    quotas.note(world);
    const fresh = world.books.look();
    if (fresh.length > 0) {
      checkMoves(world, fresh);
      checkPlansLogged(world, fresh);
      quotas.check(world, fresh);
      await checkShares(world, fresh);
    }
    if (held !== world.providers.changes() || fresh.length > 0) {
      held = world.providers.changes();
      await checkCapacity(world);
    }
    if (!isFull) return;
    world.books.compareAll();
    checkReservations(world);
    checkReserved(world);
    await checkTwin(world, false);
  };
}
