import { gpuModels } from "../../engine/catalog/gpus.ts";
import type { GpuNeed, Intent } from "../../engine/model/intent.ts";
import { type KubernetesObject, labelValue, ownedLabel, ownLabels } from "../kubernetes/object.ts";
import { formatMebibytes, formatMegahertz, formatMilli } from "../kubernetes/quantity.ts";

/** Which FLUIDOS reads the Solver: upstream, or the fork that filters by GPU traits. */
export type SolverDialect = "main" | "fork";

export interface SolverOptions {
  readonly dialect: SolverDialect;
  /** CPU architecture that the image needs: `amd64`. */
  readonly architecture?: string;
  /** Who submitted the intent; its tenant when absent. */
  readonly user?: string;
}

/** One filter on a GPU trait, in the fork's syntax; it keeps one filter per field. */
interface GpuFilter {
  readonly field: string;
  readonly filter: "ResourceRangeSelector" | "StringFilter" | "StringRangeSelector" | "NumberRangeFilter";
  readonly data: Readonly<Record<string, string | number>>;
}

const atLeast = (field: string, min: string): GpuFilter => ({
  field,
  filter: "ResourceRangeSelector",
  data: { min },
});
const numberAtLeast = (field: string, min: number): GpuFilter => ({
  field,
  filter: "NumberRangeFilter",
  data: { min },
});
const exactly = (field: string, value: string): GpuFilter => ({
  field,
  filter: "StringFilter",
  data: { value },
});
/** Any of these texts, whatever their case: the fork compares letter by letter. */
const anyOf = (field: string, texts: readonly string[]): GpuFilter => ({
  field,
  filter: "StringRangeSelector",
  data: { regex: `^(?i:${texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})$` },
});

/** Every name a provider may give a model of a family: annotations are not canonical when FLUIDOS reads them. */
function familyNames(family: string): string[] {
  const members = gpuModels.filter(({ families }) => families.includes(family));
  const names = members.flatMap(({ name, aliases }) => [name, ...aliases]);
  return [...new Set([family, ...names].map((name) => name.toLowerCase()))].sort();
}

/** Links that satisfy a wanted one. */
const links: Readonly<Record<string, readonly string[]>> = { nvlink: ["nvlink", "nvswitch"] };

/**
 * GPU filters. The fork adds memory and cores up over the node, so the minimum per GPU is asked for as many GPUs as are
 * wanted: necessary, and checked exactly by the engine.
 */
function gpuFilters(gpu: GpuNeed): GpuFilter[] {
  const filters: (GpuFilter | undefined)[] = [
    numberAtLeast("count", gpu.count),
    gpu.vendor === undefined ? undefined : exactly("vendor", gpu.vendor),
    gpu.model === undefined ? undefined : anyOf("model", familyNames(gpu.model)),
    gpu.memoryMibMin === undefined
      ? undefined
      : atLeast("memory", formatMebibytes(gpu.memoryMibMin * gpu.count)),
    gpu.coresMin === undefined ? undefined : atLeast("cores", String(gpu.coresMin * gpu.count)),
    gpu.clockMhzMin === undefined ? undefined : atLeast("clock_speed", formatMegahertz(gpu.clockMhzMin)),
    gpu.fp32TflopsMin === undefined ? undefined : numberAtLeast("fp32_tflops", gpu.fp32TflopsMin),
    gpu.tier === undefined ? undefined : exactly("tier", gpu.tier),
    gpu.architecture === undefined ? undefined : exactly("architecture", gpu.architecture),
    gpu.interconnect === undefined
      ? undefined
      : anyOf("interconnect", links[gpu.interconnect] ?? [gpu.interconnect]),
    gpu.topology === undefined ? undefined : exactly("topology", gpu.topology),
  ];
  return filters.filter((filter) => filter !== undefined);
}

/** Filters on price, seller and network, which the fork keeps among the GPU traits. */
function offerFilters({ constraints }: Intent): GpuFilter[] {
  const { maxHourlyCost: cap, providers, performance } = constraints;
  const bandwidth = performance.minNetworkBandwidthGbps;
  return [
    // The fork knows no currency; its rates are in EUR.
    ...(cap === undefined || cap.currency !== "EUR"
      ? []
      : [
          {
            field: "hourly_rate",
            filter: "NumberRangeFilter",
            data: { max: cap.micro / 1_000_000 },
          } satisfies GpuFilter,
        ]),
    ...(providers.length === 0 ? [] : [anyOf("provider", providers)]),
    ...(bandwidth === undefined ? [] : [atLeast("network_bandwidth", String(bandwidth))]),
  ];
}

/** A quantity of a slice, at least this much. */
const range = (min: string): Record<string, unknown> => ({ name: "Range", data: { min } });

