import type { Intent } from "../model/intent.ts";
import type { Holding, Snapshot } from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";

/** Something that runs: its holdings, and what is known of what it asked for. */
export interface Running {
  readonly name: string;
  readonly holdings: readonly Holding[];
  readonly intent: Intent;
  /** The intent was not given: what it asked for is read off what it holds. */
  readonly isAssumed: boolean;
}

/**
 * An intent read off holdings, for work whose own intent is not at hand: as many GPUs with as much memory, in the same
 * area, spot where it is on spot. Careful rather than free: whatever else it may have asked for is not known.
 */
function assumedIntent(snapshot: Snapshot, name: string, holdings: readonly Holding[]): Intent {
  const [first] = holdings as readonly [Holding];
  const offer = snapshot.offers.find(({ id }) => id === first.offer);
  const replicas = holdings.reduce((sum, one) => sum + (one.replicas ?? 1), 0);
  const gpus = holdings.reduce((sum, one) => sum + one.gpus, 0);
  const left = first.until === undefined ? null : parseTime(first.until) - parseTime(snapshot.at);
  const area = offer?.areas[0];
  const memory = offer?.gpu.memoryMib;
  return {
    name,
    tenant: first.tenant,
    priority: first.priority,
    objective: "cost",
    workload: {
      type: left === null ? "service" : "batch",
      name,
      image: "",
      kind: left === null ? "inference" : "training",
      commands: [],
      env: [],
      ports: [],
      volumes: [],
      secrets: [],
      evictable: first.evictable,
      minRuntimeSeconds: first.minRuntimeSeconds ?? 0,
      ...(left === null
        ? {
            scaling: {
              minReplicas: replicas,
              maxReplicas: replicas,
              autoScale: false,
              targetCpuPercent: 80,
              targetGpuPercent: 80,
            },
          }
        : {
            ...(replicas > 1 ? { communicationPattern: "all-reduce" as const } : {}),
            batch: {
              parallelTasks: replicas,
              maxRetries: 0,
              completionPolicy: "All" as const,
              estimatedRuntimeSeconds: Math.max(60, Math.floor(left / 1000)),
            },
          }),
      resources: {
        gpu: {
          count: Math.max(1, Math.ceil(gpus / replicas)),
          preferredModels: [],
          ...(memory === undefined ? {} : { memoryMibMin: memory }),
        },
      },
    },
    constraints: {
      locations: area === undefined ? [] : [{ text: area, kind: "area" }],
      providers: [],
      preferredProviders: [],
      ...(holdings.some(({ spot }) => spot === true) ? { preemptible: true } : {}),
      energy: {},
      security: { firewallRules: [] },
      performance: {},
      compliance: { dataResidency: [], certifications: [] },
      negotiation: { maxRounds: 0, timeoutSeconds: 300, fallbacks: [] },
    },
    sla: {},
    warnings: [],
  };
}

/** Everything that runs in a snapshot, by name; intents that are given are used as they are. */
export function runningOf(snapshot: Snapshot, intents: readonly Intent[]): Running[] {
  const known = new Map(intents.map((intent) => [intent.name, intent]));
  return [...Map.groupBy(snapshot.holdings, ({ intent }) => intent)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, holdings]) => {
      const intent = known.get(name);
      const isAssumed = intent === undefined;
      return { name, holdings, intent: intent ?? assumedIntent(snapshot, name, holdings), isAssumed };
    });
}
