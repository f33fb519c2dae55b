import type { NotNull } from "kysely";
import { assert } from "../../../engine/model/errors.ts";
import { assertLegal, isTerminal, type Phase } from "../../control/lifecycle.ts";
import { appendAct, appendEvent, contentHash, type Tx } from "../chain.ts";
import type { AllocationRow, IntentRow } from "../schema.ts";
import { insertRow, rowLimit, run } from "../statement.ts";
import {
  type Accepted,
  type AcceptIntent,
  type Act,
  type Cancelled,
  type ChangeIntent,
  cancelPath,
  type Fenced,
  type HeldRow,
  type IntentFilter,
  type IntentView,
  type SystemStore,
  type WaitingRow,
} from "../store.ts";
import type { TenantId } from "../tenant.ts";
import { answeredBefore, keepAnswer } from "./idempotency.ts";

/** See `TenantStore.acceptIntent`. */
export async function acceptIntent(tx: Tx, tenant: TenantId, input: AcceptIntent): Promise<Accepted> {
  const { db } = tx;
  const { idempotency, atMs } = input;
  const before = await answeredBefore(tx, tenant, idempotency, atMs);
  if (before !== null) return before;
  const [namesake] = await run(
    db,
    "living intent by name",
    () =>
      db
        .selectFrom("intents")
        .select("id")
        .where("tenant_id", "=", tenant)
        .where("name", "=", "")
        .where("terminal_ms", "is", null),
    [tenant, input.name],
  );
  if (namesake !== undefined) return { kind: "name_taken", id: namesake.id };
  await insertRow(db, "intents", {
    id: input.id,
    tenant_id: tenant,
    name: input.name,
    kind: input.kind,
    phase: "queued",
    version: 1,
    generation: 1,
    priority: input.priority,
    document: input.document,
    spec: input.spec,
    reason: null,
    message: input.message,
    ending: null,
    attempt: 0,
    failures: 0,
    created_ms: atMs,
    updated_ms: atMs,
    phase_ms: atMs,
    due_ms: null,
    expected_start_ms: null,
    held: null,
    work_done_seconds: 0,
    started_ms: null,
    terminal_ms: null,
  });
  const labels = Object.entries(input.labels ?? {});
  if (labels.length > 0)
    await db
      .insertInto("labels")
      .values(labels.map(([key, value]) => ({ intent_id: input.id, tenant_id: tenant, key, value })))
      .execute();
  await note(tx, tenant, input, {
    kind: "intent.queued",
    action: "intent.create",
    payload: { phase: "queued", version: 1, message: input.message, content: contentHash(input) },
  });
  await keepAnswer(tx, tenant, idempotency, input.answer);
  return { kind: "accepted" };
}

/** One event and one audit row about an intent. */
async function note(
  tx: Tx,
  tenant: TenantId,
  act: Act & { readonly id: string },
  what: { readonly kind: string; readonly action: string; readonly payload: object },
): Promise<void> {
  await appendEvent(tx, {
    tenant_id: tenant,
    at_ms: act.atMs,
    actor: act.actor,
    kind: what.kind,
    subject_id: act.id,
    payload: JSON.stringify(what.payload),
  });
  await appendAct(tx, tenant, act, what.action, act.id);
}

/** An allocation as events tell of it. */
const showAllocation = ({ id, offer, provider, gpus, spot }: AllocationRow): object => ({
  id,
  offer,
  provider,
  gpus,
  spot: spot === 1,
});

/** The only place that moves an intent. */
export async function changeIntent(tx: Tx, input: ChangeIntent): Promise<IntentRow | null> {
  const { db } = tx;
  const before = await intentOf(tx, input.id, null);
  if (before === undefined || before.version !== input.version) return null;
  const to = input.to ?? before.phase;
  if (input.to !== undefined) assertLegal(before.phase, input.to);
  const moved = to !== before.phase;
  const after: IntentRow = {
    ...before,
    ...input.set,
    phase: to,
    version: before.version + 1,
    updated_ms: input.atMs,
    phase_ms: moved ? input.atMs : before.phase_ms,
    terminal_ms: isTerminal(to) ? input.atMs : null,
  };
  const { id, tenant_id, created_ms, name, kind, ...columns } = after;
  await run(
    db,
    `update intent ${Object.keys(columns).join()}`,
    () => db.updateTable("intents").set(columns).where("id", "=", id),
    [...Object.values(columns), id],
  );
  for (const row of input.newAllocations ?? []) await insertRow(db, "allocations", row);
  for (const { id: key, set } of input.allocations ?? [])
    await run(
      db,
      `update allocation ${Object.keys(set).join()}`,
      () => db.updateTable("allocations").set(set).where("id", "=", key).where("intent_id", "=", id),
      [...Object.values(set), key, id],
    );
  if (input.decision !== undefined)
    await insertRow(db, "decisions", { ...input.decision, intent_id: id, tenant_id });
  const { document, spec, priority } = input.set ?? {};
  const isAmended = document !== undefined || spec !== undefined || priority !== undefined;
  const event = input.event ?? (moved ? `intent.${to}` : null);
  assert(event !== null || !isAmended, `a change of what intent ${id} says has an event`);
  if (event !== null)
    await note(tx, tenant_id, input, {
      kind: event,
      action: event,
      payload: {
        phase: to,
        version: after.version,
        ...(moved ? { from: before.phase } : {}),
        ...(after.reason === null ? {} : { reason: after.reason }),
        message: after.message,
        ...(isAmended ? { content: contentHash(after) } : {}),
        ...(input.newAllocations === undefined
          ? {}
          : { allocations: input.newAllocations.map(showAllocation) }),
        ...input.payload,
      },
    });
  return after;
}

