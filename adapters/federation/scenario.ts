import * as z from "zod";
import { readShape } from "../json/read-shape.ts";

/** Whose offers are meant; an absent part means all. */
export interface Target {
  readonly provider?: string | undefined;
  readonly offer?: string | undefined;
}

/** The calls that can go wrong. */
export type FaultyCall = "reserve" | "purchase" | "peer" | "deploy" | "release";

/** A call that goes wrong: refused, not arrived, or done with its answer lost. */
export interface Fault extends Target {
  readonly on: FaultyCall;
  readonly fault: "refuse" | "unavailable" | "answer_lost";
  readonly code?: "capacity" | "price_changed" | "offer_gone" | "provider_refused" | undefined;
  /** Only this many calls; absent: all. */
  readonly times?: number | undefined;
  /** Only every n-th matching call. */
  readonly every?: number | undefined;
  readonly from_ms?: number | undefined;
  readonly until_ms?: number | undefined;
}

/** Something that happens at a time. */
export type ScenarioEvent = Target & { readonly at_ms: number } & (
    | { readonly kind: "price"; readonly factor: number }
    | { readonly kind: "interrupt" | "fail" }
    | { readonly kind: "outage"; readonly until_ms: number }
    | { readonly kind: "rival"; readonly offer: string; readonly gpus: number; readonly until_ms: number }
  );

/** What goes wrong in an in-process federation, and when; all times count from its start. */
export interface Scenario {
  readonly delays?:
    | {
        readonly peering_ms?: number | undefined;
        readonly deploying_ms?: number | undefined;
        readonly reservation_ms?: number | undefined;
      }
    | undefined;
  readonly faults?: readonly Fault[] | undefined;
  readonly events?: readonly ScenarioEvent[] | undefined;
}

const code = z.enum(["capacity", "price_changed", "offer_gone", "provider_refused"]);
const milliseconds = z.int().min(0);
const target = {
  provider: z.string().optional().describe("Offers of this provider; absent: of all."),
  offer: z.string().optional().describe("This offer; absent: all."),
};

const faultSchema = z.strictObject({
  ...target,
  on: z.enum(["reserve", "purchase", "peer", "deploy", "release"]).describe("The call that goes wrong."),
  fault: z
    .enum(["refuse", "unavailable", "answer_lost"])
    .describe("The provider says no; cannot be reached; does it and the answer is lost."),
  code: code.optional().describe("Why it says no; default provider_refused."),
  times: z.int().min(1).optional().describe("Only this many calls; absent: all."),
  every: z.int().min(1).optional().describe("Only every n-th matching call; default 1."),
  from_ms: milliseconds.optional().describe("From then on, since the start."),
  until_ms: milliseconds.optional().describe("Until then."),
});

const eventSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("price").describe("Prices change; contracts keep theirs."),
    at_ms: milliseconds,
    ...target,
    factor: z.number().gt(0).max(100),
  }),
  z.strictObject({
    kind: z.literal("interrupt").describe("Spot capacity is taken back."),
    at_ms: milliseconds,
    ...target,
  }),
  z.strictObject({
    kind: z.literal("fail").describe("What runs there is lost."),
    at_ms: milliseconds,
    ...target,
  }),
  z.strictObject({
    kind: z.literal("outage").describe("What runs there is lost, and nothing is sold until then."),
    at_ms: milliseconds,
    ...target,
    until_ms: milliseconds,
  }),
  z.strictObject({
    kind: z.literal("rival").describe("Somebody else takes GPUs until then."),
    at_ms: milliseconds,
    offer: z.string(),
    gpus: z.int().min(1),
    until_ms: milliseconds,
  }),
]);

const scenarioSchema: z.ZodType<Scenario> = z.strictObject({
  delays: z
    .strictObject({
      peering_ms: milliseconds.optional(),
      deploying_ms: milliseconds.optional(),
      reservation_ms: z.int().min(1).optional(),
    })
    .optional()
    .describe("How long the steps take."),
  faults: z.array(faultSchema).max(1000).optional(),
  events: z.array(eventSchema).max(10_000).optional(),
});

/** A scenario in which nothing goes wrong. */
export const calm: Scenario = {};

/**
 * Reads a scenario document.
 *
 * @throws {EngineError} with every problem and its path
 */
export const readScenario = (document: unknown): Scenario => readShape(scenarioSchema, document, "scenario");

/** What a fault or event is about. */
export interface Subject {
  readonly id: string;
  readonly provider: string;
}

/** True when a target names the offer, its provider, or nothing in particular. */
export function concerns({ offer, provider }: Target, subject: Subject): boolean {
  return (
    (offer === undefined || offer === subject.id) && (provider === undefined || provider === subject.provider)
  );
}

/** Draws the faults of a scenario: counted, so that the same calls in the same order go wrong. */
export function createFaults({
  faults = [],
}: Scenario): (call: FaultyCall, subject: Subject, sinceStartMs: number) => Fault | null {
  const seen = faults.map(() => 0);
  const drawn = faults.map(() => 0);
  return (call, subject, now) => {
    for (const [index, fault] of faults.entries()) {
      const isDue = now >= (fault.from_ms ?? 0) && now < (fault.until_ms ?? Number.POSITIVE_INFINITY);
      if (fault.on !== call || !isDue || !concerns(fault, subject)) continue;
      if ((drawn[index] ?? 0) >= (fault.times ?? Number.POSITIVE_INFINITY)) continue;
      const count = (seen[index] ?? 0) + 1;
      seen[index] = count;
      if (count % (fault.every ?? 1) !== 0) continue;
      drawn[index] = (drawn[index] ?? 0) + 1;
      return fault;
    }
    return null;
  };
}
