import { migGeometry, slicesOf } from "../../catalog/mig.ts";
import type { Predicate } from "../../kernel/query.ts";
import { allowsSpot, type Intent } from "../../model/intent.ts";
import { flavorOf } from "../catalog.ts";
import {
  capabilityText,
  changed,
  choiceConstraint,
  flagConstraint,
  numberConstraint,
  quantityOfMib,
} from "./forms.ts";
import { partsIn } from "./parts.ts";
import { bitmapOf, bitmapOfOffers, type ConstraintSpec, frees, type Scope, withField } from "./spec.ts";

const gpuField = (name: string): readonly string[] => ["workload", "resources", "gpu", name];
const gpuPath = (name: string): string => `workload.resources.gpu.${name}`;
const identity = (value: number): number => value;

const atLeast = (
  json: string,
  column: Parameters<typeof numberConstraint>[0]["column"],
  field:
    | "memoryMibMin"
    | "coresMin"
    | "clockMhzMin"
    | "computeCapabilityMin"
    | "fp32TflopsMin"
    | "multiGpuEfficiencyMin",
  write: (value: number) => string | number = identity,
): ConstraintSpec =>
  numberConstraint({
    name: `gpu.${json}`,
    column,
    bound: "min",
    stated: (intent) => intent.workload.resources.gpu[field],
    field: gpuField(field),
    path: gpuPath(json),
    write,
  });

const atMost = (
  json: string,
  column: Parameters<typeof numberConstraint>[0]["column"],
  field: "memoryMibMax" | "coresMax",
  write: (value: number) => string | number = identity,
): ConstraintSpec =>
  numberConstraint({
    name: `gpu.${json}`,
    column,
    bound: "max",
    stated: (intent) => intent.workload.resources.gpu[field],
    field: gpuField(field),
    path: gpuPath(json),
    write,
  });

/** nvswitch connects at least as well as nvlink, so it satisfies it. */
const satisfies = (wanted: string, offered: string): boolean =>
  offered === wanted || (wanted === "nvlink" && offered === "nvswitch");

const exact = (json: "tier" | "architecture" | "interconnect" | "topology" | "vendor"): ConstraintSpec =>
  choiceConstraint({
    name: `gpu.${json}`,
    dictionary: json,
    accepts: (intent) => {
      const wanted = intent.workload.resources.gpu[json];
      return wanted === undefined ? null : (flavor) => satisfies(wanted, flavor.gpu[json] ?? "");
    },
    admit: (intent, flavor) => {
      const from = intent.workload.resources.gpu[json] ?? null;
      const to = flavor.gpu[json];
      return changed(intent, gpuField(json), to, { path: gpuPath(json), from, to: to ?? "any" });
    },
  });

/** Rows with less than `wanted` once a plan frees capacity by evictions: the column alone does not tell then. */
function room(
  { catalog, usage }: Pick<Scope, "catalog" | "usage">,
  column: "gpusFree" | "cpuMilliFree" | "memoryMibFree" | "podsFree",
  field: "gpus" | "cpuMilli" | "memoryMib" | "pods",
  wanted: number,
  unknown: "fail" | "pass" = "fail",
): Predicate {
  const free = catalog.columns.at(column);
  const { count, flavor } = catalog.options;
  const failed = bitmapOf(count, (row) => {
    const used = usage.get(flavor[row]!);
    if (used !== undefined && used.gpus > 0 && !flavorOf(catalog, row).divisible) return true;
    return Number.isNaN(free(row)) ? unknown === "fail" : free(row) - (used?.[field] ?? 0) < wanted;
  });
  return unknown === "pass"
    ? { kind: "bitmap", failed }
    : { kind: "bitmap", failed, unknown: bitmapOf(count, (row) => Number.isNaN(free(row))) };
}

/** Offers without room for the parts of GPUs that one offer must host. */
function partsPredicate(scope: Scope): Predicate {
  const { catalog, need, usage } = scope;
  const failed = bitmapOf(catalog.options.count, (row) => {
    const used = usage.get(catalog.options.flavor[row]!);
    if (used !== undefined && used.gpus > 0 && !flavorOf(catalog, row).divisible) return true;
    return partsIn(scope, row, need.perOffer).length < need.perOffer;
  });
  return { kind: "bitmap", failed };
}

