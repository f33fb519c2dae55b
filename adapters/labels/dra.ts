import * as z from "zod";
import { EngineError } from "../../engine/model/errors.ts";
import type { Warning } from "../../engine/model/intent.ts";
import { architectures, canonicalChoice } from "../json/choices.ts";
import { parseMebibytes } from "../kubernetes/quantity.ts";
import type { GpuFacts } from "./facts.ts";
import { onlyStated } from "./node-facts.ts";

/** An attribute value: one of its members is set. */
const attributeSchema = z.looseObject({
  string: z.string().optional(),
  version: z.string().optional(),
  int: z.number().optional(),
  bool: z.boolean().optional(),
});
const capacitySchema = z.union([z.looseObject({ value: z.coerce.string() }), z.coerce.string()]);
const bodySchema = z.looseObject({
  attributes: z.record(z.string(), attributeSchema).optional(),
  capacity: z.record(z.string(), capacitySchema).optional(),
  taints: z.array(z.looseObject({ effect: z.string() })).optional(),
});
const deviceSchema = bodySchema.extend({ name: z.string(), basic: bodySchema.optional() });

const sliceSchema = z.looseObject({
  apiVersion: z.string().regex(/^resource\.k8s\.io\//),
  kind: z.literal("ResourceSlice"),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    driver: z.string(),
    nodeName: z.string().optional(),
    pool: z.looseObject({ name: z.string(), generation: z.number(), resourceSliceCount: z.number() }),
    devices: z.array(deviceSchema).optional(),
  }),
});

type Slice = z.output<typeof sliceSchema>["spec"];
type Device = z.output<typeof deviceSchema>;

/** Drivers that publish GPUs, by vendor. */
const vendorByDriver: Readonly<Record<string, string>> = {
  "gpu.nvidia.com": "nvidia",
  "gpu.amd.com": "amd",
  "gpu.intel.com": "intel",
};

/** What devices say about the GPUs of each node. */
export interface SliceFacts {
  readonly byNode: ReadonlyMap<string, GpuFacts>;
  readonly warnings: readonly Warning[];
}

