import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { statusOf } from "../control/lifecycle.ts";
import type { Env } from "../env.ts";
import type { Service } from "./route.ts";

/** What is counted. Labels are names of routes, methods and codes: never tenants, tokens or ids. */
export interface Metrics {
  answered(route: string, method: string, status: number, seconds: number): void;
  streamOpened(): () => void;
  /** Prometheus text, and its content type. */
  text(): Promise<{ readonly type: string; readonly body: string }>;
}

/** Gauges of webhooks; call to set them. */
function createWebhookGauges({ store }: Pick<Env, "store">, registers: Registry[]): () => Promise<void> {
  const webhooks = new Gauge({
    name: "flare_webhooks",
    help: "Webhooks: healthy, failing since some time, disabled.",
    labelNames: ["state"] as const,
    registers,
  });
  const queued = new Gauge({
    name: "flare_webhook_messages_waiting",
    help: "Messages in queues.",
    registers,
  });
  return async () => {
    const { waiting, ...states } = await store.system.webhookCounts();
    for (const [state, count] of Object.entries(states)) webhooks.set({ state }, count);
    queued.set(waiting);
  };
}

/** Metrics of one application. */
export function createMetrics({ env, registry = new Registry(), notReady, control }: Service): Metrics {
  const registers = [registry];
  const duration = new Histogram({
    name: "flare_http_request_duration_seconds",
    help: "Time from a request to its answer, by route, method and status.",
    labelNames: ["route", "method", "status"] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  const streams = new Gauge({ name: "flare_http_streams", help: "Open event streams.", registers });
  const ready = new Gauge({ name: "flare_ready", help: "1 when requests are taken.", registers });
  const leader = new Gauge({
    name: "flare_leader",
    help: "1 at the replica that decides, 0 at the others.",
    registers,
  });
  const intents = new Gauge({
    name: "flare_intents",
    help: "Intents that have not ended, by phase.",
    labelNames: ["phase", "status"] as const,
    registers,
  });
  const waiting = new Gauge({
    name: "flare_store_waiting_writes",
    help: "Writes that wait for a commit.",
    registers,
  });
  const stored = {
    commits: new Counter({ name: "flare_store_commits_total", help: "Transactions on disk.", registers }),
    writes: new Counter({ name: "flare_store_writes_total", help: "Writes in them.", registers }),
  };
  const seen = { commits: 0, writes: 0 };
  const lookAtWebhooks = createWebhookGauges(env, registers);
  return {
    answered(route, method, status, seconds) {
      duration.observe({ route, method, status: String(status) }, seconds);
    },
    streamOpened() {
      streams.inc();
      return () => streams.dec();
    },
    async text() {
      const stats = env.store.stats();
      for (const name of ["commits", "writes"] as const) {
        stored[name].inc(stats[name] - seen[name]);
        seen[name] = stats[name];
      }
      waiting.set(stats.waiting);
      ready.set(notReady() === null ? 1 : 0);
      leader.set(control.leads() ? 1 : 0);
      intents.reset();
      for (const { phase, count } of await env.store.system.phaseCounts())
        intents.set({ phase, status: statusOf(phase) }, count);
      await lookAtWebhooks();
      return { type: registry.contentType, body: await registry.metrics() };
    },
  };
}
