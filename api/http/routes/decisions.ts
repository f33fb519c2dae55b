import { z } from "@hono/zod-openapi";
import { formatTime } from "../../../engine/model/time.ts";
import { readRecord, restore } from "../../control/plan-log.ts";
import type { DecisionRow } from "../../store/schema.ts";
import { ApiError } from "../problem.ts";
import { count, queried, word } from "../query.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { anyObject, decisionSchema, pageOf } from "../shapes.ts";
import { DECISION_UNITS, notFound } from "./intents.ts";

const showRow = (
  { intent_id, plan_id, at_ms, document }: DecisionRow,
  shown: object = JSON.parse(document) as object,
): object => ({ intent_id, plan_id, decided_at: formatTime(at_ms), ...shown });

const planQuery = z.object({ plan: word.describe("One of the intent's plans; default the last.") });

/** The decision that a plan made about an intent. */
async function decisionOf(scope: TenantScope, plan: string | undefined): Promise<DecisionRow> {
  const [row] = await decisionsOf(scope, 1, plan);
  if (row !== undefined) return row;
  const message =
    plan === undefined ? "nothing was decided about this intent yet" : "no such plan is recorded for it";
  throw new ApiError("NOT_FOUND", message);
}

/** Decisions of an intent that exists, newest first. */
async function decisionsOf(
  { tenant, param }: TenantScope,
  limit: number,
  plan?: string,
): Promise<readonly DecisionRow[]> {
  const id = param("id");
  const rows = await tenant.decisions(id, limit, plan);
  if (rows.length === 0 && (await tenant.intent(id)) === null) throw notFound();
  return rows;
}

/** Why it was decided that way. */
export const decisionRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/intents/{id}/decision",
    permission: "intents:read",
    summary: "Why it was decided that way: criteria, runners-up, rejections, counterfactuals",
    answers: { 200: { description: "The decision", schema: decisionSchema } },
    ...queried(planQuery, async (scope, query) => {
      const row = await decisionOf(scope, query.plan);
      const shown = await scope.tools.explainer.explained(row, () => scope.charge(DECISION_UNITS));
      return json(200, showRow(row, shown));
    }),
  },
  {
    method: "get",
    path: "/intents/{id}/decisions",
    permission: "intents:read",
    summary: "All decisions about an intent, newest first",
    description: "Without criteria, runners-up and counterfactuals: ask for one decision by its plan.",
    answers: { 200: { description: "Decisions", schema: pageOf("decisions", decisionSchema) } },
    ...queried(z.object({ limit: count(1, 100) }), async (scope, { limit = 20 }) => {
      const rows = await decisionsOf(scope, limit);
      return json(200, { decisions: rows.map((row) => showRow(row)), next_cursor: null });
    }),
  },
  {
    method: "get",
    path: "/intents/{id}/replay",
    permission: "admin:*",
    summary: "The recorded inputs of a decision: everything it takes to make it again",
    description: "Holds intents of other tenants that were decided together with this one.",
    answers: {
      200: { description: "The federation as it was, intents, options, solver answers", schema: anyObject },
    },
    ...queried(planQuery, async (scope, query) => {
      const { plan_id } = await decisionOf(scope, query.plan);
      const record = await readRecord(scope.env.store.system, plan_id);
      if (record === null) throw new ApiError("NOT_FOUND", "no such plan is recorded for this intent");
      const { snapshot, intents, options, answers } = restore(record);
      return json(200, {
        plan_id,
        at: formatTime(record.atMs),
        engine: record.engine,
        intents,
        options,
        answers,
        snapshot,
      });
    }),
  },
];
