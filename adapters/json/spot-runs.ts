import * as z from "zod";
import type { Progress, SpotHistory } from "../../engine/model/snapshot.ts";
import { byText, stated, whole } from "./field.ts";
import { durationLeaf, timeLeaf, wordLeaf } from "./leaf.ts";
import { joinPath, type Notes, problem } from "./notes.ts";

const count = whole().min(0);

/** What was seen of an offer's spot capacity. */
export const spotHistorySchema: z.ZodType<{
  offer: string;
  hours: number;
  interruptions: number;
  last?: string | undefined;
  up_since?: string | undefined;
  down_hours?: number | undefined;
}> = z.strictObject({
  offer: wordLeaf.describe("Which offer's spot capacity."),
  hours: z.number().min(0).describe("Hours over which it was watched while in use."),
  interruptions: count.describe("Interruptions in these hours."),
  last: timeLeaf.optional().describe("The latest one: the same capacity is not bought again at once."),
  up_since: timeLeaf.optional().describe("Since when it is there without a break."),
  down_hours: z.number().min(0).optional().describe("Hours over which it was watched and not to be had."),
});

/** How far a batch is. */
export const progressSchema: z.ZodType<{
  intent: string;
  done: number;
  started?: string | undefined;
}> = z.strictObject({
  intent: wordLeaf.describe("A batch that runs, or waits to go on."),
  done: durationLeaf.describe("Of its estimated runtime: done, and kept by its last checkpoint."),
  started: timeLeaf.optional().describe("When it could first be run; default when it was submitted."),
});

/** Entries sorted by offer; undefined where the document has none. A second entry for an offer is a problem. */
export function toSpotHistory(
  list: readonly z.output<typeof spotHistorySchema>[] | undefined,
  notes: Notes,
): SpotHistory[] | undefined {
  if (list === undefined) return undefined;
  list.forEach(({ offer }, index) => {
    if (list.findIndex((other) => other.offer === offer) < index)
      notes.problems.push(
        problem(joinPath("spot_history", index), "duplicate_id", offer, "one entry per offer"),
      );
  });
  return list
    .map(({ offer, hours, interruptions, last, up_since, down_hours }) => ({
      offer,
      hours,
      interruptions,
      ...stated({ last, upSince: up_since, downHours: down_hours }),
    }))
    .sort((a, b) => byText(a.offer, b.offer));
}

/** Entries sorted by intent; undefined where the document has none. A second entry for an intent is a problem. */
export function toProgress(
  list: readonly z.output<typeof progressSchema>[] | undefined,
  notes: Notes,
): Progress[] | undefined {
  if (list === undefined) return undefined;
  list.forEach(({ intent }, index) => {
    if (list.findIndex((other) => other.intent === intent) < index)
      notes.problems.push(
        problem(joinPath("progress", index), "duplicate_id", intent, "one entry per intent"),
      );
  });
  return list
    .map(({ intent, done, started }) => ({ intent, doneSeconds: done, ...stated({ started }) }))
    .sort((a, b) => byText(a.intent, b.intent));
}