/** See `SystemStore.changeIntent`: a move of the deciding process, whose event tells the epoch. */
export function decideIntent(tx: Tx, { epoch, ...input }: ChangeIntent & Fenced): Promise<IntentRow | null> {
  return changeIntent(tx, { ...input, payload: { ...input.payload, epoch } });
}

/** See `TenantStore.cancelIntent`. */
export async function cancelIntent(
  tx: Tx,
  tenant: TenantId,
  input: Act & { readonly id: string; readonly version?: number },
): Promise<Cancelled> {
  const intent = await intentOf(tx, input.id, tenant);
  if (intent === undefined) return { kind: "not_found" };
  if (input.version !== undefined && input.version !== intent.version)
    return { kind: "version_differs", intent };
  const ends = intent.ending === "cancelled" || intent.ending === "completed" || intent.ending === "failed";
  if (isTerminal(intent.phase) || (intent.phase === "releasing" && ends))
    return { kind: "unchanged", intent };
  const { to, ending } = cancelPath(intent.phase);
  const message = to === "cancelled" ? "Intent cancelled" : "Intent is being cancelled";
  const changed = await changeIntent(tx, {
    id: intent.id,
    version: intent.version,
    ...(intent.phase === "releasing" ? { event: "intent.cancelling" } : { to }),
    set: { ending, message, reason: "CANCELLED", due_ms: null },
    actor: input.actor,
    atMs: input.atMs,
    requestId: input.requestId,
  });
  return changed === null ? { kind: "not_found" } : { kind: "cancelled", intent: changed };
}

/** An intent; with a tenant only if it is this tenant's. */
export async function intentOf(
  { db }: Pick<Tx, "db">,
  id: string,
  tenant: TenantId | null,
): Promise<IntentRow | undefined> {
  const byId = () => db.selectFrom("intents").selectAll().where("id", "=", "");
  const [intent] =
    tenant === null
      ? await run(db, "intent by id", byId, [id])
      : await run(db, "intent of tenant", () => byId().where("tenant_id", "=", tenant), [id, tenant]);
  return intent;
}

/** See `TenantStore.intent`. */
export async function intentView(
  { db }: Pick<Tx, "db">,
  id: string,
  tenant: TenantId | null,
): Promise<IntentView | null> {
  const intent = await intentOf({ db }, id, tenant);
  if (intent === undefined) return null;
  return { intent, allocations: await allocationsOf(db, [id]) };
}

/** See `TenantStore.intents`. */
export async function intentPage(
  { db }: Pick<Tx, "db">,
  tenant: TenantId,
  filter: IntentFilter,
): Promise<IntentRow[]> {
  let query = db.selectFrom("intents").selectAll().where("tenant_id", "=", tenant);
  if (filter.phases !== undefined) query = query.where("phase", "in", filter.phases);
  if (filter.sinceMs !== undefined) query = query.where("created_ms", ">=", filter.sinceMs);
  if (filter.untilMs !== undefined) query = query.where("created_ms", "<", filter.untilMs);
  const { label } = filter;
  if (label !== undefined)
    query = query.where("id", "in", (inner) =>
      inner
        .selectFrom("labels")
        .select("intent_id")
        .where("tenant_id", "=", tenant)
        .where("key", "=", label.key)
        .where("value", "=", label.value),
    );
  if (filter.name !== undefined) query = query.where("name", "=", filter.name);
  if (filter.before !== undefined) query = query.where("id", "<", filter.before);
  return query.orderBy("id", "desc").limit(rowLimit(filter.limit)).execute();
}

/** See `SystemStore.viewsOf`. */
export async function viewsOf({ db }: Pick<Tx, "db">, ids: readonly string[]): Promise<IntentView[]> {
  const rows = await intentsById({ db }, ids);
  if (rows.length === 0) return [];
  const allocations = await allocationsOf(
    db,
    rows.map(({ id }) => id),
  );
  const byIntent = Map.groupBy(allocations, ({ intent_id }) => intent_id);
  return rows.map((intent) => ({ intent, allocations: byIntent.get(intent.id) ?? [] }));
}

/** See `SystemStore.intentsById`. */
export async function intentsById({ db }: Pick<Tx, "db">, ids: readonly string[]): Promise<IntentRow[]> {
  if (ids.length === 0) return [];
  return run(
    db,
    `${ids.length} intents by id`,
    () => db.selectFrom("intents").selectAll().where("id", "in", ids).orderBy("id"),
    ids,
  );
}

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

