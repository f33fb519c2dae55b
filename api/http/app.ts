import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Act } from "../store/store.ts";
import { type TenantId, trustTenant } from "../store/tenant.ts";
import { MOST_BODY_BYTES } from "./body.ts";
import { createCursors } from "./cursor.ts";
import { createExplainer } from "./explainer.ts";
import { authenticate, type Principal, tokenAuthenticator } from "./identity.ts";
import { createJudge } from "./judge.ts";
import { createMetrics } from "./metrics.ts";
import { forgeDocument } from "./openapi.ts";
import { incomingOf, isLoopback, peerOf } from "./peer.ts";
import { allows, isPermission, type Permission } from "./permissions.ts";
import { ApiError, problemResponse, toApiError } from "./problem.ts";
import { readQuery } from "./query.ts";
import { createLimiter, defaultRates, type Taken } from "./rate.ts";
import type { RequestScope, Route, Service, TenantScope, Tools } from "./route.ts";
import { adminRoutes } from "./routes/admin.ts";
import { amendRoutes } from "./routes/amend.ts";
import { auditRoutes } from "./routes/audit.ts";
import { decisionRoutes } from "./routes/decisions.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { intentRoutes } from "./routes/intents.ts";
import { referenceRoutes } from "./routes/reference.ts";
import { reservationRoutes } from "./routes/reservations.ts";
import { resourceRoutes } from "./routes/resources.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { simulateRoutes } from "./routes/simulate.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { webhookRoutes } from "./routes/webhooks.ts";

/** The API's base path; every route answers at the root too, as in the original. */
export const BASE = "/api/v1";

/** All routes, for the app and for tests that go through every one of them. */
export const routes: readonly Route[] = [
  ...intentRoutes,
  ...amendRoutes,
  ...decisionRoutes,
  ...eventRoutes,
  ...simulateRoutes,
  ...resourceRoutes,
  ...reservationRoutes,
  ...tokenRoutes,
  ...sessionRoutes,
  ...webhookRoutes,
  ...auditRoutes,
  ...adminRoutes,
  ...healthRoutes,
  ...referenceRoutes,
];

const MOST_URL = 8 * 1024;
const MOST_HEADERS = 100;

const tooMuch = (taken: Taken, message: string): ApiError =>
  new ApiError("RATE_LIMITED", message, { retryAfter: taken.retrySeconds });

/** What is checked before anything is read or asked. */
function checkSize(http: Context): void {
  // the scheme and host in front are ours to add and count little
  if (http.req.url.length > MOST_URL)
    throw new ApiError("INVALID_FORMAT", `the URL is longer than ${MOST_URL} bytes`, { status: 414 });
  const incoming = incomingOf(http);
  if (incoming !== undefined && incoming.headers?.host === undefined && incoming.httpVersion === "1.1")
    throw new ApiError("INVALID_FORMAT", "a request needs the header Host", {
      headers: { connection: "close" },
    });
  if ((incoming?.rawHeaders?.length ?? 0) > MOST_HEADERS * 2)
    throw new ApiError("INVALID_FORMAT", `there are more than ${MOST_HEADERS} headers`, { status: 431 });
}

