import type { Intent } from "../../model/intent.ts";
import { type FlagName, ratingRank } from "../traits.ts";
import { changed, choiceConstraint, flagConstraint, numberConstraint } from "./forms.ts";
import type { ConstraintSpec, Scope } from "./spec.ts";

type Group = "energy" | "security" | "performance" | "compliance";

const flag = (group: Group, json: string, field: string, column: FlagName): ConstraintSpec =>
  flagConstraint({
    name: `${group}.${json}`,
    column,
    required: (intent) =>
      (intent.constraints[group] as unknown as Readonly<Record<string, boolean | undefined>>)[field],
    field: ["constraints", group, field],
    path: `constraints.${group}.${json}`,
  });

const double = new Float64Array(1);
const doubleBits = new BigInt64Array(double.buffer);

/** The double next to a positive one, above (1) or below (-1). */
function neighbor(value: number, step: 1n | -1n): number {
  double[0] = value;
  doubleBits[0]! += step;
  return double[0]!;
}

/** The largest number whose product with `count`, as rounded, is at most `max`; both positive, `max` perhaps 0. */
function mostFactor(count: number, max: number): number {
  let factor = max / count;
  if (factor === 0 || !Number.isFinite(factor)) return factor;
  while (factor * count > max) factor = neighbor(factor, -1n);
  while (neighbor(factor, 1n) * count <= max) factor = neighbor(factor, 1n);
  return factor;
}

/** Grams per hour of the GPUs that run together, at the offer's power, PUE and grid. */
const carbon: ConstraintSpec = {
  name: "energy.max_carbon_footprint",
  predicates: ({ catalog, need }) => {
    const max = need.intent.constraints.energy.maxCarbonGramsPerHour;
    if (max === undefined) return null;
    const perGpu = mostFactor(need.gpus * need.together, max);
    return [catalog.columns.within("carbonGramsPerGpuHour", { max: perGpu, unknown: "fail" })];
  },
  relax: ({ catalog, need }, rows) => {
    const grams = catalog.columns.at("carbonGramsPerGpuHour");
    const known = rows
      .map((row) => grams(row) * need.gpus * need.together)
      .filter((value) => !Number.isNaN(value));
    const to = known.length === 0 ? undefined : Math.ceil(Math.min(...known));
    const from = need.intent.constraints.energy.maxCarbonGramsPerHour;
    return changed(need.intent, ["constraints", "energy", "maxCarbonGramsPerHour"], to, {
      path: "constraints.energy.max_carbon_footprint",
      from: from === undefined ? null : `${from}g CO2/h`,
      to: to === undefined ? null : `${to}g CO2/h`,
    });
  },
};

/** Replicas that may run at once in the option of a row without burning more than the intent allows. */
export function replicasWithinCarbon(
  { catalog, need }: Pick<Scope, "catalog" | "need">,
  row: number,
): number {
  const max = need.intent.constraints.energy.maxCarbonGramsPerHour;
  if (max === undefined) return Number.POSITIVE_INFINITY;
  const grams = catalog.columns.at("carbonGramsPerGpuHour")(row) * need.gpus;
  return grams > 0 ? Math.floor(max / grams) : Number.POSITIVE_INFINITY;
}

const certifications: ConstraintSpec = choiceConstraint({
  name: "compliance.certifications",
  dictionary: "certifications",
  accepts: ({ constraints }: Intent) => {
    const wanted = constraints.compliance.certifications;
    if (wanted.length === 0) return null;
    return (flavor) => {
      const stated = (flavor.compliance.certifications ?? []).map((name) => name.toLowerCase());
      return wanted.every((name) => stated.includes(name.toLowerCase()));
    };
  },
  admit: (intent, flavor) => {
    const from = intent.constraints.compliance.certifications;
    const stated = (flavor.compliance.certifications ?? []).map((name) => name.toLowerCase());
    const to = from.filter((name) => stated.includes(name.toLowerCase()));
    return changed(intent, ["constraints", "compliance", "certifications"], to, {
      path: "constraints.compliance.certifications",
      from: from.join(", "),
      to: to.length === 0 ? null : to.join(", "),
    });
  },
});

const renewable: ConstraintSpec = {
  name: "energy.renewable_energy_only",
  predicates: ({ catalog, need }) =>
    need.intent.constraints.energy.renewableOnly === true
      ? [catalog.columns.within("renewablePercent", { min: 100, unknown: "fail" })]
      : null,
  relax: ({ need }) =>
    changed(need.intent, ["constraints", "energy", "renewableOnly"], undefined, {
      path: "constraints.energy.renewable_energy_only",
      from: true,
      to: false,
    }),
};

