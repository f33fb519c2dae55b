import { type Flavor, isOfClass } from "../model/flavor.ts";
import { convert } from "../model/money.ts";
import { moneyResource, type Resource } from "../model/quota.ts";
import type { Holding, Snapshot } from "../model/snapshot.ts";

/** GPUs in one offer and their list price. */
export interface Part {
  /** Undefined where the offer has left the catalogue: then only `*` counts it. */
  readonly flavor: Flavor | undefined;
  readonly gpus: number;
  /** Micro-units per hour at list price, in the snapshot's currency. */
  readonly micro: number;
}

/** What parts count for each of these resources; resources they do not touch are absent. */
export function amountsOf(resources: readonly Resource[], parts: readonly Part[]): Map<Resource, number> {
  const amounts = new Map<Resource, number>();
  for (const resource of resources) {
    let amount = 0;
    for (const { flavor, gpus, micro } of parts)
      if (resource === moneyResource) amount += micro;
      else if (resource === "*" || (flavor !== undefined && isOfClass(flavor, resource))) amount += gpus;
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

/** What a holding counts. */
export function partOf(snapshot: Snapshot, holding: Holding, flavor: Flavor | undefined): Part {
  const { gpus, spot } = holding;
  return {
    flavor,
    gpus,
    micro: flavor === undefined ? 0 : listMicro(snapshot, flavor, gpus, spot ?? false),
  };
}
