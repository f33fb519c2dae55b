import { holdsOf } from "../../engine/explain/waiting.ts";
import type { Decision } from "../../engine/model/decision.ts";
import type { Intent } from "../../engine/model/intent.ts";
import { parseTime } from "../../engine/model/time.ts";
import type { AllocationRow, IntentRow } from "../store/schema.ts";
import type { ChangeIntent } from "../store/store.ts";
import type { Deadlines, Step } from "./advance.ts";
import { showDecision } from "./documents.ts";
import type { Decided } from "./planner.ts";

/** Key in the federation: the intent, which try it is, which part of the placement. */
const keyOf = (intent: IntentRow, index: number): string => `${intent.id}-${intent.attempt + 1}-${index}`;

/** What a decision would take, in our books before any provider is asked. */
export function allocationsOf(
  row: IntentRow,
  intent: Intent,
  decision: Decision,
  currency: string,
  atMs: number,
): AllocationRow[] {
  const { cpuMilli = 0, memoryMib = 0 } = intent.workload.resources;
  return decision.placements.map((placement, index) => ({
    id: keyOf(row, index),
    intent_id: row.id,
    tenant_id: row.tenant_id,
    offer: placement.offer,
    provider: placement.provider,
    region: placement.region,
    gpus: placement.gpus,
    replicas: placement.replicas,
    cpu_milli: cpuMilli * placement.replicas,
    memory_mib: memoryMib * placement.replicas,
    spot: placement.spot ? 1 : 0,
    cost_micro: placement.costMicro,
    currency,
    state: "planned",
    contract: null,
    service_url: null,
    created_ms: atMs,
    expires_ms: null,
    billed_ms: null,
    released_ms: null,
  }));
}

/** What is written about a decision. */
function entryOf(
  row: IntentRow,
  decision: Decision,
  decided: Decided,
  atMs: number,
): NonNullable<ChangeIntent["decision"]> {
  const { outcome, reason } = decision;
  const document = JSON.stringify(showDecision(decision, row.name, decided.currency));
  return { plan_id: decided.log.id, at_ms: atMs, outcome, reason, document };
}

export interface SettleContext {
  readonly decided: Decided;
  readonly atMs: number;
  readonly deadlines: Deadlines;
}

/** The change of an intent that was placed. */
export function placedStep(
  row: IntentRow,
  decision: Decision,
  newAllocations: readonly AllocationRow[],
  { decided, atMs, deadlines }: SettleContext,
): Step {
  return {
    to: "placing",
    decision: entryOf(row, decision, decided, atMs),
    newAllocations,
    set: {
      reason: null,
      message: decision.message,
      attempt: row.attempt + 1,
      due_ms: atMs + deadlines.placing,
      expected_start_ms: null,
      held: null,
    },
  };
}

/** What a decision holds for a waiting intent, as it is stored; null for nothing. */
function heldOf(decision: Decision, priority: number): string | null {
  const held = holdsOf(decision, priority);
  return held.length === 0 ? null : JSON.stringify(held);
}

/** The change of an intent that was not placed; null when it is the same answer as before, worth no event. */
export function unplacedStep(row: IntentRow, decision: Decision, { decided, atMs }: SettleContext): Step {
  const { outcome, reason, message } = decision;
  const expected = decision.expectedStart === undefined ? null : parseTime(decision.expectedStart);
  if (outcome === "refused")
    return { to: "failed", decision: entryOf(row, decision, decided, atMs), set: { reason, message } };
  const held = heldOf(decision, row.priority);
  const set = { reason, message, expected_start_ms: expected, held };
  if (row.phase === "waiting" && row.reason === reason && row.expected_start_ms === expected)
    return row.held === held ? null : { decision: entryOf(row, decision, decided, atMs), set };
  return {
    ...(row.phase === "waiting" ? { event: "intent.still_waiting" } : { to: "waiting" as const }),
    decision: entryOf(row, decision, decided, atMs),
    set,
  };
}
