import { z } from "@hono/zod-openapi";
import { readIntent } from "../../../adapters/json/intent.ts";
import { joinPath } from "../../../adapters/json/notes.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { showDecision } from "../../control/documents.ts";
import { type Phase, phases, type Status, statusOf } from "../../control/lifecycle.ts";
import { type Body, readBody } from "../body.ts";
import { answeredEarlier, checkMatch, idempotencyOf, mismatch, replay, tagOf } from "../condition.ts";
import { costOf, type Estimate, estimateOf, refusal } from "../judge.ts";
import { isLabelKey, isLabelValue, splitLabels } from "../labels.ts";
import { ApiError } from "../problem.ts";
import { flag, paging, queried, time, word, words } from "../query.ts";
import { json, type Route, type TenantScope } from "../route.ts";
import { acceptedSchema, intentSchema, pageOf, summarySchema } from "../shapes.ts";
import { showIntent, showRate, showRateText, showSummary, showTime } from "../show.ts";

/** Notes on one intent that are kept; a document that earns more is not worth keeping. */
const MOST_WARNINGS = 200;
/** Most entries of one list: regions, providers, ports, environment. */
const MOST_ENTRIES = 1000;
/** Most replicas or tasks of one intent. */
const MOST_REPLICAS = 10_000;
/** Units of a caller's rate that a decision costs. */
export const DECISION_UNITS = 25;

/** What every route says about an intent that this tenant does not have. */
export const notFound = (): ApiError => new ApiError("NOT_FOUND", "there is no such intent");

/** Refuses lists that are longer than anybody means, before each entry of them is read, found wrong and told of. */
function checkLists(value: unknown, path: string): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value) && value.length > MOST_ENTRIES) {
    const message = `found ${value.length} entries; accepted: at most ${MOST_ENTRIES}`;
    throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
      problems: [{ path, code: "out_of_range", message }],
    });
  }
  const inner = Array.isArray(value)
    ? value.map((entry, index) => [index, entry] as const)
    : Object.entries(value);
  for (const [key, member] of inner) checkLists(member, joinPath(path, key));
}

/**
 * The intent of a body, for the tenant alone.
 *
 * @throws {ApiError} 400
 */
export function acceptable(document: unknown, tenant: string, strict: boolean): Intent {
  checkLists(document, "");
  const intent = readIntent(splitLabels(document).rest, { strict, tenant });
  if (intent.warnings.length > MOST_WARNINGS)
    throw new ApiError("INVALID_FORMAT", `more than ${MOST_WARNINGS} fields are unknown or without effect`);
  const { scaling, batch } = intent.workload;
  const wanted = {
    "intent.workload.scaling.min_replicas": scaling?.minReplicas,
    "intent.workload.batch.parallel_tasks": batch?.parallelTasks,
  };
  for (const [path, count] of Object.entries(wanted))
    if (count !== undefined && count > MOST_REPLICAS) {
      const message = `found ${count}; accepted: at most ${MOST_REPLICAS}`;
      throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
        problems: [{ path, code: "out_of_range", message }],
      });
    }
  return intent;
}

const acceptedBody = (intent: Intent, id: string | null, estimate: Estimate) => ({
  intent_id: id,
  status: "pending",
  phase: "queued",
  message: "Intent received and processing",
  estimated_cost: estimate.costMicro === null ? null : showRateText(estimate.costMicro, estimate.currency),
  estimated_start_time: showTime(estimate.startMs),
  cost: estimate.costMicro === null ? null : showRate(estimate.costMicro, estimate.currency),
  warnings: intent.warnings,
});

