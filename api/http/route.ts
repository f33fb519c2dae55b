import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ControlLoop } from "../control/loop.ts";
import type { Planner } from "../control/planner.ts";
import type { Env } from "../env.ts";
import type { Act, TenantStore } from "../store/store.ts";
import type { Principal } from "./identity.ts";
import type { Permission } from "./permissions.ts";

/** What routes are made with. */
export interface Service {
  readonly env: Env;
  readonly planner: Planner;
  readonly control: Pick<ControlLoop, "wake">;
  /** Aborted when the service stops: streams end themselves, so that the server can close. */
  readonly stopping: AbortSignal;
  /** Null when ready, else why not. */
  readonly notReady: () => string | null;
}

/** What every handler gets. */
export interface RequestScope extends Service {
  readonly http: Context;
  readonly requestId: string;
  /** A parameter of the path. */
  param(name: string): string;
}

/** What a handler behind a permission gets besides: the caller, and the caller's tenant alone. */
export interface TenantScope extends RequestScope {
  readonly principal: Principal;
  readonly tenant: TenantStore;
  /** Who and when, for events and audit. */
  act(): Act;
}

interface RouteBase {
  readonly method: "get" | "post" | "patch" | "delete";
  /** From the API's base, parameters as `{id}`. */
  readonly path: string;
  /** Other paths with the same answer. */
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly description?: string;
  /** Documented shape of the body; the handler reads and checks it itself. */
  readonly body?: z.ZodType;
  /** Documented query parameters. */
  readonly query?: z.ZodObject;
  readonly answers: Readonly<Record<number, { readonly description: string; readonly schema?: z.ZodType }>>;
}

/**
 * One route. Without a permission, or the statement that it is open, it is not a route: the types do not allow it and
 * registration refuses it.
 */
export type Route =
  | (RouteBase & {
      readonly permission: Permission;
      handle(scope: TenantScope): Promise<Response> | Response;
    })
  | (RouteBase & { readonly permission: "open"; handle(scope: RequestScope): Promise<Response> | Response });

/** Enters a route into the OpenAPI document. */
export function documentRoute(app: OpenAPIHono, route: Route): void {
  const { method, path, summary, description, body, query, answers, permission } = route;
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  app.openAPIRegistry.registerPath(
    createRoute({
      method,
      path,
      summary,
      ...(description === undefined ? {} : { description }),
      ...(permission === "open" ? { security: [] } : { security: [{ bearer: [] }] }),
      tags: [path.split("/")[1] ?? ""],
      request: {
        ...(query === undefined ? {} : { query }),
        ...(body === undefined
          ? {}
          : { body: { content: { "application/json": { schema: body } }, required: true } }),
      },
      parameters: names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      responses: Object.fromEntries(
        Object.entries(answers).map(([status, { description: text, schema }]) => [
          status,
          {
            description: text,
            ...(schema === undefined ? {} : { content: { "application/json": { schema } } }),
          },
        ]),
      ),
    } as never),
  );
}

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
