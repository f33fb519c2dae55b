import { z } from "@hono/zod-openapi";
import type { Intent, Warning } from "../../../engine/model/intent.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { intentOf } from "../../control/documents.ts";
import type { IntentRow } from "../../store/schema.ts";
import { readBody } from "../body.ts";
import { checkMatch, tagOf } from "../condition.ts";
import { amendDocument } from "../merge.ts";
import { ApiError } from "../problem.ts";
import { flag, queried } from "../query.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { amendedSchema, anyObject } from "../shapes.ts";
import { showSummary } from "../show.ts";
import { acceptable, DECISION_UNITS, notFound } from "./intents.ts";

/** Tries against writers that are faster, when the caller named no version. */
const MOST_TRIES = 5;

/** Everything of an intent that decides where it may run: all but its rank and what it is called. */
function placeOf({ constraints, workload, sla, objective, weights }: Intent): string {
  const { scaling, batch, resources } = workload;
  return JSON.stringify([constraints, scaling, batch, resources, sla, objective, weights]);
}

interface Amended {
  readonly row: IntentRow;
  readonly warnings: readonly Warning[];
}

async function amendOnce(scope: TenantScope, patch: unknown, strict: boolean): Promise<Amended | null> {
  const { tenant, tenantId, tools, http, param } = scope;
  const id = param("id");
  const view = await tenant.intent(id);
  if (view === null) throw notFound();
  const { intent: row } = view;
  checkMatch(http, row.version);
  const document = amendDocument(JSON.parse(row.document), patch);
  const after = acceptable(document, tenantId, strict);
  const text = JSON.stringify(document);
  // nothing changes: no version, no event, no new decision
  if (text === row.document && row.terminal_ms === null) return { row, warnings: after.warnings };
  const before = intentOf(row);
  if (tools.judge.known(after) === null) await tools.judge.judge(after, () => scope.charge(DECISION_UNITS));
  const result = await tenant.amendIntent({
    ...scope.act(),
    id,
    version: row.version,
    document: text,
    spec: JSON.stringify({
      ...after,
      name: id,
      submittedAt: before.submittedAt ?? formatTime(row.created_ms),
    }),
    priority: after.priority,
    replan: placeOf(after) !== placeOf(before),
  });
  if (result.kind === "not_found") throw notFound();
  if (result.kind === "ended")
    throw new ApiError("CONFLICT", `the intent is ${result.intent.phase}: it can no longer change`);
  return result.kind === "amended" ? { row: result.intent, warnings: after.warnings } : null;
}

async function amend(scope: TenantScope, strict: boolean): Promise<Response> {
  const { document: patch } = await readBody(scope.http);
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    const amended = await amendOnce(scope, patch, strict);
    if (amended === null) continue;
    const { row, warnings } = amended;
    scope.control.wake();
    return json(200, { ...showSummary(row), warnings }, { etag: tagOf(row.version) });
  }
  throw new ApiError("CONFLICT", "the intent changes faster than it can be amended; try again");
}

/** Intents: change what is wanted. */
export const amendRoutes: readonly Route[] = [
  {
    method: "patch",
    path: "/intents/{id}",
    permission: "intents:write",
    summary: "Change constraints, priority, scaling or bid; the intent is decided again",
    description:
      "A JSON merge patch (RFC 7396): null removes a field. A changed rank takes effect in place; everything else gives back what is held and places anew. A patch that changes nothing raises no version.",
    body: z.looseObject({ intent: anyObject.optional() }),
    headers: { "If-Match": "Change only this version." },
    answers: {
      200: { description: "The intent", schema: amendedSchema },
      402: { description: "Nothing fits below the new cost limit" },
      409: { description: "It has ended, or nothing known would ever fit" },
      412: { description: "It has another version by now" },
    },
    ...queried(
      z.object({ strict: flag.describe("Unknown fields are errors instead of warnings.") }),
      (scope, { strict = false }) => amend(scope, strict),
    ),
  },
];