/** One device, attributes by their plain names: both `productName` and `gpu.nvidia.com/productName` occur. */
function plainDevice(device: Device, driver: string) {
  const body = device.basic ?? device;
  const plain = <T>(members: Readonly<Record<string, T>> | undefined): Record<string, T> =>
    Object.fromEntries(
      Object.entries(members ?? {})
        .map(([key, value]): [string, T] => [
          key.startsWith(`${driver}/`) ? key.slice(driver.length + 1) : key,
          value,
        ])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  const capacity = plain(body.capacity)["memory"];
  return {
    attributes: plain(body.attributes),
    memory: typeof capacity === "object" ? (capacity["value"] as string) : capacity,
    withheld: (body.taints ?? []).some(({ effect }) => effect === "NoSchedule" || effect === "NoExecute"),
  };
}

type PlainDevice = ReturnType<typeof plainDevice>;

const textOf = (device: PlainDevice, ...names: readonly string[]): string | undefined => {
  for (const name of names) {
    const value = device.attributes[name];
    const text = value?.string ?? value?.version;
    if (text !== undefined) return text;
  }
  return undefined;
};

/** Whole GPUs, not their partitions: drivers that distinguish say so in `type`. */
function isWholeGpu(device: PlainDevice): boolean {
  const type = textOf(device, "type");
  return type === undefined || type === "gpu" || type === "amdgpu";
}

function memoryOf(device: PlainDevice): number | undefined {
  if (device.memory === undefined) return undefined;
  try {
    return parseMebibytes(device.memory, "down");
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

const productOf = (device: PlainDevice): string => textOf(device, "productName", "model") ?? "";

/** Facts of the devices of one node and driver; of the most frequent model where there are several. */
function factsOf(devices: readonly PlainDevice[], vendor: string): GpuFacts | null {
  const groups = new Map<string, PlainDevice[]>();
  for (const device of devices)
    groups.set(productOf(device), [...(groups.get(productOf(device)) ?? []), device]);
  const [first, ...others] = [...groups].sort(
    ([a, left], [b, right]) => right.length - left.length || (a < b ? -1 : 1),
  );
  const sample = first?.[1][0];
  if (first === undefined || sample === undefined) return null;
  const usable = first[1].filter(({ withheld }) => !withheld).length;
  const capability = /^(\d+)\.(\d+)/.exec(textOf(sample, "cudaComputeCapability") ?? "");
  const architecture = textOf(sample, "architecture")?.replaceAll(" ", "-");
  return {
    vendor,
    ...onlyStated({
      product: first[0] === "" ? undefined : first[0],
      count: usable,
      memoryMib: memoryOf(sample),
      architecture:
        architecture === undefined ? undefined : (canonicalChoice(architectures, architecture) ?? undefined),
      computeCapability: capability === null ? undefined : `${capability[1]}.${capability[2]}`,
    }),
    extensions: onlyStated({
      [`${vendor}.fluidos.eu/driver-version`]:
        vendor === "intel" ? undefined : textOf(sample, "driverVersion"),
      "nvidia.fluidos.eu/cuda-version": textOf(sample, "cudaDriverVersion"),
    }) as Record<string, string>,
    remarks: [
      ...(others.length > 0
        ? [`the node has ${groups.size} kinds of GPUs; the most frequent one is described`]
        : []),
      ...(usable < first[1].length ? [`${first[1].length - usable} tainted GPUs are not counted`] : []),
    ],
  };
}

/** The slices of the newest generation of each pool, pools that are not complete left out and named. */
function completePools(slices: readonly Slice[], warnings: Warning[]): Slice[] {
  const pools = new Map<string, Slice[]>();
  for (const slice of slices) {
    const key = `${slice.driver}/${slice.pool.name}`;
    pools.set(key, [...(pools.get(key) ?? []), slice]);
  }
  return [...pools]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, list]) => {
      const newest = Math.max(...list.map(({ pool }) => pool.generation));
      const current = list.filter(({ pool }) => pool.generation === newest);
      const expected = current[0]?.pool.resourceSliceCount ?? 0;
      if (current.length === expected) return current;
      warnings.push({
        path: `pool ${key}`,
        code: "skipped",
        message: `generation ${newest} has ${current.length} of ${expected} slices: its devices are ignored`,
      });
      return [];
    });
}

/**
 * Facts from DRA ResourceSlices (`resource.k8s.io`, any version), by node name. Counts the whole GPUs of the newest
 * complete generation of each pool that are not tainted. Slices of other drivers are passed over; what is no slice is
 * named in a warning.
 *
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
 */
export function readResourceSlices(documents: readonly unknown[]): SliceFacts {
  const warnings: Warning[] = [];
  const slices = documents.flatMap((document, index): Slice[] => {
    const parsed = sliceSchema.safeParse(document);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      warnings.push({
        path: `slices[${index}]`,
        code: "skipped",
        message: `no ResourceSlice: ${issue?.path.join(".")}: ${issue?.message}`,
      });
      return [];
    }
    return parsed.data.spec.driver in vendorByDriver ? [parsed.data.spec] : [];
  });
  const devices = new Map<string, Map<string, PlainDevice[]>>();
  for (const slice of completePools(slices, warnings)) {
    if (slice.nodeName === undefined) continue;
    const byVendor = devices.get(slice.nodeName) ?? new Map<string, PlainDevice[]>();
    devices.set(slice.nodeName, byVendor);
    const vendor = vendorByDriver[slice.driver] ?? "";
    const own = (slice.devices ?? []).map((device) => plainDevice(device, slice.driver)).filter(isWholeGpu);
    byVendor.set(vendor, [...(byVendor.get(vendor) ?? []), ...own]);
  }
  const byNode = new Map<string, GpuFacts>();
  for (const [node, byVendor] of devices) {
    const [most] = [...byVendor]
      .map(([vendor, list]) => factsOf(list, vendor))
      .filter((facts) => facts !== null)
      .sort((a, b) => (b.count ?? 0) - (a.count ?? 0) || (a.vendor < b.vendor ? -1 : 1));
    if (most !== undefined) byNode.set(node, most);
  }
  return { byNode, warnings };
}
