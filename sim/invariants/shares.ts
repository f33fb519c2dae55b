import { readRecord, restore } from "../../api/control/plan-log.ts";
import type { AllocationRow, DecisionRow, IntentRow, PlanRow } from "../../api/store/schema.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Entry } from "../books.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";
import { countOf, heldNow } from "./quota.ts";

/** An intent that has not been touched for so long was not changed while a decision about it was on its way. */
const UNTOUCHED_MS = 60_000;

/** What is wished for, whoever wishes it. */
function wishOf({ name, tenant, submittedAt, workload, ...rest }: Intent): string {
  const { name: _, ...work } = workload;
  return JSON.stringify({ ...rest, workload: work });
}

/** One decision about several intents: what it gave a place, and what it did not. */
interface Shared {
  readonly plan: PlanRow;
  /** Tenants that were decided together. */
  readonly tenants: ReadonlySet<string>;
  readonly placed: readonly Intent[];
  readonly left: readonly Intent[];
}

/** Older than this by the clock of the plan, what has ended was not in its books any more. */
const ENDED_MS = 5000;

/** A quota may keep a wish out: one of a cohort, or one of its tenant without room for it beside what the plan counted. */
function isLimited(world: World, plan: PlanRow, { tenant: name, workload }: Intent): boolean {
  const { tenants, snapshot, skewMs, weights } = world.swarm;
  const own = tenants.find((one) => one.name === name);
  const cohort = own?.cohort ?? null;
  if (cohort !== null && tenants.some((one) => one.cohort === cohort && one.quotas.length > 0)) return true;
  if (own === undefined || own.quotas.length === 0) return false;
  // when something ended is told by clocks
  if (skewMs > 0 || weights.jump > 0) return true;
  const held = heldNow(world, plan.at_ms - ENDED_MS).filter(({ tenant_id }) => tenant_id === name);
  const { gpu } = workload.resources;
  const replicas = workload.batch?.parallelTasks ?? workload.scaling?.minReplicas ?? 1;
  /** The most that something takes at any price that its offer has had. */
  const mostOf = (
    offer: string,
    row: Pick<AllocationRow, "gpus" | "spot">,
    part: typeof gpu,
    resource: string,
  ) =>
    Math.max(
      ...world.providers.sold(offer).map(({ flavor }) => countOf({ ...row, gpu: part }, resource, flavor)),
    );
  return own.quotas.some(({ money, gpuClass = "", nominal }) => {
    const resource = money === true ? "money" : gpuClass;
    const used = held.reduce((sum, one) => sum + mostOf(one.offer, one, one.gpu, resource), 0);
    const asked = snapshot.offers.flatMap(({ id, capacity, divisible }) => {
      const gpus = divisible ? (gpu.count ?? 0) * replicas : capacity.gpus * replicas;
      return [0, 1].map((spot) => mostOf(id, { gpus, spot }, gpu, resource));
    });
    return used + Math.max(...asked) > nominal;
  });
}

/** The decision that placed these, if others were decided with them. */
function sharedOf({ database }: World, planId: string, ids: ReadonlySet<string>): Shared | null {
  const [plan] = database.rows<PlanRow>("select * from plans where id = ?", planId);
  if (plan === undefined) return null;
  const { intents } = JSON.parse(plan.inputs) as { intents: Intent[] };
  if (intents.length < 2) return null;
  const told = new Set(
    database
      .rows<DecisionRow>("select * from decisions where plan_id = ? and outcome <> 'placed'", planId)
      .map(({ intent_id }) => intent_id),
  );
  const isLeft = ({ name }: Intent): boolean => {
    const [row] = database.rows<IntentRow>("select * from intents where id = ? and phase = 'waiting'", name);
    // the same answer as before is not written again
    return row !== undefined && (told.has(name) || row.updated_ms < plan.at_ms - UNTOUCHED_MS);
  };
  return {
    plan,
    tenants: new Set(intents.map(({ tenant }) => tenant)),
    placed: intents.filter(({ name }) => ids.has(name)),
    left: intents.filter((intent) => !ids.has(intent.name) && isLeft(intent)),
  };
}

