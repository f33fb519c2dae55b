import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { JsonObject } from "../../adapters/json/decision.ts";
import { forgeJsonSchema } from "../../adapters/json/schema.ts";
import { version } from "../../engine/version.ts";
import type { Route } from "./route.ts";
import { problemSchema } from "./shapes.ts";

/** Statuses that any route behind a permission may answer. */
const guarded: Readonly<Record<number, string>> = {
  400: "Not readable, or a value is not accepted: each is named",
  401: "No valid credentials",
  403: "The credentials do not allow it",
  404: "No such thing in this tenant",
  429: "Too much was asked for; Retry-After says when to come back",
  503: "Not now; Retry-After says when to come back",
};
/** Statuses of routes that read a body. */
const bodied: Readonly<Record<number, string>> = {
  413: "The body is too large",
  415: "The body is not declared as JSON",
  507: "No space is left to store it; nothing was changed",
};

const tagOf = (path: string): string => path.split("/")[1] ?? "";

/** Forms of request headers. */
const headerForms: Readonly<Record<string, string>> = {
  "Flare-Tenant": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
  "Idempotency-Key": "^[\\x21-\\x7e]{1,255}$",
  "If-Match": '^(\\*|"[0-9]{1,15}")$',
  "Last-Event-ID": "^[0-9]{1,15}$",
};

/** Enters a route into the OpenAPI document. */
function documentRoute(app: OpenAPIHono, route: Route): void {
  const { method, path, summary, description, body, query, headers = {}, permission } = route;
  const isOpen = permission === "open";
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  const common = { ...(isOpen ? {} : guarded), ...(body === undefined ? {} : bodied) };
  const answers = {
    ...Object.fromEntries(Object.entries(common).map(([status, text]) => [status, { description: text }])),
    ...route.answers,
  };
  const responses = Object.entries(answers).map(([status, answer]) => {
    const { description: text, schema, type = "application/json" } = answer as Route["answers"][number];
    if (Number(status) >= 400)
      return [
        status,
        { description: text, content: { "application/problem+json": { schema: problemSchema } } },
      ];
    const content =
      schema === undefined && type === "application/json"
        ? {}
        : { content: { [type]: { schema: schema ?? {} } } };
    return [status, { description: text, ...content }];
  });
  const allHeaders = {
    ...(isOpen || permission === "loopback"
      ? {}
      : { "Flare-Tenant": "Acts for this tenant; for administrators alone." }),
    ...headers,
  };
  app.openAPIRegistry.registerPath(
    createRoute({
      method,
      path,
      operationId: `${method}${path.replaceAll(/[/{}_-]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
      summary,
      description: [description, isOpen ? "" : `Permission: \`${permission}\`.`].filter(Boolean).join(" "),
      security: isOpen ? [] : [...(permission === "loopback" ? [{}] : []), { bearer: [] }, { session: [] }],
      tags: [tagOf(path)],
      request: {
        ...(query === undefined ? {} : { query }),
        ...(body === undefined
          ? {}
          : { body: { content: { "application/json": { schema: body } }, required: true } }),
      },
      parameters: [
        ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
        ...Object.entries(allHeaders).map(([name, text]) => ({
          name,
          in: "header",
          required: false,
          description: text,
          schema: { type: "string", pattern: headerForms[name] },
        })),
      ],
      responses: Object.fromEntries(responses),
    } as never),
  );
}

/** The published schema of an intent's document, and the labels that the service takes beside it. */
function withLabels(schema: JsonObject): JsonObject {
  const labels: JsonObject = {
    type: "object",
    description: "Words of your own to find it by; they decide nothing.",
    maxProperties: 32,
    additionalProperties: {
      type: "string",
      maxLength: 63,
      pattern: "^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$",
    },
    propertyNames: { pattern: "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$" },
  };
  return { ...schema, properties: { ...(schema["properties"] as JsonObject), labels } };
}

/** The OpenAPI 3.1 document of routes. Made when it is asked for: most processes never are. */
export function forgeDocument(routes: readonly Route[], base: string): string {
  const app = new OpenAPIHono();
  for (const route of routes) documentRoute(app, route);
  const { $schema: _dialect, ...intent } = forgeJsonSchema("intent");
  const { $schema: _too, ...snapshot } = forgeJsonSchema("snapshot");
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "FLARE placement",
      version,
      license: { name: "Apache-2.0" },
      description:
        "Intents in, explained placements out. Every route answers at the root too. Errors are RFC 9457 problems with a stable `error_code`.",
    },
    servers: [{ url: base }],
  });
  return JSON.stringify({
    ...document,
    components: {
      ...document.components,
      schemas: { ...document.components?.schemas, Intent: withLabels(intent), Snapshot: snapshot },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "__Host-flare-session",
          description:
            "A browser that signed in at /auth/login; changes need the header Flare-CSRF and our Origin.",
        },
      },
    },
  });
}
