import { heldMilli, partMilli, partOfNeed } from "../compile/devices.ts";
import { type Flavor, isOfClass } from "../model/flavor.ts";
import { convert } from "../model/money.ts";
import { moneyResource, type Resource } from "../model/quota.ts";
import type { Holding, Snapshot } from "../model/snapshot.ts";

/** GPUs in one offer and their list price. */
export interface Part {
  /** Undefined where the offer has left the catalogue: then only `*` counts it. */
  readonly flavor: Flavor | undefined;
  /** Thousandths of GPUs. */
  readonly milli: number;
  /** Micro-units per hour at list price, in the snapshot's currency. */
  readonly micro: number;
}

/** What parts count for each of these resources, GPUs in thousandths; resources they do not touch are absent. */
export function amountsOf(resources: readonly Resource[], parts: readonly Part[]): Map<Resource, number> {
  const amounts = new Map<Resource, number>();
  for (const resource of resources) {
    let amount = 0;
    for (const { flavor, milli, micro } of parts)
      if (resource === moneyResource) amount += micro;
      else if (resource === "*" || (flavor !== undefined && isOfClass(flavor, resource))) amount += milli;
    if (amount > 0) amounts.set(resource, amount);
  }
  return amounts;
}

/** List price of GPUs in an offer, micro-units per hour: pro rata where it is divisible, else the whole offer. */
export function listMicro(
  { currency, rates }: Pick<Snapshot, "currency" | "rates">,
  flavor: Flavor,
  gpus: number,
  spot: boolean,
): number {
  const { onDemand, spot: spotPrice, basis } = flavor.price;
  const money = (spot ? spotPrice : onDemand) ?? onDemand ?? spotPrice;
  const price = money === undefined ? null : convert(money, currency, rates);
  if (price === null) return 0;
  const all = flavor.capacity.gpus;
  if (!flavor.divisible) return basis === "gpu" ? price * all : price;
  return (basis === "gpu" ? price : Math.ceil(price / all)) * gpus;
}

/** List price of a holding, micro-units per hour; parts of GPUs pro rata and rounded up, 0 where its offer is gone. */
export function heldMicro(
  snapshot: Pick<Snapshot, "currency" | "rates">,
  holding: Holding,
  flavor: Flavor | undefined,
): number {
  if (flavor === undefined) return 0;
  const { gpus, spot = false } = holding;
  const part = partOfNeed(holding);
  if (part === undefined || !flavor.divisible) return listMicro(snapshot, flavor, gpus, spot);
  return Math.ceil((listMicro(snapshot, flavor, 1, spot) * partMilli(part, flavor)) / 1000) * gpus;
}

/** What a holding counts. */
export function partOf(
  snapshot: Pick<Snapshot, "currency" | "rates">,
  holding: Holding,
  flavor: Flavor | undefined,
): Part {
  const part = partOfNeed(holding);
  return {
    flavor,
    milli: heldMilli({ gpus: 1, part }, holding.gpus, flavor),
    micro: heldMicro(snapshot, holding, flavor),
  };
}
