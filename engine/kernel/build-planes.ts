import { type Keying, keyingOf, keyOf } from "./keys.ts";
import type { Block } from "./memory.ts";
import type { Planes } from "./numeric-forms.ts";
import type { StoreHost } from "./numeric-store.ts";
import { firstKey, rankOf, type Splits, splitsOf } from "./splits.ts";

const TILE = 1024;

/** Bytes per row of what tells rows of one code apart. */
export const valueBytes = ({ keying }: Planes): number => (keying.kind === "double" ? 8 : 2);

/** Lays a column out in planes; `exact` holds its values, NaN for rows without one. */
export function buildPlanes(host: StoreHost, exact: Float64Array): Planes {
  const { memory, capacity } = host;
  const keys = memory.allocate(capacity * 8);
  const view = memory.f64.subarray(keys.at >> 3, (keys.at >> 3) + capacity);
  let keying = keyingOf(exact, capacity);
  const fill = (): void => {
    for (let row = 0; row < capacity; row++) {
      const value = exact[row]!;
      view[row] = Number.isNaN(value) ? value : keyOf(keying, value);
    }
  };
  fill();
  let splits = splitsOf(view, keying);
  if (splits === null) {
    keying = { kind: "double" };
    fill();
    splits = splitsOf(view, keying)!;
  }
  const form = encode(host, exact, keying, keys, splits);
  memory.free(keys);
  return form;
}

function encode(
  host: StoreHost,
  exact: Float64Array,
  keying: Keying,
  keys: Block,
  { splits, first }: Splits,
): Planes {
  const { memory, capacity } = host;
  const bits = Math.max(1, 32 - Math.clz32(splits.length));
  const planes = memory.allocate((capacity / 8) * bits);
  const codes = memory.allocate(capacity * 2);
  const list = memory.allocate(splits.length * 8);
  memory.f64.set(splits, list.at >> 3);
  host.encode(keys.at, capacity / TILE, list.at, splits.length, planes.at, bits, codes.at);
  const size = splits.length + 1;
  const form: Planes = {
    kind: "planes",
    keying,
    bits,
    splits,
    first,
    lowest: new Float64Array(size).fill(Infinity),
    highest: new Float64Array(size).fill(-Infinity),
    counts: new Uint32Array(size),
    below: new Uint32Array(size + 1),
    belowVersion: -1,
    changes: 0,
    planes,
    values: null,
  };
  const { f64, u16 } = memory;
  for (let row = 0; row < capacity; row++) {
    const key = f64[(keys.at >> 3) + row]!;
    if (Number.isNaN(key)) continue;
    const code = u16[(codes.at >> 1) + row]!;
    form.counts[code]!++;
    if (key < form.lowest[code]!) form.lowest[code] = key;
    if (key > form.highest[code]!) form.highest[code] = key;
  }
  memory.free(list);
  memory.free(codes);
  if (form.counts.some((_, code) => form.lowest[code]! < form.highest[code]!))
    form.values = valuesOf(host, exact, form);
  return form;
}

/** What tells rows of one code apart. */
export function valuesOf({ memory, capacity }: StoreHost, exact: Float64Array, form: Planes): Block {
  const block = memory.allocate(capacity * valueBytes(form));
  if (form.keying.kind === "double") {
    memory.f64.set(exact, block.at >> 3);
    return block;
  }
  const { u16 } = memory;
  for (let row = 0; row < capacity; row++) {
    const value = exact[row]!;
    if (Number.isNaN(value)) continue;
    const key = keyOf(form.keying, value);
    u16[(block.at >> 1) + row] = key - firstKey(form, rankOf(form.splits, key));
  }
  return block;
}
