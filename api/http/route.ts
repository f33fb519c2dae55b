import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Registry } from "prom-client";
import type { ControlLoop } from "../control/loop.ts";
import type { Planner } from "../control/planner.ts";
import type { Env } from "../env.ts";
import type { HookTools } from "../hooks/sender.ts";
import type { Sso } from "../sso/issuers.ts";
import type { Act, TenantStore } from "../store/store.ts";
import type { TenantId } from "../store/tenant.ts";
import type { Cursors } from "./cursor.ts";
import type { Explainer } from "./explainer.ts";
import type { Authenticator, Principal } from "./identity.ts";
import type { Judge } from "./judge.ts";
import type { Metrics } from "./metrics.ts";
import type { Permission } from "./permissions.ts";
import type { Rates } from "./rate.ts";

/** Files of the reference page, served from here so that the page asks nobody else. */
export interface PageFiles {
  readonly script: string;
  readonly style: string;
}

/** What routes are made with. */
export interface Service {
  readonly env: Env;
  readonly planner: Planner;
  readonly control: Pick<ControlLoop, "wake" | "leads">;
  /** Aborted when the service stops: streams end themselves, so that the server can close. */
  readonly stopping: AbortSignal;
  /** Null when ready, else why not. */
  readonly notReady: () => string | null;
  /** Default `defaultRates`. */
  readonly rates?: Partial<Rates>;
  /** Absent: the reference page is not served. */
  readonly page?: PageFiles;
  /** Where metrics of the process are already; absent: a registry of the application's own. */
  readonly registry?: Registry;
  /** Ways to know a caller, asked in order; default opaque tokens alone. */
  readonly authenticators?: readonly Authenticator[];
  /** Absent: nobody signs in with a browser. */
  readonly sso?: Sso;
  /** Absent: webhooks cannot be made or tried. */
  readonly hooks?: HookTools;
}

/** What the application adds for its routes. */
export interface Tools {
  readonly cursors: Cursors;
  readonly judge: Judge;
  readonly explainer: Explainer;
  readonly metrics: Metrics;
  /** The OpenAPI document, JSON text. */
  document(): string;
}

/** What every handler gets. */
export interface RequestScope extends Service {
  readonly http: Context;
  readonly requestId: string;
  readonly tools: Tools;
  /** A parameter of the path; empty when it cannot be the name of anything. */
  param(name: string): string;
}

/** What a handler behind a permission gets besides: the caller, and one tenant alone. */
export interface TenantScope extends RequestScope {
  readonly principal: Principal;
  /** The caller's tenant, or the one that an administrator acts for. */
  readonly tenantId: TenantId;
  readonly tenant: TenantStore;
  /** Who and when, for events and audit. */
  act(): Act;
  /**
   * Charges work beyond one cheap request to the caller's rate.
   *
   * @throws {ApiError} 429 when it is used up
   */
  charge(units: number): void;
}

/** What a handler returns. */
export type Answer = Promise<Response> | Response;

/** One documented answer. */
export interface DocumentedAnswer {
  readonly description: string;
  /** Absent: a problem, for statuses from 400 on, else no JSON. */
  readonly schema?: z.ZodType;
  /** Default `application/json`. */
  readonly type?: string;
}

interface RouteBase {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** From the API's base, parameters as `{id}`. */
  readonly path: string;
  /** Other paths with the same answer. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly description?: string;
  /** Documented shape of the body, or the name of a published schema; the handler reads and checks it itself. */
  readonly body?: z.ZodType | { readonly $ref: string };
  /** Parameters of the query, all that there are: others are refused. */
  readonly query?: z.ZodObject;
  /** Documented request headers, by name. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<number, DocumentedAnswer>>;
}

/**
 * One route. Without a permission, or the statement that it is open, it is not a route: the types do not allow it and
 * registration refuses it. `any` takes every known caller; `loopback` is open to this machine and needs `admin:*` from
 * elsewhere.
 */
export type Route =
  | (RouteBase & { readonly permission: Permission | "any"; handle(scope: TenantScope): Answer })
  | (RouteBase & { readonly permission: "open" | "loopback"; handle(scope: RequestScope): Answer });

/** An answer in JSON. */
export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}
