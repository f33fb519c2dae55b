import { formatMebibytes, formatMegahertz } from "../kubernetes/quantity.ts";
import {
  type Annotation,
  boolean,
  flag,
  fraction,
  gpu,
  into,
  positive,
  text,
  wholeNumber,
  word,
} from "./annotation.ts";
import { architectures, interconnects, sharingStrategies, tiers, topologies, vendors } from "./choices.ts";
import { formatCapability } from "./leaf.ts";

/** Annotations about the GPUs themselves. */
export const hardware: readonly Annotation[] = [
  {
    key: `${gpu}vendor`,
    aliases: [],
    form: { kind: "choice", choice: vendors },
    description: "Maker of the GPUs. Without it, the model's own.",
    store: into("gpu", "vendor"),
    tell: (flavor) => flavor.gpu.vendor,
  },
  {
    key: `${gpu}model`,
    aliases: [],
    form: word,
    required: true,
    description:
      "Model with its vendor, lower case, hyphenated; unprefixed names of known models are accepted.",
    store: into("gpu", "model"),
    tell: (flavor) => flavor.gpu.model,
  },
  {
    key: `${gpu}count`,
    aliases: [],
    form: { kind: "number", min: 1, max: 1e6, whole: true },
    required: true,
    description: "GPUs of the node.",
    store: (draft, value) => {
      draft.count = value;
    },
    tell: (flavor) => text(flavor.capacity.gpus),
  },
  {
    key: `${gpu}memory-per-gpu`,
    aliases: [`${gpu}memory`],
    form: { kind: "bytes" },
    description: "Memory of one GPU, a quantity in Gi.",
    store: into("gpu", "memoryMib"),
    tell: (flavor) =>
      flavor.gpu.memoryMib === undefined ? undefined : formatMebibytes(flavor.gpu.memoryMib),
  },
  {
    key: `${gpu}tier`,
    aliases: [],
    form: { kind: "choice", choice: tiers },
    description: "Market tier; wins over the catalog's.",
    store: into("gpu", "tier"),
    tell: (flavor) => flavor.gpu.tier,
  },
  {
    key: `${gpu}architecture`,
    aliases: [],
    form: { kind: "choice", choice: architectures },
    description: "GPU architecture.",
    store: into("gpu", "architecture"),
    tell: (flavor) => flavor.gpu.architecture,
  },
  {
    key: `${gpu}interconnect`,
    aliases: [],
    form: { kind: "choice", choice: interconnects },
    description: "Link between the GPUs of the node.",
    store: into("gpu", "interconnect"),
    tell: (flavor) => flavor.gpu.interconnect,
  },
  {
    key: `${gpu}interconnect-bandwidth-gbps`,
    aliases: [`${gpu}interconnect-bandwidth`],
    form: positive,
    description:
      "Bandwidth of that link in Gbit/s. From 300 on it is taken for GB/s, since links are sold that way.",
    store: (draft, value: number) => {
      draft.gpu.interconnectBandwidth ??= value >= 300 ? value : value / 8;
    },
    tell: (flavor) => {
      const { interconnectBandwidth: bandwidth } = flavor.gpu;
      if (bandwidth === undefined) return undefined;
      if (bandwidth >= 300) return text(bandwidth);
      return bandwidth * 8 < 300 ? text(bandwidth * 8) : undefined;
    },
  },
  {
    key: `${gpu}interconnect-gbytes-per-second`,
    aliases: [],
    form: positive,
    ours: true,
    description: "Bandwidth of that link in GB/s, without guessing; wins over the one above.",
    store: into("gpu", "interconnectBandwidth"),
    tell: (flavor) => text(flavor.gpu.interconnectBandwidth),
  },
  {
    key: `${gpu}topology`,
    aliases: [],
    form: { kind: "choice", choice: topologies },
    description: "Shape of the links; DGX and HGX are nvswitch, custom states nothing.",
    store: into("gpu", "topology"),
    tell: (flavor) => flavor.gpu.topology,
  },
  {
    key: `${gpu}multi-gpu-efficiency`,
    aliases: [],
    form: fraction,
    description: "Scaling efficiency over several GPUs, 0 to 1.",
    store: into("gpu", "multiGpuEfficiency"),
    tell: (flavor) => text(flavor.gpu.multiGpuEfficiency),
  },
  {
    key: `${gpu}cores`,
    aliases: [],
    form: wholeNumber,
    description: "Cores of one GPU (CUDA cores, or compute units where the vendor counts those).",
    store: into("gpu", "cores"),
    tell: (flavor) => text(flavor.gpu.cores),
  },
  {
    key: `${gpu}compute-capability`,
    aliases: ["nvidia.fluidos.eu/compute-capability", "amd.fluidos.eu/compute-capability"],
    form: { kind: "capability" },
    description: "Compute capability, major.minor.",
    store: into("gpu", "computeCapability"),
    tell: (flavor) =>
      flavor.gpu.computeCapability === undefined ? undefined : formatCapability(flavor.gpu.computeCapability),
  },
  {
    key: `${gpu}clock-speed`,
    aliases: [],
    form: { kind: "frequency" },
    description: "Clock in Hz, a quantity such as 1.98G.",
    store: into("gpu", "clockMhz"),
    tell: (flavor) => (flavor.gpu.clockMhz === undefined ? undefined : formatMegahertz(flavor.gpu.clockMhz)),
  },
  {
    key: `${gpu}fp32-tflops`,
    aliases: [],
    form: positive,
    description: "FP32 TFLOPS of one GPU.",
    store: into("gpu", "fp32Tflops"),
    tell: (flavor) => text(flavor.gpu.fp32Tflops),
  },
  {
    key: `${gpu}sharing-capable`,
    aliases: [`${gpu}shared`],
    description: "Several workloads may share one GPU.",
    ...flag("gpu", "sharing"),
  },
  {
    key: `${gpu}sharing-strategy`,
    aliases: [],
    form: { kind: "choice", choice: sharingStrategies },
    description: "How they share it; mig also says that the GPUs are MIG-capable.",
    store: (draft, value: "none" | "mig") => {
      draft.gpu.sharingStrategy = value;
      if (value === "mig") draft.gpu.migCapable = true;
    },
    tell: (flavor) => flavor.gpu.sharingStrategy,
  },
  {
    key: "nvidia.fluidos.eu/mig-capable",
    aliases: [`${gpu}multi-instance`],
    form: boolean,
    description: "The GPUs can be partitioned; one source that says so is enough.",
    store: (draft, value: boolean) => {
      draft.gpu.migCapable = value || draft.gpu.migCapable === true;
    },
    tell: (flavor) => text(flavor.gpu.migCapable),
  },
  {
    key: `${gpu}dedicated`,
    aliases: [],
    description: "The GPUs serve one tenant only.",
    ...flag("gpu", "dedicated"),
  },
  {
    key: `${gpu}divisible`,
    aliases: [],
    form: boolean,
    ours: true,
    description: "Any number of the GPUs can be bought; otherwise the node is sold and charged whole.",
    store: (draft, value) => {
      draft.divisible = value;
    },
    tell: (flavor) => text(flavor.divisible),
  },
];
