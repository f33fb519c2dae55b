import type { Quota } from "../../engine/model/snapshot.ts";
import { isActive } from "../books.ts";
import { countOf, heldNow } from "../invariants/quota.ts";
import type { Rng } from "../random.ts";
import type { Shape, SwarmTenant } from "../swarm.ts";
import type { World } from "../world.ts";
import { cancelAlive, submitOf } from "./intents.ts";

/** GPUs that one wish asks for at most. */
const MOST_GPUS = 8;

const isSame = (one: Quota, other: Quota): boolean =>
  one.money === other.money && one.gpuClass === other.gpuClass;

/** Most that a tenant may use of what a quota counts: by its own limit, or by what the others lend. */
function mostOf({ swarm }: World, rng: Rng, tenant: SwarmTenant, quota: Quota): number {
  const { nominal, borrowing } = quota;
  if (tenant.cohort === null) return nominal;
  if (borrowing !== undefined && rng.chance(0.5)) return nominal + borrowing;
  return swarm.tenants
    .filter((other) => other !== tenant && other.cohort === tenant.cohort)
    .flatMap(({ quotas }) => quotas.filter((one) => isSame(one, quota)))
    .reduce((sum, one) => sum + (one.lending ?? one.nominal), nominal);
}

/** What one more GPU takes of a quota where it takes the least; infinite where no offer is counted. */
function leastOf({ swarm }: World, { money, gpuClass = "*" }: Quota, isSpot: boolean): number {
  const counts = swarm.snapshot.offers.map((flavor) =>
    countOf({ gpus: 1, spot: isSpot ? 1 : 0, gpu: {} }, money === true ? "money" : gpuClass, flavor),
  );
  return Math.min(...counts.filter((count) => count > 0));
}

/** A tenant asks for all that a limit leaves it, or for one GPU more, in one wish that is placed whole or not at all. */
export function limit(world: World, rng: Rng, step: number): void {
  const { books, clients, swarm } = world;
  const bound = clients.list.filter(({ tenant }) => tenant.quotas.length > 0);
  if (bound.length === 0) return;
  const alive = [...books.intents.values()].filter(({ phase }) => isActive(phase ?? ""));
  if (alive.length >= swarm.mostAlive) {
    cancelAlive(world, rng);
    return;
  }
  const client = rng.pick(bound);
  const quota = rng.pick(client.tenant.quotas);
  const usual = rng.pick(swarm.shapes);
  const model = quota.gpuClass === undefined || quota.gpuClass === "*" ? null : quota.gpuClass;
  const resource = quota.money === true ? "money" : (quota.gpuClass ?? "*");
  const flavors = new Map(swarm.snapshot.offers.map((flavor) => [flavor.id, flavor]));
  const used = heldNow(world).reduce((sum, one) => {
    const flavor = flavors.get(one.offer);
    return one.tenant_id === client.tenant.name && flavor !== undefined
      ? sum + countOf(one, resource, flavor)
      : sum;
  }, 0);
  const left = mostOf(world, rng, client.tenant, quota) - used;
  const replicas = Math.floor(left / leastOf(world, quota, usual.spot)) + rng.int(2);
  if (replicas < 1) return;
  const shape: Shape = {
    ...usual,
    kind: "service",
    gpus: 1,
    replicas: Math.min(replicas, MOST_GPUS),
    model,
    cap: null,
    part: null,
    fallback: "queue",
  };
  submitOf(world, rng, client, shape, String(step));
}
