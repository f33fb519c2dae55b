import { AdapterError, type Held, type Refusal } from "../../adapters/port.ts";
import { partOfNeed } from "../../engine/compile/devices.ts";
import { assert } from "../../engine/model/errors.ts";
import { replicasOf } from "../../engine/model/intent.ts";
import type { Env } from "../env.ts";
import type { AllocationRow, IntentRow } from "../store/schema.ts";
import type { AllocationChange, ChangeIntent, IntentView } from "../store/store.ts";
import { intentOf } from "./documents.ts";
import type { Phase } from "./lifecycle.ts";

/** How long each external wait may take before the next step: give back, and try another candidate. Milliseconds. */
export interface Deadlines {
  readonly placing: number;
  readonly reserved: number;
  readonly contracted: number;
  readonly peering: number;
  readonly deploying: number;
}

export const defaultDeadlines: Deadlines = {
  placing: 30_000,
  reserved: 30_000,
  contracted: 30_000,
  peering: 120_000,
  deploying: 300_000,
};

/** What one step of an intent changes; null: it waits for the federation. */
export type Step = Omit<ChangeIntent, "id" | "version" | "actor" | "atMs" | "requestId"> | null;

/** What a step may look at and call. */
export interface StepContext extends Pick<Env, "federation" | "clock"> {
  readonly deadlines: Deadlines;
  /** Tries that may fail in a row before an intent fails. */
  readonly mostFailures: number;
  /** What the federation said about our keys at the start of this round. */
  readonly observed: ReadonlyMap<string, Held>;
  /** Notes that an offer let an intent down: for a while nothing is placed there. */
  avoid(offer: string): void;
  /** Offers that something is just being given back of: what was placed there in its stead waits for it. */
  readonly clearing: ReadonlySet<string>;
}

/** Gives everything back and tries again with another candidate, or fails after too many tries. */
function retreat(
  context: StepContext,
  intent: IntentRow,
  { reason, message, offer }: { readonly reason: string; readonly message: string; readonly offer?: string },
): Step {
  if (offer !== undefined) context.avoid(offer);
  const failures = intent.failures + 1;
  const ending = failures < context.mostFailures ? "queued" : "failed";
  return { to: "releasing", set: { ending, failures, reason, message, due_ms: null } };
}

/** A refusal as a step back. A changed price is in the catalog by now, everything else would be met again at once. */
const refusedStep = (
  context: StepContext,
  intent: IntentRow,
  offer: string,
  { code, message }: Refusal,
): Step =>
  retreat(context, intent, {
    reason: code.toUpperCase(),
    message,
    ...(code === "price_changed" ? {} : { offer }),
  });

const live = (view: IntentView): readonly AllocationRow[] =>
  view.allocations.filter(({ released_ms }) => released_ms === null);

type Changes = { id: string; set: AllocationChange }[];

async function placing(context: StepContext, view: IntentView): Promise<Step> {
  const { intent } = view;
  const changes: Changes = [];
  if (live(view).some(({ offer }) => context.clearing.has(offer))) return null;
  const part = partOfNeed(intentOf(intent).workload.resources.gpu);
  for (const row of live(view)) {
    const answer = await context.federation.reserve({
      key: row.id,
      intent: intent.id,
      tenant: intent.tenant_id,
      offer: row.offer,
      gpus: row.gpus,
      replicas: row.replicas,
      cpuMilli: row.cpu_milli,
      memoryMib: row.memory_mib,
      spot: row.spot === 1,
      ...(part === undefined ? {} : { part }),
      maxCostMicro: row.cost_micro,
    });
    if (answer.kind === "refused") return refusedStep(context, intent, row.offer, answer);
    changes.push({
      id: row.id,
      set: { state: "reserved", expires_ms: answer.expiresAtMs, cost_micro: answer.costMicro },
    });
  }
  return {
    to: "reserved",
    allocations: changes,
    set: { message: "Capacity is reserved", due_ms: context.clock.wallMs() + context.deadlines.reserved },
  };
}

async function reserved(context: StepContext, view: IntentView): Promise<Step> {
  const now = context.clock.wallMs();
  const changes: Changes = [];
  for (const row of live(view)) {
    const answer = await context.federation.purchase(row.id);
    if (answer.kind === "refused") return refusedStep(context, view.intent, row.offer, answer);
    changes.push({
      id: row.id,
      set: { state: "contracted", contract: answer.contract, billed_ms: now, expires_ms: null },
    });
  }
  return {
    to: "contracted",
    allocations: changes,
    set: { message: "Capacity is bought", due_ms: now + context.deadlines.contracted },
  };
}

async function contracted(context: StepContext, view: IntentView): Promise<Step> {
  const rows = live(view);
  for (const row of rows) await context.federation.peer(row.id);
  return {
    to: "peering",
    allocations: rows.map(({ id }) => ({ id, set: { state: "peering" } })),
    set: {
      message: "Clusters are being connected",
      due_ms: context.clock.wallMs() + context.deadlines.peering,
    },
  };
}

/** The first of the intent's keys that the federation no longer holds, as a step back. */
function lostStep(context: StepContext, view: IntentView): Step {
  for (const { id, offer } of live(view)) {
    const held = context.observed.get(id);
    if (held === undefined)
      return retreat(context, view.intent, {
        reason: "GONE",
        message: `${offer} no longer knows ${id}`,
        offer,
      });
    if (held.phase === "lost")
      return retreat(context, view.intent, {
        reason: (held.reason ?? "failed").toUpperCase(),
        message: held.message ?? `${offer} was lost`,
        offer,
      });
  }
  return null;
}