/** Decides against the federation as it is and stores nothing. */
async function tryOut(
  scope: TenantScope,
  intent: Intent,
  options: { readonly tradeoffs: boolean; readonly planB: boolean },
): Promise<Response> {
  const { planner, env } = scope;
  scope.charge(DECISION_UNITS * (options.planB ? 2 : 1));
  const { decisions, snapshot } = await planner.consider([intent], {
    tradeoffs: options.tradeoffs,
    planB: options.planB,
  });
  const [decision] = decisions;
  if (decision === undefined) throw new Error("an intent was not decided");
  const shown = showDecision(decision, intent.name, snapshot.currency);
  if (decision.outcome === "refused") throw refusal(decision, intent, snapshot, { decision: shown });
  const startMs = decision.outcome === "placed" ? env.clock.wallMs() : null;
  return json(200, {
    ...acceptedBody(intent, null, estimateOf(decision, snapshot.currency, startMs)),
    ...(decision.expectedStart === undefined ? {} : { estimated_start_time: decision.expectedStart }),
    message: "Dry run: nothing was stored",
    decision: shown,
    total_cost_per_hour: costOf(decision) / 1_000_000,
  });
}

async function submit(
  scope: TenantScope,
  body: Body,
  choices: {
    readonly strict: boolean;
    readonly dryRun: boolean;
    readonly tradeoffs: boolean;
    readonly planB: boolean;
  },
): Promise<Response> {
  const { env, http, tenant, tenantId, control, tools } = scope;
  const act = scope.act();
  const idempotency = idempotencyOf(http, "POST /intents", body.hash, act.atMs);
  const intent = acceptable(body.document, tenantId, choices.strict);
  if (choices.dryRun) return tryOut(scope, intent, choices);
  let estimate = tools.judge.known(intent);
  if (estimate === null) {
    const earlier = await answeredEarlier(scope, idempotency, act.atMs);
    if (earlier !== null) return earlier;
    estimate = await tools.judge.judge(intent, () => scope.charge(DECISION_UNITS));
  }
  const id = env.ids.next("int");
  const answer = acceptedBody(intent, id, estimate);
  const response = JSON.stringify(answer);
  const accepted = await tenant.acceptIntent({
    ...act,
    ...(idempotency === null ? {} : { idempotency }),
    id,
    name: intent.name,
    kind: intent.workload.type,
    priority: intent.priority,
    document: body.text,
    spec: JSON.stringify({ ...intent, name: id, submittedAt: formatTime(act.atMs) }),
    message: answer.message,
    labels: splitLabels(body.document).labels,
    answer: { status: 202, response },
  });
  if (accepted.kind === "mismatch") throw mismatch();
  if (accepted.kind === "name_taken")
    throw new ApiError("CONFLICT", `intent ${accepted.id} of this name has not ended`, {
      extra: { intent_id: accepted.id },
    });
  if (accepted.kind === "replayed") return replay(accepted);
  control.wake();
  return new Response(response, {
    status: 202,
    headers: { "content-type": "application/json", location: `/api/v1/intents/${id}` },
  });
}

const statuses: readonly Status[] = ["pending", "running", "completed", "failed", "cancelled"];

/** Phases that both filters allow; undefined: all. */
function phasesOf(
  asked: readonly Phase[] | undefined,
  status: readonly Status[] | undefined,
): readonly Phase[] | undefined {
  if (asked === undefined && status === undefined) return undefined;
  return (asked ?? phases).filter((phase) => status === undefined || status.includes(statusOf(phase)));
}

const PAGE = 50;

const labelQuery = z
  .string()
  .transform((text, context) => {
    const at = text.indexOf("=");
    const [key, value] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    if (at > 0 && isLabelKey(key) && isLabelValue(value)) return { key, value };
    context.addIssue({ code: "custom", message: "accepted: key=value" });
    return z.NEVER;
  })
  .optional()
  .openapi({
    type: "string",
    pattern:
      "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?=([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$",
    description: "A label, key=value.",
  });