/** Knows callers, counts what they ask for, and opens one tenant to them. */
function createGate(service: Service) {
  const { env } = service;
  const rates = { ...defaultRates, ...service.rates };
  const byToken = createLimiter(rates.token, env.clock);
  const byAddress = createLimiter(rates.failures, env.clock);
  const authenticators = service.authenticators ?? [tokenAuthenticator];

  const known = async (http: Context): Promise<Principal> => {
    try {
      return await authenticate(env, authenticators, (name) => http.req.header(name), http.req.method);
    } catch (error) {
      // that the store or an issuer could not be asked says nothing against the caller
      if (!(error instanceof ApiError) || error.code === "NOT_READY") throw error;
      const taken = byAddress.take(peerOf(http));
      throw taken.isAllowed ? error : tooMuch(taken, "too many failed tries from this address");
    }
  };
  const record = (entry: { act: Act; tenant: TenantId; action: string; target: string; outcome: string }) =>
    env.store.system.recordAudit({
      tenant_id: entry.tenant,
      at_ms: entry.act.atMs,
      actor: entry.act.actor,
      action: entry.action,
      target: entry.target,
      outcome: entry.outcome,
      request_id: entry.act.requestId,
    });
  /** The tenant that is acted for: one's own, or with `admin:*` any that exists. */
  const tenantOf = async (
    http: Context,
    principal: Principal,
    act: Act,
    action: string,
  ): Promise<TenantId> => {
    const name = http.req.header("flare-tenant");
    if (name === undefined || name === principal.tenant) return principal.tenant;
    // whether the name exists is not told to those who may not act for it
    if (!allows(principal.permissions, "admin:*"))
      throw new ApiError(
        "INSUFFICIENT_PERMISSIONS",
        "acting for another tenant needs the permission admin:*",
      );
    const tenant = await env.store.system.tenant(name);
    if (tenant === null) throw new ApiError("NOT_FOUND", "there is no such tenant");
    await record({
      act,
      tenant: trustTenant(tenant.id),
      action: `admin ${action}`,
      target: http.req.path,
      outcome: "allowed",
    });
    return tenant.id;
  };
  return async (scope: RequestScope, needed: Permission | "any", action: string): Promise<TenantScope> => {
    const { http, requestId } = scope;
    const principal = await known(http);
    const act: TenantScope["act"] = () => ({ actor: principal.actor, atMs: env.clock.wallMs(), requestId });
    const charge = (units: number): Taken => {
      const taken = byToken.take(principal.actor, units);
      http.set("taken", taken);
      if (!taken.isAllowed) throw tooMuch(taken, "this token asks for more than its rate allows");
      return taken;
    };
    charge(1);
    if (needed !== "any" && !allows(principal.permissions, needed)) {
      const target = scope.param("id");
      await record({ act: act(), tenant: principal.tenant, action, target, outcome: "denied" });
      throw new ApiError("INSUFFICIENT_PERMISSIONS", `this needs the permission ${needed}`);
    }
    const tenantId = await tenantOf(http, principal, act(), action);
    return {
      ...scope,
      principal,
      tenantId,
      tenant: env.store.forTenant(tenantId),
      act,
      charge: (units) => void charge(units),
    };
  };
}

type Gate = ReturnType<typeof createGate>;

/** Names in paths are short and plain; anything else names nothing. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

function answer(service: Service, tools: Tools, gate: Gate, route: Route, http: Context, requestId: string) {
  const scope: RequestScope = {
    ...service,
    tools,
    http,
    requestId,
    param(name) {
      const value = http.req.param(name) ?? "";
      return NAME.test(value) ? value : "";
    },
  };
  if (route.query === undefined && (route.permission === "open" || route.permission === "loopback"))
    readQuery(http, undefined);
  const action = `${route.method} ${route.path}`;
  if (route.permission === "open") return route.handle(scope);
  if (route.permission === "loopback")
    return isLoopback(http)
      ? route.handle(scope)
      : gate(scope, "admin:*", action).then(() => route.handle(scope));
  return gate(scope, route.permission, action).then((open) => {
    if (route.query === undefined) readQuery(http, undefined);
    return route.handle(open);
  });
}

/** The paths of a route in the router's spelling. */
const patternsOf = ({ path, aliases = [] }: Route): string[] =>
  [path, ...aliases].flatMap((one) => {
    const pattern = one.replaceAll(/\{(\w+)\}/g, ":$1");
    return [`${BASE}${pattern}`, pattern];
  });

/** Routes with their paths in the router's spelling. */
const routed = routes.map((route) => ({ route, patterns: patternsOf(route) }));

/** Methods that a path answers, as the header Allow lists them. */
const allowed = routed
  .flatMap(({ route, patterns }) =>
    patterns.map((pattern) => ({ pattern, method: route.method.toUpperCase() })),
  )
  .reduce(
    (methods, { pattern, method }) => methods.set(pattern, (methods.get(pattern) ?? new Set()).add(method)),
    new Map<string, Set<string>>(),
  );