function forkFilters(intent: Intent, architecture: string | undefined): Record<string, unknown> {
  const { cpuMilli, memoryMib, gpu } = intent.workload.resources;
  return {
    ...(architecture === undefined
      ? {}
      : { architectureFilter: { name: "Match", data: { value: architecture } } }),
    ...(cpuMilli === undefined ? {} : { cpuFilter: range(formatMilli(cpuMilli)) }),
    ...(memoryMib === undefined ? {} : { memoryFilter: range(formatMebibytes(memoryMib)) }),
    podsFilter: range("1"),
    gpuFilters: [...gpuFilters(gpu), ...offerFilters(intent)],
  };
}

/** Whether a block of constraints states anything. */
function states(block: object): boolean {
  return Object.values(block).some((value) =>
    Array.isArray(value) ? value.length > 0 : value !== undefined,
  );
}

/**
 * Stated constraints that no filter can say: the engine checks them before it buys. Booleans are among them, since the
 * fork's boolean filter selects the opposite and its flavors leave false out; so are places, since it writes the zone
 * into the region.
 */
export function uncheckedByFluidos(intent: Intent, dialect: SolverDialect): string[] {
  const { constraints } = intent;
  const { gpu } = intent.workload.resources;
  const open: readonly (readonly [string, boolean])[] = [
    ["gpu.compute_capability", gpu.computeCapabilityMin !== undefined],
    ["gpu.memory_max", gpu.memoryMibMax !== undefined],
    ["gpu.cores_max", gpu.coresMax !== undefined],
    ["gpu.multi_gpu_efficiency", gpu.multiGpuEfficiencyMin !== undefined],
    ["gpu.dedicated", gpu.dedicated !== undefined],
    ["gpu.shared", gpu.shared !== undefined],
    ["gpu.multi_instance", gpu.multiInstance !== undefined],
    ["preemptible", constraints.preemptible !== undefined || gpu.interruptible !== undefined],
    ["location", constraints.locations.length > 0],
    ["availability_zone", constraints.availabilityZone !== undefined],
    ["max_latency_ms", constraints.maxLatencyMs !== undefined],
    ["max_total_cost", constraints.maxTotalCost !== undefined],
    [
      "max_hourly_cost",
      constraints.maxHourlyCost !== undefined && constraints.maxHourlyCost.currency !== "EUR",
    ],
    ["deadline", constraints.deadline !== undefined],
    ["spread", constraints.spread !== undefined],
    ["availability", constraints.availability !== undefined],
    ["energy", states(constraints.energy)],
    ["security", states(constraints.security)],
    ["compliance", states(constraints.compliance)],
    ["performance", states({ ...constraints.performance, minNetworkBandwidthGbps: undefined })],
  ];
  const never = open.filter(([, stated]) => stated).map(([name]) => name);
  if (dialect === "fork") return never;
  const filtered = [...gpuFilters(gpu), ...offerFilters(intent)].map(({ field }) => field);
  return [...filtered.map((field) => `filter ${field}`), ...never];
}

/**
 * The FLUIDOS Solver of an intent: advice to a FLUIDOS node, not the way the engine buys, since FLUIDOS takes the first
 * candidate that fits.
 *
 * For the fork it carries every filter that its parser applies, and lets FLUIDOS find, buy and peer. Upstream stores GPU
 * filters without applying them, and its providers answer filtered queries with other flavors than those that match:
 * there the Solver has no selector and only finds candidates, among which the engine then chooses.
 *
 * A storage filter is never written: either provider refuses it, and the whole discovery fails.
 */
export function forgeSolver(
  intent: Intent,
  { dialect, architecture, user }: SolverOptions,
): KubernetesObject {
  const id = ownedLabel(null, intent.tenant, intent.name);
  const isFork = dialect === "fork";
  const unchecked = uncheckedByFluidos(intent, dialect);
  return {
    apiVersion: "nodecore.fluidos.eu/v1alpha1",
    kind: "Solver",
    metadata: {
      name: ownedLabel("solver-intent", intent.tenant, intent.name),
      namespace: "fluidos",
      labels: {
        ...ownLabels(intent.tenant, intent.name),
        "flare.io/intent-id": id,
        "flare.io/user": labelValue(user ?? intent.tenant),
      },
      ...(unchecked.length === 0
        ? {}
        : { annotations: { "flare.io/checked-by-engine": unchecked.join(", ") } }),
    },
    spec: {
      ...(isFork ? { selector: { flavorType: "K8Slice", filters: forkFilters(intent, architecture) } } : {}),
      intentID: id,
      findCandidate: true,
      reserveAndBuy: isFork,
      establishPeering: isFork,
    },
  };
}
