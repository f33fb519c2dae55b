import { expect, test } from "vitest";
import { prepare } from "../../../engine/compile/catalog.ts";
import { plan } from "../../../engine/plan.ts";
import { eur, flavor, intent, snapshot } from "../builders.ts";

const pounds = { micro: 1_000_000_000, currency: "GBP" };

test.for(["maxHourlyCost", "maxTotalCost"] as const)(
  "%s in a currency without a rate is never dropped: nothing passes it, until the rate is known",
  async (cap) => {
    const offers = [flavor("a", { price: { basis: "node", onDemand: eur(1) } })];
    const wanted = intent({ constraints: { [cap]: pounds } });
    const decide = async (rates: Record<string, number>) => {
      const { decisions } = await plan(prepare(snapshot(offers, { rates })), [wanted]);
      return decisions[0];
    };
    expect(await decide({})).toMatchObject({ outcome: "refused", feasible: 0 });
    expect(await decide({ GBP: 1_150_000 })).toMatchObject({ outcome: "placed" });
  },
);