/** Headers that every answer carries. */
function finish(response: Response, http: Context, requestId: string): Response {
  const { headers } = response;
  headers.set("x-request-id", requestId);
  headers.set("x-content-type-options", "nosniff");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  const taken = http.get("taken") as Taken | undefined;
  if (taken !== undefined) {
    headers.set("ratelimit-limit", String(taken.limit));
    headers.set("ratelimit-remaining", String(taken.remaining));
    headers.set("ratelimit-reset", String(taken.resetSeconds));
  }
  return response;
}

function register(
  app: Hono,
  service: Service,
  { tools, gate }: { readonly tools: Tools; readonly gate: Gate },
  { route, patterns }: (typeof routed)[number],
): void {
  const { env } = service;
  if (!["open", "loopback", "any"].includes(route.permission) && !isPermission(route.permission))
    throw new Error(`route ${route.method} ${route.path} declares no permission`);
  for (const pattern of patterns)
    app.on(route.method.toUpperCase(), pattern, async (http) => {
      const requestId = env.ids.next("req");
      const startMs = env.clock.monoMs();
      let response: Response;
      try {
        checkSize(http);
        response = await answer(service, tools, gate, route, http, requestId);
      } catch (error) {
        const known = toApiError(error);
        if (known.code === "INTERNAL")
          env.log.error({ requestId, route: route.path, error: String(error) }, "request failed");
        response = problemResponse(known, requestId, http.req.path);
      }
      tools.metrics.answered(
        route.path,
        route.method,
        response.status,
        (env.clock.monoMs() - startMs) / 1000,
      );
      return finish(response, http, requestId);
    });
}

/** Answers other methods on known paths. */
function refuseOtherMethods(app: Hono, service: Service): void {
  for (const [pattern, known] of allowed) {
    const allow = [...known, ...(known.has("GET") ? ["HEAD"] : [])].sort().join(", ");
    app.all(pattern, (http) =>
      problemResponse(
        new ApiError("NOT_FOUND", `${http.req.method} is not answered here; accepted: ${allow}`, {
          status: 405,
          headers: { allow },
        }),
        service.env.ids.next("req"),
        http.req.path,
      ),
    );
  }
}

/**
 * The HTTP application: no sockets, only requests and responses.
 *
 * @param router finds the route of a request; default Hono's choice, which is slow to build and fast from then on
 */
export function createApp(service: Service, router?: Hono["router"]): Hono {
  const { env, planner } = service;
  const app = new Hono(router === undefined ? {} : { router });
  let document: string | null = null;
  const tools: Tools = {
    cursors: createCursors(env),
    judge: createJudge(planner, env.clock),
    explainer: createExplainer(env.store.system, planner),
    metrics: createMetrics(service),
    document() {
      document ??= forgeDocument(routes, BASE);
      return document;
    },
  };
  const problem = (error: ApiError, http: Context): Response =>
    problemResponse(error, env.ids.next("req"), http.req.path);
  const tooLarge = (http: Context): Response =>
    problem(
      new ApiError("INVALID_FORMAT", `the body is larger than ${MOST_BODY_BYTES} bytes`, { status: 413 }),
      http,
    );
  const counted = bodyLimit({ maxSize: MOST_BODY_BYTES, onError: tooLarge });
  app.use((http, next) => {
    const stated = http.req.header("content-length");
    const isStated = stated !== undefined && http.req.header("transfer-encoding") === undefined;
    // counting needs a stream; the parser holds a stated length anyway, at a third of the cost of a request
    if (!isStated && http.req.method !== "GET") return counted(http, next);
    return Number(stated ?? 0) > MOST_BODY_BYTES ? Promise.resolve(tooLarge(http)) : next();
  });
  const gate = createGate(service);
  for (const one of routed) register(app, service, { tools, gate }, one);
  refuseOtherMethods(app, service);
  app.notFound((http) =>
    problem(
      new ApiError("NOT_FOUND", `nothing answers ${http.req.method} ${http.req.path.slice(0, 200)}`),
      http,
    ),
  );
  app.onError((error, http) => problem(toApiError(error), http));
  return app;
}
