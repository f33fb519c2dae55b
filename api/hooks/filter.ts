import { phases } from "../control/lifecycle.ts";

/** Every kind of event there is. */
export const eventKinds: readonly string[] = [
  ...phases.map((phase) => `intent.${phase}`),
  "intent.amended",
  "intent.cancelling",
  "intent.still_waiting",
  "webhook.disabled",
];

/** What a webhook may ask for: everything, everything about one sort of thing, or one kind. */
export const eventFilters: readonly string[] = ["*", "intent.*", "webhook.*", ...eventKinds];

/** True when one of the filters lets events of this kind through. */
export function isWanted(filters: readonly string[], kind: string): boolean {
  return filters.some((one) => one === "*" || one === kind || one === `${kind.split(".")[0]}.*`);
}
