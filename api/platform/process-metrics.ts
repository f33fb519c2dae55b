import { collectDefaultMetrics, Registry } from "prom-client";

/** Metrics of this process: CPU, memory, garbage collection, event loop. */
export function processRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
