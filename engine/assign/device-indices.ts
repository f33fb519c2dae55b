import { flavorOf } from "../compile/catalog.ts";
import { type DevicePart, wholeDevices } from "../compile/devices.ts";
import type { Share } from "./replicas.ts";
import type { Served } from "./serve.ts";

/** Parts that are given away in a plan, by offer index. */
function partsByOffer(served: readonly Served[]): Map<number, DevicePart[]> {
  const parts = new Map<number, DevicePart[]>();
  for (const { scope, result } of served)
    for (const share of result.shares) {
      const offer = scope.catalog.options.flavor[share.candidate.row]!;
      if (share.parts !== undefined) parts.set(offer, [...(parts.get(offer) ?? []), ...share.parts]);
    }
  return parts;
}

/**
 * The shares of a settled plan with device indices per replica, where the offers list devices: parts have theirs
 * already, whole GPUs get the first ones that are wholly free and that no part has opened. An offer whose list is too
 * short (work that makes way frees devices nobody can name) gives none.
 */
export function withDevices(served: readonly Served[]): Served[] {
  const parts = partsByOffer(served);
  const left = new Map<number, number[]>();
  const devicesOf = ({ scope: { catalog, need } }: Served, share: Share): readonly number[][] | undefined => {
    const flavor = flavorOf(catalog, share.candidate.row);
    if (flavor.capacity.devices === undefined) return undefined;
    if (share.parts !== undefined) return share.parts.map(({ device }) => [device]);
    const offer = catalog.options.flavor[share.candidate.row]!;
    const free = left.get(offer) ?? wholeDevices(flavor, parts.get(offer) ?? []);
    const wanted = need.gpus * share.replicas;
    if (free.length < wanted) return undefined;
    left.set(offer, free.slice(wanted));
    return Array.from({ length: share.replicas }, (_, replica) =>
      free.slice(replica * need.gpus, (replica + 1) * need.gpus),
    );
  };
  return served.map((one) => ({
    ...one,
    result: {
      ...one.result,
      shares: one.result.shares.map((share) => {
        const devices = devicesOf(one, share);
        return devices === undefined ? share : { ...share, devices };
      }),
    },
  }));
}
