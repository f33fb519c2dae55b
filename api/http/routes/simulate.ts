import { z } from "@hono/zod-openapi";
import { isRecord } from "../../../adapters/json/notes.ts";
import { readSnapshot } from "../../../adapters/json/snapshot.ts";
import { EngineError, type EngineErrorCode, type InputProblem } from "../../../engine/model/errors.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import type { Snapshot } from "../../../engine/model/snapshot.ts";
import { showDecision } from "../../control/documents.ts";
import { readBody } from "../body.ts";
import { costOf } from "../judge.ts";
import { ApiError } from "../problem.ts";
import { flag, queried } from "../query.ts";
import { json, type Route } from "../route.ts";
import { decisionSchema } from "../shapes.ts";
import { showRate } from "../show.ts";
import { acceptable, DECISION_UNITS } from "./intents.ts";

/** Most intents of one request. */
const MOST_INTENTS = 200;
/** How long a solver may take for a request that somebody waits for. */
const DEADLINE_MS = 2000;

const refuse = (path: string, message: string, code: EngineErrorCode = "invalid_format"): never => {
  throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
    problems: [{ path, code, message }],
  });
};

/** Reads a part of the body; the paths of its problems begin with where it is. */
function within<T>(base: string, read: () => T): T {
  const moved = (problems: readonly InputProblem[]): InputProblem[] =>
    problems.map((one) => ({ ...one, path: one.path === "" ? base : `${base}.${one.path}` }));
  try {
    return read();
  } catch (error) {
    if (error instanceof EngineError)
      throw new EngineError(error.code, `${base}: ${error.message}`, moved(error.problems));
    if (error instanceof ApiError)
      throw new ApiError(error.code, `${base}: ${error.message}`, {
        ...error.options,
        problems: moved(error.options.problems ?? []),
      });
    throw error;
  }
}

function readIntents(document: unknown, tenant: string, strict: boolean): Intent[] {
  if (!isRecord(document)) return refuse("body", 'found no object; accepted: {"intents": [...]}');
  const { intents, snapshot: _snapshot, ...rest } = document;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined)
    refuse(unknown.slice(0, 60), "unknown field; accepted here: intents, snapshot", "unknown_field");
  if (!Array.isArray(intents) || intents.length === 0 || intents.length > MOST_INTENTS)
    return refuse("intents", `accepted: a list of 1 to ${MOST_INTENTS} intents`);
  const read = intents.map((one: unknown, index) =>
    within(`intents[${index}]`, () => acceptable(one, tenant, strict)),
  );
  const names = new Set<string>();
  for (const { name } of read) {
    if (names.has(name)) refuse("intents", `two intents are named ${name}; accepted: names that differ`);
    names.add(name);
  }
  return read;
}

/** What would happen to many intents at once. */
export const simulateRoutes: readonly Route[] = [
  {
    method: "post",
    path: "/simulate",
    permission: "intents:read",
    summary:
      "Decide for many intents together, on the federation as it is or on a posted one; nothing is stored",
    body: z.object({
      intents: z
        .array(z.any().openapi({ $ref: "#/components/schemas/Intent" } as never))
        .min(1)
        .max(MOST_INTENTS),
      snapshot: z
        .any()
        .optional()
        .openapi({ $ref: "#/components/schemas/Snapshot" } as never),
    }),
    answers: {
      200: {
        description: "Decisions in the order of the intents, victims and scarcity prices",
        schema: z.looseObject({
          decisions: z.array(decisionSchema),
          placed: z.int(),
          victims: z.array(z.string()),
          snapshot: z.looseObject({ version: z.string() }),
        }),
      },
    },
    ...queried(
      z.object({
        strict: flag.describe("Unknown fields are errors instead of warnings."),
        tradeoffs: flag.describe("Add the cheapest, fastest, closest and greenest options."),
        plan_b: flag.describe("Add where each would go if a provider it is placed at died."),
      }),
      async (scope, { strict = false, tradeoffs = false, plan_b: planB = false }) => {
        const { document } = await readBody(scope.http);
        const intents = readIntents(document, scope.tenantId, strict);
        scope.charge(DECISION_UNITS * intents.length * (planB ? 2 : 1));
        const posted = (document as { readonly snapshot?: unknown }).snapshot;
        const given: Snapshot | undefined =
          posted === undefined ? undefined : within("snapshot", () => readSnapshot(posted, { strict }));
        const options = { tradeoffs, planB, deadlineMs: DEADLINE_MS };
        const made = await scope.planner.consider(intents, options, given);
        const { currency } = made;
        const byName = new Map(made.decisions.map((decision) => [decision.intent, decision]));
        // with or without a batch
        const victims = [
          ...new Set([...made.evictions.map(({ intent }) => intent), ...(made.batch?.evicted ?? [])]),
        ];
        const decisions = intents.flatMap(({ name }) => byName.get(name) ?? []);
        return json(200, {
          decisions: decisions.map((decision) => showDecision(decision, decision.intent, currency)),
          placed: decisions.filter(({ outcome }) => outcome === "placed").length,
          cost: showRate(
            decisions.reduce((sum, decision) => sum + costOf(decision), 0),
            currency,
          ),
          victims: given === undefined ? ownVictims(victims, scope.tenantId, made.snapshot) : victims,
          scarcity: (made.batch?.prices ?? []).map(({ offer, resource, micro }) => ({
            offer,
            resource,
            amount: micro / 1_000_000,
            currency,
            is_signal: true,
          })),
          gap: made.batch?.gap ?? null,
          snapshot: {
            version: made.snapshot.version,
            at: made.snapshot.at,
            offers: made.snapshot.offers.length,
          },
        });
      },
    ),
  },
];

/** Victims by name where they are the tenant's own; others are told apart and no more. */
function ownVictims(evicted: readonly string[], tenant: string, { holdings }: Snapshot): string[] {
  const owner = new Map(holdings.map(({ intent, tenant: name }) => [intent, name]));
  return evicted.map((id, index) => (owner.get(id) === tenant ? id : `another-tenant-${index + 1}`));
}
