import { flavorOf } from "../catalog.ts";
import { type DevicePart, pickParts } from "../devices.ts";
import type { Scope } from "./spec.ts";

/** Devices of a row's offer for up to `most` parts of the need, after what the plan already gave away. */
export function partsIn({ catalog, need, usage, asIfFree }: Scope, row: number, most: number): DevicePart[] {
  const flavor = flavorOf(catalog, row);
  const used = usage.get(catalog.options.flavor[row]!);
  return pickParts(
    {
      flavor,
      part: need.part!,
      taken: used?.parts ?? [],
      wholeLeft: (asIfFree ? flavor.capacity.gpus : flavor.capacity.gpusFree) - (used?.gpus ?? 0),
      asIfFree,
    },
    most,
  );
}
