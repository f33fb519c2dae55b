/** The intent of the bench `place`, in the documented form: a few limits of every kind, balanced objective, spot allowed. */
export const placedIntent: unknown = {
  intent: {
    objective: "Balanced_Optimization",
    workload: {
      type: "service",
      name: "bench",
      image: "registry.example/serve:1",
      resources: { cpu: "8", memory: "32Gi", gpu: { count: 2, memory_min: "40Gi", tier: "premium" } },
    },
    constraints: { max_hourly_cost: "20 EUR", location: "EU", max_latency_ms: 80, preemptible: true },
  },
};
