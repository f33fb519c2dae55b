import type { GpuFacts } from "./facts.ts";
import { type NodeHardware, onlyStated, pluginCount, wholeLabel } from "./node-facts.ts";

const label = "gpu.intel.com/";

/** Sum of `device-id.<class>-<id>.count` labels. */
function deviceCount(labels: Readonly<Record<string, string>>): number | undefined {
  const counts = Object.entries(labels)
    .filter(([key, text]) => /^gpu\.intel\.com\/device-id\..+\.count$/.test(key) && /^\d{1,6}$/.test(text))
    .map(([, text]) => Number(text));
  const sum = counts.reduce((total, count) => total + count, 0);
  return sum > 0 ? sum : undefined;
}

/**
 * Facts of a node labeled by the node feature rules of Intel's device plugins, or null for other nodes. They carry no
 * memory: the catalog knows it. The rules may match a family on a node with several kinds, so the product counts.
 *
 * @see https://github.com/intel/intel-device-plugins-for-kubernetes, deployments/nfd
 */
export function intelFacts(node: NodeHardware): GpuFacts | null {
  const { labels } = node;
  const product = labels[`${label}product`];
  const family = labels[`${label}family`];
  const count =
    wholeLabel(labels, `${label}device.count`, 1) ??
    deviceCount(labels) ??
    pluginCount(node, ["gpu.intel.com/xe", "gpu.intel.com/i915"]);
  if (product === undefined && family === undefined) return gaudiFacts(node);
  return {
    vendor: "intel",
    ...onlyStated({ product, count }),
    extensions: {},
    remarks: product === undefined ? [`family ${family} without a product: the model is not known`] : [],
  };
}

/** Gaudi accelerators are counted by their device plugin; which generation they are only an annotation can say. */
function gaudiFacts(node: NodeHardware): GpuFacts | null {
  const count = pluginCount(node, ["habana.ai/gaudi"]);
  return count === undefined
    ? null
    : {
        vendor: "intel",
        count,
        extensions: {},
        remarks: ["habana.ai/gaudi does not tell the generation: the model is not known"],
      };
}
