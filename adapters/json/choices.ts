/**
 * A closed set of values of one field: the canonical spelling first, other documented spellings as aliases. Case,
 * `_`, `-` and blanks never distinguish two values. `any` states nothing and is dropped.
 */
export interface Choice {
  readonly values: readonly [string, ...string[]];
  readonly aliases?: Readonly<Record<string, string>>;
  readonly any?: true;
}

/** Objectives in the documented spelling. */
export const objectives: Choice = {
  values: [
    "Cost_Minimization",
    "Performance_Maximization",
    "Latency_Minimization",
    "Energy_Efficiency",
    "Balanced_Optimization",
  ],
  aliases: {
    cost: "Cost_Minimization",
    performance: "Performance_Maximization",
    latency: "Latency_Minimization",
    energy: "Energy_Efficiency",
    balanced: "Balanced_Optimization",
  },
};

/** GPU market tiers. */
export const tiers: Choice = {
  values: ["premium", "standard", "gaming", "inference", "budget"],
  aliases: { economy: "budget" },
  any: true,
};

/** GPU architectures: the documented ones and those of the GPU catalog. */
export const architectures: Choice = {
  values: [
    "hopper",
    "ada-lovelace",
    "ampere",
    "turing",
    "volta",
    "pascal",
    "maxwell",
    "kepler",
    "blackwell",
    "blackwell-ultra",
    "rubin",
    "cdna",
    "cdna2",
    "cdna3",
    "cdna4",
    "rdna2",
    "rdna3",
    "rdna4",
    "xe-hpg",
    "xe2",
    "ponte-vecchio",
    "gaudi2",
    "gaudi3",
  ],
  aliases: { ada: "ada-lovelace", lovelace: "ada-lovelace", "xe-hpc": "ponte-vecchio" },
  any: true,
};

/** Links between the GPUs of one offer. */
export const interconnects: Choice = {
  values: ["nvlink", "nvswitch", "infiniband", "infinity-fabric", "xe-link", "ethernet", "pcie"],
  aliases: { "pci-e": "pcie", pciexpress: "pcie" },
  any: true,
};

/** Shapes of those links. */
export const topologies: Choice = {
  values: ["all-to-all", "nvswitch", "ring", "mesh"],
  aliases: { dgx: "nvswitch", hgx: "nvswitch", "full-mesh": "all-to-all" },
  any: true,
};

/** GPU vendors. */
export const vendors: Choice = {
  values: ["nvidia", "amd", "intel", "qualcomm", "apple", "custom"],
  any: true,
};

/** Minimum efficiency ratings, best first. */
export const ratings: Choice = { values: ["A", "B", "C", "D", "E", "F"] };

/** Kinds of work with speed figures of their own. */
export const workloadKinds: Choice = { values: ["training", "inference", "hpc", "graphics"] };

/** How several workloads share one GPU of an offer. */
export const sharingStrategies: Choice = {
  values: ["none", "mig", "mps", "time-slicing", "sriov"],
  aliases: { "sr-iov": "sriov", timeslicing: "time-slicing" },
};

/** Named priorities. */
export const priorities: Readonly<Record<string, number>> = {
  critical: 900,
  high: 700,
  normal: 500,
  low: 300,
  "best-effort": 100,
};

/** Choices of an intent by canonical path; `[]` stands for any index. */
export const intentChoices: Readonly<Record<string, Choice>> = {
  "intent.objective": objectives,
  "intent.workload.type": { values: ["service", "batch"], aliases: { job: "batch", deployment: "service" } },
  "intent.workload.kind": workloadKinds,
  "intent.workload.ports[].protocol": { values: ["TCP", "UDP"] },
  "intent.workload.storage.volumes[].type": { values: ["persistent", "temporary"] },
  "intent.workload.storage.volumes[].source.type": { values: ["s3", "gcs", "azure"] },
  "intent.workload.deployment_strategy": {
    values: ["colocated", "distributed", "flexible"],
    aliases: { flexibile: "flexible", "co-located": "colocated" },
  },
  "intent.workload.communication_pattern": { values: ["all-reduce", "pipeline", "independent"] },
  "intent.workload.batch.completion_policy": { values: ["All", "Any"] },
  "intent.workload.resources.gpu.architecture": architectures,
  "intent.workload.resources.gpu.tier": tiers,
  "intent.workload.resources.gpu.interconnect": interconnects,
  "intent.workload.resources.gpu.topology": topologies,
  "intent.workload.resources.gpu.vendor": vendors,
  "intent.constraints.spread.by": { values: ["region", "zone", "provider"] },
  "intent.constraints.availability.days_of_week[]": {
    values: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    aliases: {
      monday: "Mon",
      tuesday: "Tue",
      tues: "Tue",
      wednesday: "Wed",
      thursday: "Thu",
      thurs: "Thu",
      friday: "Fri",
      saturday: "Sat",
      sunday: "Sun",
    },
  },
  "intent.constraints.availability.maintenance_windows[].frequency": { values: ["weekly", "monthly"] },
  "intent.constraints.energy.energy_efficiency_rating": ratings,
  "intent.constraints.security.network_isolation": { values: ["public", "private"] },
  "intent.constraints.security.firewall_rules[].protocol": { values: ["TCP", "UDP"] },
  "intent.constraints.security.firewall_rules[].action": { values: ["allow", "deny"] },
  "intent.constraints.negotiation.fallback_strategy[]": {
    values: ["queue", "lower_tier", "shared", "spot", "reject"],
  },
  "intent.sla.backup_strategy": { values: ["none", "checkpoint", "snapshot", "replica"] },
};

const fold = (text: string): string => text.toLowerCase().replace(/[_\s-]/g, "");

/** A certification without blanks and separators, upper case: "ISO 27001" is "ISO27001", "pci-dss" is "PCIDSS". */
export function canonicalCertification(text: string): string {
  return fold(text).toUpperCase();
}

/** The canonical spelling of a value, `null` for "any", or undefined when the choice does not know it. */
export function canonicalChoice(choice: Choice, text: string): string | null | undefined {
  if (choice.values.includes(text)) return text;
  const folded = fold(text);
  if (choice.any === true && folded === "any") return null;
  const alias = Object.entries(choice.aliases ?? {}).find(([name]) => fold(name) === folded)?.[1];
  return alias ?? choice.values.find((value) => fold(value) === folded);
}
