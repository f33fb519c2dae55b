import { forgeDecision, type JsonObject } from "../../adapters/json/decision.ts";
import type { Decision } from "../../engine/model/decision.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { IntentRow } from "../store/schema.ts";

/** The canonical intent of a row, under the row's id: names are unique per tenant only. */
export function intentOf(row: Pick<IntentRow, "spec">): Intent {
  return JSON.parse(row.spec) as Intent;
}

/** One decision as the API shows it: under the name that the user gave. */
export function showDecision(decision: Decision, name: string, currency: string): JsonObject {
  return { ...forgeDecision(decision, currency), name };
}