/** The oldest of a phase, in the order of the index: nothing is sorted, and as a rule there is nothing. */
const oldestOf = (db: Tx["db"], phase: Phase, limit: number) =>
  db
    .selectFrom("intents")
    .where("terminal_ms", "is", null)
    .where("phase", "=", phase)
    .orderBy("id")
    .limit(rowLimit(limit));

/** See `SystemStore.inPhases`. */
export async function inPhases(
  { db }: Pick<Tx, "db">,
  { phases, limit }: { readonly phases: readonly Phase[]; readonly limit: number },
): Promise<IntentRow[]> {
  const oldest = (phase: Phase) =>
    db.selectFrom(oldestOf(db, phase, limit).selectAll().as("oldest")).selectAll();
  if (phases.length === 0) return [];
  const rows = await run(
    db,
    `intents in ${phases.length} phases`,
    () => phases.map(oldest).reduce((all, one) => all.unionAll(one)),
    phases.flatMap((phase) => [phase, limit]),
  );
  return rows.sort(byId).slice(0, limit);
}

/** See `SystemStore.idsIn`. */
export async function idsIn(
  { db }: Pick<Tx, "db">,
  { phases, after = "", limit }: Parameters<SystemStore["idsIn"]>[0],
): Promise<string[]> {
  const rows = await run(
    db,
    `ids in ${phases.length} phases`,
    () =>
      db
        .selectFrom("intents")
        .select("id")
        .where("terminal_ms", "is", null)
        .where("phase", "in", phases)
        .where("id", ">", after)
        .orderBy("id")
        .limit(rowLimit(limit)),
    [...phases, after, limit],
  );
  return rows.map(({ id }) => id);
}

/** See `SystemStore.waiting`. */
export function waiting({ db }: Pick<Tx, "db">): Promise<WaitingRow[]> {
  return run(
    db,
    "what waits",
    () =>
      db
        .selectFrom("intents")
        .select(["id", "priority", "tenant_id"])
        .where("terminal_ms", "is", null)
        .where("phase", "=", "waiting")
        .orderBy("priority", "desc")
        .orderBy("id"),
    ["waiting"],
  );
}

/** See `SystemStore.begun`. */
export function begun({
  db,
}: Pick<Tx, "db">): Promise<Pick<IntentRow, "id" | "created_ms" | "work_done_seconds">[]> {
  const phases = ["queued", "waiting", "preempted"] as const;
  return run(
    db,
    "work that has begun",
    () =>
      db
        .selectFrom("intents")
        .select(["id", "created_ms", "work_done_seconds"])
        .where("terminal_ms", "is", null)
        .where("phase", "in", phases)
        .where("work_done_seconds", ">", 0)
        .orderBy("id"),
    [...phases, 0],
  );
}

/** See `SystemStore.heldStarts`. */
export async function heldStarts({
  db,
}: Pick<Tx, "db">): Promise<{ readonly id: string; readonly priority: number; readonly held: string }[]> {
  const rows = await run(
    db,
    "starts that are held",
    () =>
      db
        .selectFrom("intents")
        .select(["id", "priority", "held"])
        .where("terminal_ms", "is", null)
        .where("phase", "=", "waiting")
        .where("held", "is not", null)
        .$narrowType<{ held: NotNull }>(),
    ["waiting"],
  );
  return rows.sort(byId);
}

/** Allocations of intents, the oldest first. */
function allocationsOf(db: Tx["db"], intents: readonly string[]): Promise<AllocationRow[]> {
  return run(
    db,
    `allocations of ${intents.length} intents`,
    () =>
      db
        .selectFrom("allocations")
        .selectAll()
        .where("intent_id", "in", intents)
        .orderBy("created_ms")
        .orderBy("id"),
    intents,
  );
}

/** See `SystemStore.held` and `SystemStore.heldBy`. */
export async function held({ db }: Pick<Tx, "db">, intents?: readonly string[]): Promise<HeldRow[]> {
  if (intents?.length === 0) return [];
  if (intents === undefined) return run(db, "all that is held", () => heldRows(db), []);
  return run(
    db,
    `held by ${intents.length} intents`,
    () => heldRows(db).where("allocations.intent_id", "in", intents),
    intents,
  );
}

const heldRows = (db: Tx["db"]) =>
  db
    .selectFrom("allocations")
    .innerJoin("intents", "intents.id", "allocations.intent_id")
    .selectAll("allocations")
    .select([
      "intents.phase as intent_phase",
      "intents.priority as intent_priority",
      "intents.generation as intent_generation",
      "intents.phase_ms as intent_phase_ms",
      "intents.due_ms as intent_due_ms",
      "intents.created_ms as intent_created_ms",
      "intents.work_done_seconds as intent_work_done_seconds",
    ])
    .where("allocations.released_ms", "is", null)
    .orderBy("allocations.id");
