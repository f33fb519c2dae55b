import type { Flavor } from "../../engine/model/flavor.ts";
import type { Money } from "../../engine/model/money.ts";

const scaled = (money: Money | undefined, factor: number): Money | undefined =>
  money === undefined ? undefined : { ...money, micro: Math.round(money.micro * factor) };

/** An offer at other prices. */
export function repriced(offer: Flavor, factor: number): Flavor {
  const onDemand = scaled(offer.price.onDemand, factor);
  const spot = scaled(offer.price.spot, factor);
  return {
    ...offer,
    price: {
      ...offer.price,
      ...(onDemand === undefined ? {} : { onDemand }),
      ...(spot === undefined ? {} : { spot }),
    },
  };
}
