import { expect } from "vitest";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { plan, prepare } from "../../engine/index.ts";
import type { Decision } from "../../engine/model/decision.ts";

/** An offer that states as little as possible: the catalogs know neither its model nor its region. */
const bare = {
  "provider.fluidos.eu/name": "p",
  "gpu.fluidos.eu/model": "custom-x1",
  "gpu.fluidos.eu/count": "4",
  "location.fluidos.eu/region": "nowhere-1",
  "cost.fluidos.eu/hourly-rate": "4",
};

/** An offer as a document: annotations over those of the bare offer, other fields as they are. */
export interface Offer {
  readonly id?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** One annotation. */
export const states = (key: string, text: string): Offer => ({ annotations: { [`${key}`]: text } });

/** What a test may change: members of the intent by dotted path, members of the snapshot. */
export interface Scenario {
  readonly intent?: Readonly<Record<string, unknown>>;
  readonly offers?: readonly Offer[];
  readonly snapshot?: Readonly<Record<string, unknown>>;
}

/** The time of every scenario: a Tuesday, ten o'clock in UTC. */
export const now = "2026-11-24T10:00:00Z";

/** A service of one GPU, cost first, with values at dotted paths below `intent`. */
export function intentDocument(values: Readonly<Record<string, unknown>>): { readonly intent: object } {
  const intent: Record<string, unknown> = {
    objective: "Cost_Minimization",
    workload: { type: "service", name: "i", image: "x", resources: { gpu: {} } },
  };
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split(".");
    let target = intent;
    for (const key of keys.slice(0, -1)) {
      target[key] ??= {};
      target = target[key] as Record<string, unknown>;
    }
    target[keys.at(-1)!] = structuredClone(value);
  }
  return { intent };
}

/** The decision on one intent, from documents as users write them through the real pipeline. */
export async function decideOn({ intent = {}, offers = [{}], snapshot = {} }: Scenario): Promise<Decision> {
  const federation = readSnapshot({
    at: now,
    currency: "EUR",
    hub: { latitude: 50, longitude: 8 },
    offers: offers.map(({ annotations, ...fields }, index) => ({
      id: `o${index}`,
      annotations: { ...bare, ...annotations },
      ...fields,
    })),
    ...snapshot,
  });
  expect(federation.skipped).toEqual([]);
  const { decisions } = await plan(prepare(federation), [readIntent(intentDocument(intent))]);
  return decisions[0]!;
}

/** The same for one field of the intent and one offer. */
export function decide(
  path: string,
  value: unknown,
  offer: Offer,
  base: Readonly<Record<string, unknown>> = {},
): Promise<Decision> {
  return decideOn({ intent: { ...base, [path]: value }, offers: [offer] });
}
