import { expect, test } from "vitest";
import { suspend } from "../../sim/operations/access.ts";
import { createRng } from "../../sim/random.ts";
import { drawSwarm } from "../../sim/swarm.ts";
import { createWorld } from "../../sim/world.ts";

test("what clients take for known about a tenant is so, whichever process was asked", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const swarm = drawSwarm(seed);
    const world = await createWorld(
      seed,
      {},
      { ...swarm, processes: 3, held: { ...swarm.held, store: 1 }, lateMs: 0 },
    );
    const rng = createRng(seed);
    let known = 0;
    for (let step = 0; step < 80; step++) {
      suspend(world, rng);
      for (let open = 0; open < 3; open++) {
        await world.settle();
        world.gates.openOne(rng);
      }
      await world.settle();
      for (const { tenant, isActive } of world.clients.list) {
        const [row] = world.database.rows<{ status: string }>(
          "select status from tenants where id = ?",
          tenant.name,
        );
        if (isActive === null) continue;
        known++;
        expect({ seed, step, is: row?.status }).toEqual({
          seed,
          step,
          is: isActive ? "active" : "suspended",
        });
      }
    }
    expect(known).toBeGreaterThan(0);
    world.close();
  }
});