/** MIG profiles only where the GPU's geometry has them. */
const migProfile: ConstraintSpec = {
  name: "gpu.mig_profile",
  predicates: ({ catalog, need }) => {
    const name = need.intent.workload.resources.gpu.migProfile;
    if (name === undefined) return null;
    const failed = bitmapOf(catalog.options.count, (row) => {
      const geometry = migGeometry(flavorOf(catalog, row).gpu);
      return geometry === null || slicesOf(geometry, name) === 0;
    });
    return [{ kind: "bitmap", failed }];
  },
  relax: () => null,
};

/** Free GPUs of an offer for this plan: what is free now less what the plan already gave away. */
const count: ConstraintSpec = {
  name: "gpu.count",
  predicates: (scope) => {
    const { catalog, need, usage, asIfFree } = scope;
    if (need.part !== undefined) return [partsPredicate(scope)];
    const wanted = need.gpus * need.perOffer;
    const free = catalog.columns.within(asIfFree ? "gpusTotal" : "gpusFree", {
      min: wanted,
      unknown: "fail",
    });
    if (usage.size === 0 || asIfFree) return [free];
    if (frees(usage)) return [room({ catalog, usage }, "gpusFree", "gpus", wanted)];
    const failed = bitmapOfOffers(catalog, usage.keys(), (offer, row) => {
      const used = usage.get(offer)!;
      const flavor = flavorOf(catalog, row);
      return (!flavor.divisible && used.gpus > 0) || flavor.capacity.gpusFree - used.gpus < wanted;
    });
    return [free, { kind: "bitmap", failed }];
  },
  relax: ({ catalog, need }, rows) => {
    if (need.part !== undefined) return null;
    const free = catalog.columns.at("gpusFree");
    const most = rows.reduce((best, row) => Math.max(best, free(row)), 0);
    const to = Math.floor(most / need.perOffer);
    if (to < 1) return null;
    return changed(need.intent, gpuField("count"), to, { path: gpuPath("count"), from: need.gpus, to });
  },
};

/** Spot offers only where the intent accepts interruptions, in either spelling (C-10). */
const preemptible: ConstraintSpec = {
  name: "preemptible",
  predicates: ({ catalog, need }) => (need.spotAllowed ? null : [catalog.columns.is("spot", 0)]),
  relax: ({ need }) =>
    allowsSpot(need.intent)
      ? null
      : changed(need.intent, ["constraints", "preemptible"], true, {
          path: "constraints.preemptible",
          from: false,
          to: true,
        }),
};

/** A catalogue family: the model itself or any variant of it. */
const model: ConstraintSpec = choiceConstraint({
  name: "gpu.model",
  dictionary: "model",
  accepts: ({ workload }: Intent) => {
    const wanted = workload.resources.gpu.model;
    return wanted === undefined
      ? null
      : (flavor) => flavor.gpu.model === wanted || flavor.gpu.families.includes(wanted);
  },
  admit: (intent, flavor) =>
    changed(intent, gpuField("model"), flavor.gpu.model, {
      path: gpuPath("model"),
      from: intent.workload.resources.gpu.model ?? null,
      to: flavor.gpu.model,
    }),
});

/** Constraints on the GPUs themselves. */
export const gpuConstraints: readonly ConstraintSpec[] = [
  count,
  model,
  atLeast("memory_min", "gpuMemoryMib", "memoryMibMin", quantityOfMib),
  atMost("memory_max", "gpuMemoryMib", "memoryMibMax", quantityOfMib),
  atLeast("cores_min", "cores", "coresMin"),
  atMost("cores_max", "cores", "coresMax"),
  atLeast("clock_speed_min", "clockMhz", "clockMhzMin", (mhz) => `${mhz}M`),
  atLeast("compute_capability", "computeCapability", "computeCapabilityMin", capabilityText),
  atLeast("fp32_tflops", "fp32Tflops", "fp32TflopsMin"),
  atLeast("multi_gpu_efficiency", "multiGpuEfficiency", "multiGpuEfficiencyMin"),
  exact("tier"),
  exact("architecture"),
  exact("interconnect"),
  exact("topology"),
  exact("vendor"),
  flagConstraint({
    name: "gpu.dedicated",
    column: "dedicated",
    required: (intent) => intent.workload.resources.gpu.dedicated,
    field: gpuField("dedicated"),
    path: gpuPath("dedicated"),
  }),
  flagConstraint({
    name: "gpu.multi_instance",
    column: "mig",
    required: ({ workload: { resources } }) =>
      resources.gpu.migProfile !== undefined || resources.gpu.multiInstance,
    field: gpuField("multiInstance"),
    path: gpuPath("multi_instance"),
  }),
  flagConstraint({
    name: "gpu.shared",
    column: "sharing",
    required: (intent) => (intent.workload.resources.gpu.fractionMilli === undefined ? undefined : true),
    field: gpuField("fractionMilli"),
    path: gpuPath("fraction"),
  }),
  migProfile,
  preemptible,
];

