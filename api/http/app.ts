import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { version } from "../../engine/version.ts";
import { MOST_BODY_BYTES } from "./body.ts";
import { authenticate } from "./identity.ts";
import { allows, isPermission } from "./permissions.ts";
import { ApiError, problemResponse, toApiError } from "./problem.ts";
import { documentRoute, type RequestScope, type Route, type Service, type TenantScope } from "./route.ts";
import { healthRoutes } from "./routes/health.ts";
import { intentRoutes } from "./routes/intents.ts";

/** The API's base path; every route answers at the root too, as in the original. */
export const BASE = "/api/v1";

/** All routes, for the app and for tests that go through every one of them. */
export const routes: readonly Route[] = [...intentRoutes, ...healthRoutes];

async function answer(service: Service, route: Route, http: Context, requestId: string): Promise<Response> {
  const { env } = service;
  const scope: RequestScope = {
    ...service,
    http,
    requestId,
    param: (name) => http.req.param(name) ?? "",
  };
  if (route.permission === "open") return route.handle(scope);
  const principal = await authenticate(env, http.req.header("authorization"));
  const act: TenantScope["act"] = () => ({ actor: principal.actor, atMs: env.clock.wallMs(), requestId });
  if (!allows(principal.permissions, route.permission)) {
    await env.store.system.recordAudit({
      tenant_id: principal.tenant,
      at_ms: env.clock.wallMs(),
      actor: principal.actor,
      action: `${route.method} ${route.path}`,
      target: http.req.param("id") ?? "",
      outcome: "denied",
      request_id: requestId,
    });
    throw new ApiError("INSUFFICIENT_PERMISSIONS", `this needs the permission ${route.permission}`);
  }
  return route.handle({ ...scope, principal, tenant: env.store.forTenant(principal.tenant), act });
}

function register(app: OpenAPIHono, service: Service, route: Route): void {
  if (route.permission !== "open" && !isPermission(route.permission))
    throw new Error(`route ${route.method} ${route.path} declares no permission`);
  for (const path of [route.path, ...(route.aliases ?? [])]) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ":$1");
    for (const base of [BASE, ""])
      app.on(route.method.toUpperCase(), `${base}${pattern}`, async (http) => {
        const requestId = service.env.ids.next("req");
        try {
          const response = await answer(service, route, http, requestId);
          response.headers.set("x-request-id", requestId);
          return response;
        } catch (error) {
          const known = toApiError(error);
          if (known.code === "INTERNAL")
            service.env.log.error({ requestId, route: route.path, error: String(error) }, "request failed");
          return problemResponse(known, requestId, http.req.path);
        }
      });
  }
  documentRoute(app, route);
}

/** The HTTP application: no sockets, only requests and responses. */
export function createApp(service: Service): OpenAPIHono {
  const app = new OpenAPIHono();
  app.use(
    bodyLimit({
      maxSize: MOST_BODY_BYTES,
      onError: (http) =>
        problemResponse(
          new ApiError("INVALID_FORMAT", `the body is larger than ${MOST_BODY_BYTES} bytes`, { status: 413 }),
          service.env.ids.next("req"),
          http.req.path,
        ),
    }),
  );
  for (const route of routes) register(app, service, route);
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  app.doc31(`${BASE}/openapi.json`, {
    openapi: "3.1.0",
    info: { title: "FLARE placement", version },
    servers: [{ url: BASE }],
  });
  app.notFound((http) =>
    problemResponse(
      new ApiError("NOT_FOUND", `nothing answers ${http.req.method} ${http.req.path}`),
      service.env.ids.next("req"),
      http.req.path,
    ),
  );
  app.onError((error, http) =>
    problemResponse(toApiError(error), service.env.ids.next("req"), http.req.path),
  );
  return app;
}