const isolation: ConstraintSpec = {
  name: "security.network_isolation",
  predicates: ({ catalog, need }) =>
    need.intent.constraints.security.networkIsolation === "private"
      ? [catalog.columns.is("isolation", 1)]
      : null,
  relax: ({ need }) =>
    changed(need.intent, ["constraints", "security", "networkIsolation"], "public", {
      path: "constraints.security.network_isolation",
      from: "private",
      to: "public",
    }),
};

/** A stated availability goal rejects offers that state less; offers that state nothing are not judged by it. */
const availability: ConstraintSpec = {
  name: "sla.availability",
  predicates: ({ catalog, need }) => {
    const min = need.intent.sla.availabilityPercent;
    return min === undefined ? null : [catalog.columns.within("uptimePercent", { min, unknown: "pass" })];
  },
  relax: ({ catalog, need }, rows) => {
    const uptime = catalog.columns.at("uptimePercent");
    const to = rows.reduce((best, row) => Math.max(best, uptime(row)), 0);
    return changed(need.intent, ["sla", "availabilityPercent"], to, {
      path: "sla.availability",
      from: `${need.intent.sla.availabilityPercent}%`,
      to: `${to}%`,
    });
  },
};

const identity = (value: number): number => value;

/** Energy, security, performance and compliance: each a trait the offer must state. */
export const policyConstraints: readonly ConstraintSpec[] = [
  availability,
  carbon,
  renewable,
  numberConstraint({
    name: "energy.energy_efficiency_rating",
    column: "efficiencyRating",
    bound: "max",
    stated: ({ constraints }) =>
      constraints.energy.efficiencyRating === undefined
        ? undefined
        : ratingRank(constraints.energy.efficiencyRating),
    field: ["constraints", "energy", "efficiencyRating"],
    path: "constraints.energy.energy_efficiency_rating",
    write: (rank) => "ABCDEF"[rank - 1] ?? null,
  }),
  numberConstraint({
    name: "energy.power_usage_effectiveness",
    column: "pue",
    bound: "max",
    stated: (intent) => intent.constraints.energy.maxPue,
    field: ["constraints", "energy", "maxPue"],
    path: "constraints.energy.power_usage_effectiveness",
    write: identity,
  }),
  flag("energy", "green_certified_only", "greenCertifiedOnly", "green"),
  isolation,
  flag("security", "vpn_access", "vpnAccess", "vpn"),
  flag("security", "bastion_host", "bastionHost", "bastion"),
  flag("security", "intrusion_detection", "intrusionDetection", "intrusionDetection"),
  flag("security", "vulnerability_scanning", "vulnerabilityScanning", "vulnerabilityScanning"),
  numberConstraint({
    name: "performance.min_network_bandwidth",
    column: "bandwidthGbps",
    bound: "min",
    stated: (intent) => intent.constraints.performance.minNetworkBandwidthGbps,
    field: ["constraints", "performance", "minNetworkBandwidthGbps"],
    path: "constraints.performance.min_network_bandwidth",
    write: (value) => `${value}Gbps`,
  }),
  numberConstraint({
    name: "performance.max_jitter_ms",
    column: "jitterMs",
    bound: "max",
    stated: (intent) => intent.constraints.performance.maxJitterMs,
    field: ["constraints", "performance", "maxJitterMs"],
    path: "constraints.performance.max_jitter_ms",
    write: identity,
  }),
  numberConstraint({
    name: "performance.min_uptime_percent",
    column: "uptimePercent",
    bound: "min",
    stated: (intent) => intent.constraints.performance.minUptimePercent,
    field: ["constraints", "performance", "minUptimePercent"],
    path: "constraints.performance.min_uptime_percent",
    write: identity,
  }),
  numberConstraint({
    name: "performance.max_cold_start_time",
    column: "coldStartSeconds",
    bound: "max",
    stated: (intent) => intent.constraints.performance.maxColdStartSeconds,
    field: ["constraints", "performance", "maxColdStartSeconds"],
    path: "constraints.performance.max_cold_start_time",
    write: (value) => `${value}s`,
  }),
  certifications,
  flag("compliance", "encryption_at_rest", "encryptionAtRest", "encryptionAtRest"),
  flag("compliance", "encryption_in_transit", "encryptionInTransit", "encryptionInTransit"),
  flag("compliance", "audit_logging", "auditLogging", "auditLogging"),
  flag("compliance", "gdpr_compliant", "gdpr", "gdpr"),
  flag("compliance", "hipaa_compliant", "hipaa", "hipaa"),
];
