import type { AllocationRow, IntentRow, PlanRow, TenantRow } from "../../api/store/schema.ts";
import type { Intent } from "../../engine/model/intent.ts";
import { type Entry, isActive } from "../books.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";
import type { QuotaCheck } from "./quota.ts";

/** Evictions of one intent for the same other within `WINDOW_MS` at most: more is thrash. */
const MOST_EVICTIONS = 8;
const WINDOW_MS = 600_000;

/** What was cancelled for a client never runs again. */
function checkCancelled({ clients }: World, { row, payload }: Entry): void {
  const submission = clients.byId.get(row.subject_id);
  const cancelledAt = submission?.cancelledAtSeq ?? null;
  const isBack = cancelledAt !== null && row.seq > cancelledAt && isActive(payload.phase ?? "");
  check(
    !isBack,
    "terminal",
    () => `${row.subject_id} was cancelled at ${cancelledAt} and is ${payload.phase}`,
  );
}

/** What is placed is what is wanted: as many GPUs, in the version that was decided on. */
function checkPlacement({ database }: World, { row, payload }: Entry): void {
  const wanted = database.rows<IntentRow>("select * from intents where id = ?", row.subject_id)[0];
  // a later change in the same commit is decided again
  if (wanted === undefined || wanted.version !== payload.version) return;
  const { workload } = JSON.parse(wanted.spec) as Intent;
  const replicas = workload.batch?.parallelTasks ?? workload.scaling?.minReplicas ?? 1;
  const gpus = (workload.resources.gpu?.count ?? 0) * replicas;
  const placed = (payload.allocations ?? []).reduce((sum, one) => sum + one.gpus, 0);
  // offers that are sold whole give more than was asked for
  check(
    placed >= gpus || workload.type === "batch",
    "lost",
    () => `${row.subject_id} wants ${gpus} GPUs, is given ${placed}`,
  );
  const keys = database.rows<AllocationRow>(
    "select * from allocations where intent_id = ? and released_ms is null",
    row.subject_id,
  );
  check(
    keys.length === (payload.allocations ?? []).length,
    "orphan",
    () =>
      `${row.subject_id} is placed on ${payload.allocations?.length} keys and holds ${keys.map(({ id }) => id)}`,
  );
}

const isEviction = ({ row, payload }: Entry): boolean =>
  row.kind === "intent.releasing" && payload.reason === "PREEMPTED";

/** Who was placed by the decision that an eviction is part of: both are written together. */
function takersOf(fresh: readonly Entry[], at: number): string[] {
  const after = fresh.slice(at + 1);
  const first = after.findIndex((entry) => !isEviction(entry));
  const next = after.findIndex((entry, index) => index > first && isEviction(entry));
  return after
    .slice(Math.max(0, first), next < 0 ? after.length : next)
    .flatMap(({ row }) => (row.kind === "intent.placing" ? [row.subject_id] : []));
}

/** Priorities that intents have had: a decision was made on one of them. */
interface Priorities {
  /** Notes what was amended. */
  note(world: World, fresh: readonly Entry[]): void;
  /** All that an intent has had; null where one of them is not known. */
  of(world: World, row: IntentRow): readonly number[] | null;
}

function createPriorities(): Priorities {
  const amended = new Map<string, (number | null)[]>();
  return {
    note({ database }, fresh) {
      const ids = fresh.flatMap(({ row }) => (row.kind === "intent.amended" ? [row.subject_id] : []));
      for (const id of new Set(ids)) {
        const [row] = database.rows<IntentRow>("select * from intents where id = ?", id);
        const known = amended.get(id) ?? [];
        amended.set(id, known);
        // of several changes between two looks only the last is seen
        const isSeen = row !== undefined && ids.filter((one) => one === id).length === 1;
        known.push(isSeen ? row.priority : null);
      }
    },
    of({ clients }, { id, priority }) {
      const later = amended.get(id);
      if (later === undefined) return [priority];
      const all = [clients.byId.get(id)?.shape.priority ?? null, ...later];
      return all.includes(null) ? null : (all as number[]);
    },
  };
}

interface EvictionChecks {
  readonly quotas: QuotaCheck;
  readonly priorities: Priorities;
}

/** Who makes way makes way for higher priority, or gives back what its tenant borrowed. */
function checkEviction(
  world: World,
  { quotas, priorities }: EvictionChecks,
  victimId: string,
  takers: readonly string[],
): void {
  const { database, trace } = world;
  // the one that it made way for was changed meanwhile
  if (takers.length === 0) return;
  const cohorts = new Map<string, string | null>(
    database.rows<TenantRow>("select * from tenants").map(({ id, cohort }) => [id, cohort]),
  );
  const rowOf = (id: string) => database.rows<IntentRow>("select * from intents where id = ?", id)[0];
  const victim = rowOf(victimId);
  const had = victim === undefined ? null : priorities.of(world, victim);
  if (victim === undefined || had === null) return;
  const isRight = takers.some((id) => {
    const by = rowOf(id);
    const has = by === undefined ? null : priorities.of(world, by);
    if (by === undefined || has === null || Math.max(...has) > Math.min(...had)) return true;
    const cohort = cohorts.get(by.tenant_id) ?? null;
    return (
      by.tenant_id !== victim.tenant_id &&
      cohort !== null &&
      cohort === cohorts.get(victim.tenant_id) &&
      quotas.borrows(world, victim.tenant_id)
    );
  });
  trace.mark("an eviction was judged");
  check(isRight, "fairness", () => `${victimId} of priority ${had} makes way for one of ${takers}`);
}

/** Checks of single events, and of how often the same thing happens. */
export function createMoveChecks(quotas: QuotaCheck): (world: World, fresh: readonly Entry[]) => void {
  const evictions = new Map<string, number[]>();
  const priorities = createPriorities();
  return (world, fresh) => {
    priorities.note(world, fresh);
    for (const [index, entry] of fresh.entries()) {
      const { row } = entry;
      checkCancelled(world, entry);
      if (row.kind === "intent.placing") checkPlacement(world, entry);
      if (!isEviction(entry)) continue;
      const takers = takersOf(fresh, index);
      checkEviction(world, { quotas, priorities }, row.subject_id, takers);
      const now = world.time.nowMs();
      for (const taker of takers) {
        const pair = `${row.subject_id} for ${taker}`;
        const recent = (evictions.get(pair) ?? []).filter((at) => at > now - WINDOW_MS);
        recent.push(now);
        evictions.set(pair, recent);
        check(recent.length <= MOST_EVICTIONS, "fairness", () => `${pair} made way ${recent.length} times`);
      }
    }
  };
}

/** A decision is logged before anything acts on it. */
export function checkPlansLogged({ database }: World, fresh: readonly Entry[]): void {
  for (const { row } of fresh) {
    if (row.kind !== "intent.placing") continue;
    const [plan] = database.rows<PlanRow>(
      `select p.* from decisions d join plans p on p.id = d.plan_id where d.intent_id = ? order by d.seq desc limit 1`,
      row.subject_id,
    );
    check(plan !== undefined, "event-log", () => `${row.subject_id} was placed by a plan that is not logged`);
  }
}