/**
 * Dominant shares: where several tenants want the same and not all can have it, nobody is left behind the others by more
 * than whole jobs make necessary. What a tenant uses is measured at list price, by its weight. With `largest` the dearest
 * job of a tenant: whoever is left short has its share less its largest job, and whoever got more, no more than its share
 * and the largest jobs of all others.
 */
async function checkShared(world: World, { plan, tenants, placed, left }: Shared): Promise<void> {
  const { database, providers, process, swarm } = world;
  const held = heldNow(world);
  const priceOf = (
    offer: string,
    row: Pick<AllocationRow, "gpus" | "spot">,
    gpu: Intent["workload"]["resources"]["gpu"],
  ) => {
    const flavor = providers.sold(offer).at(-1)?.flavor;
    return flavor === undefined ? 0 : countOf({ ...row, gpu }, "money", flavor);
  };
  const usedBy = (name: string): number =>
    held.reduce((sum, one) => sum + (one.tenant_id === name ? priceOf(one.offer, one, one.gpu) : 0), 0);
  const costOf = ({ name, workload }: Intent): number =>
    database
      .rows<AllocationRow>("select * from allocations where intent_id = ? and released_ms is null", name)
      .reduce((sum, row) => sum + priceOf(row.offer, row, workload.resources.gpu), 0);
  const weights = new Map(swarm.tenants.map(({ name, weight }) => [name, weight]));
  for (const wish of left.filter((one) => !isLimited(world, plan, one))) {
    const same = wishOf(wish);
    const rivals = placed.filter((one) => one.tenant !== wish.tenant && wishOf(one) === same);
    if (rivals.length === 0) continue;
    const largest = Math.max(...rivals.map(costOf));
    // other wishes may be dearer than this one, and what they cost where nobody put them is not known
    if (placed.some((one) => costOf(one) > largest)) continue;
    for (const [tenant, own] of Map.groupBy(rivals, (one) => one.tenant)) {
      const others = tenants.size - 1;
      const got = own.reduce((sum, one) => sum + costOf(one), 0);
      const ahead = (usedBy(tenant) - others * largest) / (weights.get(tenant) ?? 1);
      const behind = (usedBy(wish.tenant) + largest) / (weights.get(wish.tenant) ?? 1);
      world.trace.mark("shares were compared");
      if (swarm.tenants.some(({ name, quotas }) => name === wish.tenant && quotas.length > 0))
        world.trace.mark("shares were compared within a quota");
      if (got <= others * largest || ahead <= behind) continue;
      const record = await readRecord(process().env.store.system, plan.id);
      if (record === null) continue;
      const { snapshot } = restore(record);
      // a start that was promised, or capacity that was reserved, is not shared
      const isKept = snapshot.reservations.some(
        (one) => one.tenant === tenant || own.some(({ name }) => name === one.intent),
      );
      check(
        isKept,
        "fairness",
        () =>
          `plan ${plan.id} gives ${tenant} ${got} micro per hour and leaves ${wish.name} of ${wish.tenant} waiting for the same, ${ahead} to ${behind} by weight`,
      );
    }
  }
}

/** Holds every decision about several tenants against their shares. */
export async function checkShares(world: World, fresh: readonly Entry[]): Promise<void> {
  const { swarm, database } = world;
  // what makes way is not shared
  if (swarm.weights.quota > 0 || fresh.some(({ payload }) => payload.reason === "PREEMPTED")) return;
  const plans = new Map<string, Set<string>>();
  for (const { row } of fresh) {
    if (row.kind !== "intent.placing") continue;
    const [decision] = database.rows<DecisionRow>(
      "select * from decisions where intent_id = ? order by seq desc limit 1",
      row.subject_id,
    );
    if (decision === undefined) continue;
    const ids = plans.get(decision.plan_id) ?? new Set();
    plans.set(decision.plan_id, ids.add(row.subject_id));
  }
  for (const [planId, ids] of plans) {
    const shared = sharedOf(world, planId, ids);
    if (shared !== null && shared.left.length > 0) await checkShared(world, shared);
  }
}
