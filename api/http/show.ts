import type { Batch } from "../../engine/model/intent.ts";
import { formatMicro } from "../../engine/model/money.ts";
import { formatTime } from "../../engine/model/time.ts";
import { intentOf } from "../control/documents.ts";
import { statusOf } from "../control/lifecycle.ts";
import type { AllocationRow, IntentRow } from "../store/schema.ts";
import type { IntentView } from "../store/store.ts";

const HOUR_MS = 3_600_000;

/** Time of a column, or null. */
export const showTime = (ms: number | null): string | null => (ms === null ? null : formatTime(ms));

/** Money per hour as the original writes it. */
export const showRateText = (micro: number, currency: string): string =>
  `${formatMicro(micro)} ${currency}/hour`;

/** Money per hour as a text, and as figures. */
export function showRate(micro: number, currency: string): object {
  return {
    text: showRateText(micro, currency),
    amount: micro / 1_000_000,
    currency,
    period: "hour",
  };
}

/** What allocations cost until now, micro-units: each from its purchase to its release. */
export function accruedMicro(allocations: readonly AllocationRow[], nowMs: number): number {
  let micro = 0;
  for (const { billed_ms, released_ms, cost_micro } of allocations)
    if (billed_ms !== null) micro += (cost_micro * Math.max(0, (released_ms ?? nowMs) - billed_ms)) / HOUR_MS;
  return Math.round(micro);
}

function showDuration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60
    ? `${minutes}m ${Math.floor((ms % 60_000) / 1000)}s`
    : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}

/** An intent in lists. */
export function showSummary(intent: IntentRow): Record<string, unknown> {
  return {
    intent_id: intent.id,
    name: intent.name,
    type: intent.kind,
    status: statusOf(intent.phase),
    phase: intent.phase,
    priority: intent.priority,
    reason: intent.reason,
    message: intent.message,
    version: intent.version,
    created_at: formatTime(intent.created_ms),
    updated_at: formatTime(intent.updated_ms),
    estimated_start_time: showTime(intent.expected_start_ms),
    started_at: showTime(intent.started_ms),
    finished_at: showTime(intent.terminal_ms),
  };
}

/** Tasks of a batch, and what they are expected to cost together. */
function showBatch(intent: IntentRow, batch: Batch, hourMicro: number, currency: string | null): object {
  const isDone = intent.phase === "completed";
  const hours = (batch.estimatedRuntimeSeconds ?? batch.timeoutSeconds ?? 0) / 3600;
  return {
    tasks_completed: isDone ? batch.parallelTasks : 0,
    tasks_remaining: isDone ? 0 : batch.parallelTasks,
    cost_per_hour: currency === null ? null : showRateText(hourMicro, currency),
    total_estimated_cost:
      currency === null || hours === 0 ? null : `${formatMicro(Math.round(hourMicro * hours))} ${currency}`,
  };
}

/** An intent with what it holds and costs: the original's status shape and more. */
export function showIntent({ intent, allocations }: IntentView, nowMs: number): Record<string, unknown> {
  const held = allocations.filter(({ released_ms }) => released_ms === null);
  const currency = allocations[0]?.currency ?? null;
  const serviceUrl = held.find(({ service_url }) => service_url !== null)?.service_url ?? null;
  const endMs = intent.terminal_ms ?? nowMs;
  const document = JSON.parse(intent.document) as { readonly labels?: object };
  const hourMicro = held.reduce((sum, { cost_micro }) => sum + cost_micro, 0);
  const { batch } = intent.kind === "batch" ? intentOf(intent).workload : {};
  return {
    ...showSummary(intent),
    service_url: serviceUrl,
    workload_url: serviceUrl,
    runtime: intent.started_ms === null ? null : showDuration(endMs - intent.started_ms),
    current_cost: currency === null ? null : `${formatMicro(accruedMicro(allocations, nowMs))} ${currency}`,
    cost: currency === null ? null : showRate(hourMicro, currency),
    allocation: held.map((row) => ({
      offer: row.offer,
      provider: row.provider,
      region: row.region,
      gpus: row.gpus,
      replicas: row.replicas,
      spot: row.spot === 1,
      state: row.state,
      contract: row.contract,
      cost: showRate(row.cost_micro, row.currency),
    })),
    deployments: held
      .filter(({ state }) => state === "running")
      .map(({ region, offer, provider, service_url }) => ({
        region,
        offer,
        provider,
        workload_url: service_url,
      })),
    conditions: [
      { type: "Placed", status: held.length > 0, reason: intent.reason },
      { type: "Ready", status: intent.phase === "running", reason: intent.reason },
    ],
    ...(batch === undefined ? {} : { batch_metrics: showBatch(intent, batch, hourMicro, currency) }),
    tenant_metrics: {
      tenant_id: intent.tenant_id,
      cost_per_hour: currency === null ? null : showRateText(hourMicro, currency),
    },
    gpu_utilization: null,
    generation: intent.generation,
    labels: document.labels ?? {},
    intent: document,
  };
}
