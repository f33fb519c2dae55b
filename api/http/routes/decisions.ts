import { z } from "@hono/zod-openapi";
import { formatTime } from "../../../engine/model/time.ts";
import type { DecisionRow } from "../../store/schema.ts";
import { ApiError } from "../problem.ts";
import { count, queried, word } from "../query.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { anyObject, decisionSchema, pageOf } from "../shapes.ts";
import { notFound } from "./intents.ts";

const showRow = ({ intent_id, plan_id, at_ms, document }: DecisionRow): object => ({
  intent_id,
  plan_id,
  decided_at: formatTime(at_ms),
  ...(JSON.parse(document) as object),
});

/** Decisions of an intent that exists, newest first. */
async function decisionsOf({ tenant, param }: TenantScope, limit: number): Promise<readonly DecisionRow[]> {
  const id = param("id");
  const rows = await tenant.decisions(id, limit);
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
    answers: { 200: { description: "The last decision", schema: decisionSchema } },
    async handle(scope) {
      const [last] = await decisionsOf(scope, 1);
      if (last === undefined) throw new ApiError("NOT_FOUND", "nothing was decided about this intent yet");
      return json(200, showRow(last));
    },
  },
  {
    method: "get",
    path: "/intents/{id}/decisions",
    permission: "intents:read",
    summary: "All decisions about an intent, newest first",
    answers: { 200: { description: "Decisions", schema: pageOf("decisions", decisionSchema) } },
    ...queried(z.object({ limit: count(1, 100) }), async (scope, { limit = 20 }) => {
      const rows = await decisionsOf(scope, limit);
      return json(200, { decisions: rows.map(showRow), next_cursor: null });
    }),
  },
  {
    method: "get",
    path: "/intents/{id}/replay",
    permission: "admin:*",
    summary: "The recorded inputs of a decision: everything it takes to make it again",
    description: "Holds intents of other tenants that were decided together with this one.",
    answers: { 200: { description: "Inputs, solver answers and catalog", schema: anyObject } },
    ...queried(
      z.object({ plan: word.describe("One of the intent's plans; default the last.") }),
      async (scope, query) => {
        const rows = await decisionsOf(scope, 100);
        const row = query.plan === undefined ? rows[0] : rows.find(({ plan_id }) => plan_id === query.plan);
        const recorded = row === undefined ? null : await scope.env.store.system.plan(row.plan_id);
        if (recorded === null) throw new ApiError("NOT_FOUND", "no such plan is recorded for this intent");
        const { plan, catalogDocument } = recorded;
        return json(200, {
          plan_id: plan.id,
          at: formatTime(plan.at_ms),
          engine: plan.engine,
          inputs: JSON.parse(plan.inputs),
          answers: JSON.parse(plan.answers),
          catalog_hash: plan.catalog_hash,
          catalog: JSON.parse(catalogDocument),
        });
      },
    ),
  },
];