const hostConstraint = (
  name: "cpu" | "memory",
  column: "cpuMilliFree" | "memoryMibFree",
  field: "cpuMilli" | "memoryMib",
  write: (value: number) => string,
): ConstraintSpec => ({
  name,
  predicates: ({ catalog, need, usage, asIfFree }) => {
    const stated = need.intent.workload.resources[field];
    if (stated === undefined) return null;
    const wanted = stated * need.perOffer;
    if (asIfFree) {
      const { options } = catalog;
      const free = catalog.columns.at(column);
      const total = (row: number): number | undefined => flavorOf(catalog, row).capacity[field];
      const lacks = (row: number): boolean => !((total(row) ?? free(row)) >= wanted);
      return [{ kind: "bitmap", failed: bitmapOf(options.count, lacks) }];
    }
    if (frees(usage)) return [room({ catalog, usage }, column, field, wanted)];
    const free = catalog.columns.within(column, { min: wanted, unknown: "fail" });
    if (usage.size === 0) return [free];
    const values = catalog.columns.at(column);
    const failed = bitmapOfOffers(
      catalog,
      usage.keys(),
      (offer, row) => values(row) - usage.get(offer)![field] < wanted,
    );
    return [free, { kind: "bitmap", failed }];
  },
  relax: ({ catalog, need }, rows) => {
    const values = catalog.columns.at(column);
    const known = rows.map(values).filter((value) => !Number.isNaN(value));
    const from = need.intent.workload.resources[field];
    const to = known.length === 0 ? undefined : Math.floor(Math.max(...known) / need.perOffer);
    return {
      intent: withField(need.intent, ["workload", "resources", field], to),
      change: {
        path: `workload.resources.${name}`,
        from: from === undefined ? null : write(from),
        to: to === undefined ? null : write(to),
      },
    };
  },
});

/** Places for pods on the host, one per replica. Nobody states it, so nobody can change it. */
const pods: ConstraintSpec = {
  name: "offer.pods",
  predicates: ({ catalog, need, usage, asIfFree }) => {
    if (asIfFree) {
      const lacks = (row: number): boolean =>
        (flavorOf(catalog, row).capacity.pods ?? Infinity) < need.perOffer;
      return [{ kind: "bitmap", failed: bitmapOf(catalog.options.count, lacks) }];
    }
    if (frees(usage)) return [room({ catalog, usage }, "podsFree", "pods", need.perOffer, "pass")];
    const free = catalog.columns.within("podsFree", { min: need.perOffer, unknown: "pass" });
    if (usage.size === 0) return [free];
    const values = catalog.columns.at("podsFree");
    const failed = bitmapOfOffers(
      catalog,
      usage.keys(),
      (offer, row) => values(row) - usage.get(offer)!.pods < need.perOffer,
    );
    return [free, { kind: "bitmap", failed }];
  },
  relax: () => null,
};

/** CPU, memory and pods of the host, per replica. */
export const hostConstraints: readonly ConstraintSpec[] = [
  hostConstraint("cpu", "cpuMilliFree", "cpuMilli", (milli) =>
    milli % 1000 === 0 ? `${milli / 1000}` : `${milli}m`,
  ),
  hostConstraint("memory", "memoryMibFree", "memoryMib", quantityOfMib),
  pods,
];
