import * as z from "zod";
import type { Constraints, Sla, Weights, Workload } from "../../engine/model/intent.ts";
import type { Money } from "../../engine/model/money.ts";
import { priorities } from "./choices.ts";
import { choice, stated, whole } from "./field.ts";
import { constraintsSchema } from "./intent-constraints.ts";
import { workloadSchema } from "./intent-workload.ts";
import { durationLeaf, moneyLeaf, percentLeaf, timeLeaf, wordLeaf } from "./leaf.ts";

const weight = z.number().min(0).optional();
const priorityAccepts = `a whole number from 0 to 1000, or one of ${Object.keys(priorities).join(", ")}`;

const schema = z.strictObject({
  intent: z.strictObject({
    objective: choice("intent.objective").describe("What to optimize."),
    tenant: wordLeaf
      .optional()
      .describe("Whose quota and share; from the token, `default` on the command line."),
    priority: z
      .union([whole().min(0).max(1000), z.enum(Object.keys(priorities) as [string, ...string[]])], {
        error: () => priorityAccepts,
      })
      .optional()
      .describe("Higher first: 0 to 1000 or a name; default normal (500)."),
    bid: z
      .strictObject({ max_price_per_gpu_hour: moneyLeaf.describe("Highest price per GPU and hour.") })
      .optional()
      .describe("Sealed bid for contended capacity."),
    weights: z
      .strictObject({
        cost: weight.describe("Weight of cost."),
        performance: weight.describe("Weight of speed."),
        latency: weight.describe("Weight of latency."),
        energy: weight.describe("Weight of energy."),
      })
      .refine((weights) => Object.values(weights).some((value) => (value ?? 0) > 0), {
        error: () => "at least one weight above 0",
      })
      .optional()
      .describe("Replaces the objective's weights."),
    workload: workloadSchema.describe("What runs."),
    constraints: constraintsSchema.optional().describe("What the place must satisfy."),
    sla: z
      .strictObject({
        availability: percentLeaf
          .optional()
          .describe("Availability wanted; a hint unless offers state their uptime."),
        max_interruption_time: durationLeaf.optional().describe("Longest interruption accepted."),
        backup_strategy: choice<NonNullable<Sla["backupStrategy"]>>("intent.sla.backup_strategy")
          .optional()
          .describe("Default none."),
      })
      .optional()
      .describe("Service level."),
    submitted_at: timeLeaf.optional().describe("When a service accepted the intent."),
  }),
});

type Parsed = z.output<typeof schema>["intent"];

/** The canonical form, read: an intent but for what depends on the caller. */
export interface IntentDocument {
  readonly objective: string;
  readonly tenant?: string;
  readonly priority: number;
  readonly weights?: Weights;
  readonly bidPerGpuHour?: Money;
  readonly workload: Workload;
  readonly constraints: Constraints;
  readonly sla: Sla;
  readonly submittedAt?: string;
}

function toDocument(intent: Parsed): IntentDocument {
  const { priority, sla, weights } = intent;
  return {
    objective: intent.objective,
    priority: typeof priority === "string" ? (priorities[priority] ?? 500) : (priority ?? 500),
    workload: intent.workload,
    constraints: intent.constraints ?? constraintsSchema.parse({}),
    sla: stated({
      availabilityPercent: sla?.availability,
      maxInterruptionSeconds: sla?.max_interruption_time,
      backupStrategy: sla?.backup_strategy,
    }),
    ...stated({
      tenant: intent.tenant,
      bidPerGpuHour: intent.bid?.max_price_per_gpu_hour,
      submittedAt: intent.submitted_at,
      weights:
        weights === undefined
          ? undefined
          : {
              cost: weights.cost ?? 0,
              performance: weights.performance ?? 0,
              latency: weights.latency ?? 0,
              energy: weights.energy ?? 0,
            },
    }),
  };
}

/** The canonical JSON form of an intent, `{"intent": {...}}`: documented field names, one spelling each. */
export const intentSchema: z.ZodType<IntentDocument> = schema.transform((document) =>
  toDocument(document.intent),
);