const all = (context: StepContext, view: IntentView, phases: readonly Held["phase"][]): boolean =>
  live(view).every(({ id }) => {
    const held = context.observed.get(id);
    return held !== undefined && phases.includes(held.phase);
  });

async function peering(context: StepContext, view: IntentView): Promise<Step> {
  const lost = lostStep(context, view);
  if (lost !== null) return lost;
  // asked again after a crash between the move and the call: it has one effect
  for (const { id } of live(view))
    if (context.observed.get(id)?.phase === "contracted") await context.federation.peer(id);
  if (!all(context, view, ["peered", "deploying", "running", "completed"])) return null;
  const intent = intentOf(view.intent);
  for (const row of live(view)) await context.federation.deploy(row.id, intent);
  return {
    to: "deploying",
    allocations: live(view).map(({ id }) => ({ id, set: { state: "deploying" } })),
    set: {
      message: "The workload is starting",
      due_ms: context.clock.wallMs() + context.deadlines.deploying,
    },
  };
}

/** How long running work may take at most: its timeout, once per wave of tasks. Null: for as long as it likes. */
function timeoutMs(view: IntentView): number | null {
  const intent = intentOf(view.intent);
  const { timeoutSeconds } = intent.workload.batch ?? {};
  if (timeoutSeconds === undefined) return null;
  const hosted = live(view).reduce((sum, { replicas }) => sum + replicas, 0);
  return timeoutSeconds * 1000 * Math.ceil(replicasOf(intent) / Math.max(1, hosted));
}

async function deploying(context: StepContext, view: IntentView): Promise<Step> {
  const lost = lostStep(context, view);
  if (lost !== null) return lost;
  if (!all(context, view, ["running", "completed"])) return null;
  const most = timeoutMs(view);
  return {
    to: "running",
    allocations: live(view).map(({ id }) => ({
      id,
      set: { state: "running", service_url: context.observed.get(id)?.serviceUrl ?? null },
    })),
    set: {
      message: "The workload is running",
      reason: null,
      due_ms: most === null ? null : context.clock.wallMs() + most,
      failures: 0,
      started_ms: view.intent.started_ms ?? context.clock.wallMs(),
    },
  };
}

async function running(context: StepContext, view: IntentView): Promise<Step> {
  if (all(context, view, ["completed"]))
    return {
      to: "releasing",
      set: { ending: "completed", message: "The work is done", reason: null, due_ms: null },
    };
  const { due_ms } = view.intent;
  if (due_ms !== null && context.clock.wallMs() >= due_ms)
    return {
      to: "releasing",
      set: { ending: "failed", reason: "TIMEOUT", message: "Still running at its timeout", due_ms: null },
    };
  return lostStep(context, view);
}

/** Work of a batch that its next try can build on: what all parts of it have kept, as far as providers tell. */
function workDoneSeconds({ observed }: StepContext, view: IntentView): number {
  const done = live(view).map(({ id }) => observed.get(id)?.workDoneSeconds ?? 0);
  return Math.max(view.intent.work_done_seconds, done.length === 0 ? 0 : Math.min(...done));
}

async function releasing(context: StepContext, view: IntentView): Promise<Step> {
  const { intent } = view;
  assert(intent.ending !== null, `intent ${intent.id} is releasing towards an end`);
  const rows = live(view);
  for (const { id } of rows) await context.federation.release(id);
  const to: Phase = intent.ending;
  return {
    to,
    allocations: rows.map(({ id }) => ({
      id,
      set: { state: "released", released_ms: context.clock.wallMs() },
    })),
    set: {
      ending: null,
      due_ms: null,
      work_done_seconds: workDoneSeconds(context, view),
      ...(to === "cancelled" ? { message: "Intent cancelled" } : {}),
    },
  };
}

const steps: Readonly<Partial<Record<Phase, (context: StepContext, view: IntentView) => Promise<Step>>>> = {
  placing,
  reserved,
  contracted,
  peering,
  deploying,
  running,
  releasing,
};

/** The phases that {@link advance} moves on; the others wait for a decision or have ended. */
export const drivenPhases: readonly Phase[] = Object.keys(steps) as Phase[];

/**
 * The next step of an intent that is on its way, from what is stored and what the federation says: level-based, so
 * that it does not matter what happened before. Calls the federation; changes nothing itself.
 *
 * @throws {AdapterError} when the federation could not be asked: look again later
 */
export async function advance(context: StepContext, view: IntentView): Promise<Step> {
  const { intent } = view;
  const step = steps[intent.phase];
  assert(step !== undefined, `intent ${intent.id} in ${intent.phase} is driven by the loop`);
  const isOverdue = intent.due_ms !== null && context.clock.wallMs() >= intent.due_ms;
  try {
    const next = await step(context, view);
    if (next !== null || !isOverdue) return next;
  } catch (error) {
    if (!(error instanceof AdapterError) || !isOverdue) throw error;
  }
  const [late] = live(view);
  return retreat(context, intent, {
    reason: "DEADLINE",
    message: `${intent.phase} took longer than it may`,
    ...(late === undefined ? {} : { offer: late.offer }),
  });
}
