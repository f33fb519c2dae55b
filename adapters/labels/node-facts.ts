/** The part of a node that tells its GPUs: labels, and what the device plugin offers. */
export interface NodeHardware {
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

/** A label that is a whole number of at least `least`, or undefined. */
export function wholeLabel(
  labels: Readonly<Record<string, string>>,
  key: string,
  least = 0,
): number | undefined {
  const text = labels[key];
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least ? value : undefined;
}

/** Devices of an extended resource, in total: the first of the names that the node has. */
export function pluginCount(node: NodeHardware, resources: readonly string[]): number | undefined {
  for (const name of resources) {
    const text = node.capacity[name] ?? node.allocatable[name];
    if (text !== undefined && /^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  }
  return undefined;
}

/**
 * Counter labels `<prefix><value>=<count>`, most frequent value first, then by value: how several device labelers
 * write what the devices of a node have.
 */
export function counterLabels(
  labels: Readonly<Record<string, string>>,
  prefix: string,
): { readonly value: string; readonly count: number }[] {
  return Object.entries(labels)
    .filter(([key, text]) => key.startsWith(prefix) && /^[1-9]\d{0,8}$/.test(text))
    .map(([key, text]) => ({ value: key.slice(prefix.length), count: Number(text) }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
}

/** Keeps the members that are stated. */
export function onlyStated<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
