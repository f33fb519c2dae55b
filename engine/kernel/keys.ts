/**
 * Order-preserving integers in place of a column's values, so that a value is its code's first key plus a small
 * remainder. Found per column: the coarsest decimal grid all values lie on (GPUs, MiB, micro-units and anything with up
 * to six decimals), else the order of 32-bit floats, else none: the values themselves.
 */
export type Keying =
  | { readonly kind: "grid"; readonly scale: number }
  | { readonly kind: "float32" }
  | { readonly kind: "double" };

const scales = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000] as const;
/** Keys stay exact integers and so do their differences. */
const LARGEST = 4_503_599_627_370_496;

const onGrid = (value: number, scale: number): boolean => {
  const key = Math.round(value * scale);
  return key / scale === value && Math.abs(key) <= LARGEST;
};

/** The keying that holds all known values exactly. */
export function keyingOf(values: Float64Array, rows: number): Keying {
  for (const scale of scales) {
    let row = 0;
    while (row < rows && (Number.isNaN(values[row]!) || onGrid(values[row]!, scale))) row++;
    if (row === rows) return { kind: "grid", scale };
  }
  let row = 0;
  while (row < rows && (Number.isNaN(values[row]!) || Math.fround(values[row]!) === values[row])) row++;
  return row === rows ? { kind: "float32" } : { kind: "double" };
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** Floats of one sign order like their bits; negative ones the other way round. Both zeros are one key. */
function orderOf(value: number): number {
  float[0] = value + 0;
  const raw = bits[0]!;
  return raw < 0 ? -(raw & 0x7fffffff) : raw;
}

function ofOrder(order: number): number {
  bits[0] = order < 0 ? -order | 0x80000000 : order;
  return float[0]!;
}

/** The key of a known value; NaN when the keying does not hold it exactly. */
export function keyOf(keying: Keying, value: number): number {
  switch (keying.kind) {
    case "grid":
      return onGrid(value, keying.scale) ? Math.round(value * keying.scale) : Number.NaN;
    case "float32":
      return Math.fround(value) === value ? orderOf(value) : Number.NaN;
    case "double":
      return value;
  }
}

const valueOfKey = (keying: Keying, key: number): number => {
  if (keying.kind === "grid") return key / keying.scale;
  return keying.kind === "float32" ? ofOrder(key) : key;
};

/** The smallest key whose value is at least `bound`. */
export function leastKey(keying: Keying, bound: number): number {
  if (keying.kind === "double" || !Number.isFinite(bound)) return bound;
  if (Math.abs(bound) > 3e38 && keying.kind === "float32") return bound > 0 ? Infinity : -Infinity;
  let key = keying.kind === "grid" ? Math.ceil(bound * keying.scale) : orderOf(Math.fround(bound));
  if (Math.abs(key) > LARGEST) return bound > 0 ? Infinity : -Infinity;
  while (valueOfKey(keying, key) < bound) key++;
  while (valueOfKey(keying, key - 1) >= bound) key--;
  return key;
}

/** The largest key whose value is at most `bound`. */
export function mostKey(keying: Keying, bound: number): number {
  return -leastKey(keying, -bound);
}