/** Intents: submit, list, read, cancel. */
export const intentRoutes: readonly Route[] = [
  {
    method: "post",
    path: "/intents",
    permission: "intents:write",
    summary: "Submit an intent",
    description:
      "202 comes after the intent is on disk. `dry_run` decides against the federation as it is, stores nothing and answers 200. An intent that nothing known will ever satisfy is refused with suggestions, each of which was tried.",
    body: { $ref: "#/components/schemas/Intent" },
    headers: {
      "Idempotency-Key":
        "The same key with the same body is the same intent, and the same answer, for 24 hours.",
    },
    answers: {
      200: { description: "Dry run: what would be decided", schema: acceptedSchema },
      202: { description: "Stored durably; it will be placed", schema: acceptedSchema },
      402: { description: "Nothing fits below the cost limit" },
      409: { description: "The name is taken, or nothing known will ever fit" },
      422: { description: "The Idempotency-Key was used with another body" },
    },
    ...queried(
      z.object({
        strict: flag.describe("Unknown fields are errors instead of warnings."),
        dry_run: flag.describe("Decide and store nothing."),
        tradeoffs: flag.describe("With dry_run: add the cheapest, fastest, closest and greenest options."),
        plan_b: flag.describe("With dry_run: add where it would go if a provider it is placed at died."),
      }),
      async (scope, { strict = false, dry_run: dryRun = false, tradeoffs = false, plan_b: planB = false }) =>
        submit(scope, await readBody(scope.http), { strict, dryRun, tradeoffs, planB }),
    ),
  },
  {
    method: "get",
    path: "/intents",
    permission: "intents:read",
    summary: "List intents, newest first, ended ones included",
    answers: { 200: { description: "One page", schema: pageOf("intents", summarySchema) } },
    ...queried(
      z.object({
        ...paging,
        status: words(statuses),
        phase: words(phases),
        since: time.describe("Accepted at this time or later."),
        until: time.describe("Accepted before this time."),
        name: word.describe("The workload's name."),
        label: labelQuery,
        compat: z.literal("flare").optional().describe("Adds the list under the original's key `tokens`."),
      }),
      async (
        { tenant, tenantId, tools },
        { limit = PAGE, cursor, status, phase, since, until, name, label, compat },
      ) => {
        const wanted = phasesOf(phase, status);
        const rows = await tenant.intents({
          ...(wanted === undefined ? {} : { phases: wanted }),
          ...(since === undefined ? {} : { sinceMs: since }),
          ...(until === undefined ? {} : { untilMs: until }),
          ...(name === undefined ? {} : { name }),
          ...(label === undefined ? {} : { label }),
          ...(cursor === undefined ? {} : { before: await tools.cursors.read(tenantId, "intents", cursor) }),
          limit: limit + 1,
        });
        const page = rows.slice(0, limit);
        const last = page.at(-1);
        const intents = page.map(showSummary);
        return json(200, {
          intents,
          ...(compat === undefined ? {} : { tokens: intents }),
          next_cursor:
            rows.length > limit && last !== undefined
              ? await tools.cursors.make(tenantId, "intents", last.id)
              : null,
        });
      },
    ),
  },
  {
    method: "get",
    path: "/intents/{id}",
    aliases: ["/intents/{id}/status"],
    permission: "intents:read",
    summary: "Where an intent stands, what it holds and costs",
    answers: { 200: { description: "The intent", schema: intentSchema } },
    async handle({ tenant, env, param }) {
      const view = await tenant.intent(param("id"));
      if (view === null) throw notFound();
      return json(200, showIntent(view, env.clock.wallMs()), { etag: tagOf(view.intent.version) });
    },
  },
  {
    method: "delete",
    path: "/intents/{id}",
    permission: "intents:delete",
    summary: "Cancel an intent and release everything it holds; repeated, it changes nothing",
    headers: { "If-Match": "Cancel only this version." },
    answers: {
      202: { description: "It ends", schema: summarySchema },
      412: { description: "It has another version by now" },
    },
    async handle({ tenant, act, param, control, http }) {
      const id = param("id");
      const wanted = http.req.header("if-match")?.trim() ?? "*";
      const cancel = (version?: number) =>
        tenant.cancelIntent({ ...act(), id, ...(version === undefined ? {} : { version }) });
      const view = wanted === "*" ? null : await tenant.intent(id);
      if (wanted !== "*" && view === null) throw notFound();
      if (view !== null) checkMatch(http, view.intent.version);
      let result = await cancel(view?.intent.version);
      // the version by now may be another one that the caller named
      while (result.kind === "version_differs") {
        checkMatch(http, result.intent.version);
        result = await cancel(result.intent.version);
      }
      if (result.kind === "not_found") throw notFound();
      control.wake();
      return json(202, showSummary(result.intent), { etag: tagOf(result.intent.version) });
    },
  },
];
