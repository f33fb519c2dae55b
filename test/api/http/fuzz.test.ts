import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { routes } from "../../../api/http/app.ts";
import { permissions } from "../../../api/http/permissions.ts";
import { problemSchema } from "../../../api/http/shapes.ts";
import { createDrivenService, wish } from "../driven-env.ts";
import { arbitraryOf, type References, type Schema } from "./arbitrary.ts";

/** Requests per operation; the nightly run sets more. */
const RUNS = Number(process.env["FLARE_FUZZ"] ?? 30);

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
  readonly responses: Readonly<Record<string, unknown>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const service = await createDrivenService({
  page: { script: "", style: "" },
  rates: { token: { perSecond: 1e6, burst: 1e6 } },
});
const admin = await service.token(["admin:*"], "root");
const everything = await service.token(permissions.filter((one) => one !== "admin:*"));
const document = JSON.parse((await service.request(null, "GET", "/openapi.json")).text) as Document;
const folder = new URL("../../../fixtures/intents/", import.meta.url);
const fixtures = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as unknown);

const resolve = (ref: string): Schema => {
  const found = document.components.schemas[ref.replace("#/components/schemas/", "")];
  if (found === undefined) throw new Error(`the document has no ${ref}`);
  return found;
};
const references: References = {
  resolve,
  examples: (ref) => (ref.endsWith("/Intent") ? fixtures : []),
};
const intent = String(
  (await service.request(everything, "POST", "/intents", wish("web", 1))).body["intent_id"],
);
await service.run(3000);

const operations = routes.map((route) => ({
  route,
  name: `${route.method} ${route.path}`,
  operation: document.paths[route.path]?.[route.method],
}));

test("the document has every route, its parameters and its answers", () => {
  expect(operations.filter(({ operation }) => operation === undefined)).toEqual([]);
  expect(document).toMatchObject({ openapi: "3.1.0" });
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(documented.sort()).toEqual(operations.map(({ name }) => name).sort());
  const used = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref!);
  for (const ref of used) resolve(ref);
});

const query = (parameters: readonly Parameter[]): fc.Arbitrary<string> =>
  fc
    .record(
      Object.fromEntries(parameters.map(({ name, schema }) => [name, arbitraryOf(schema, references)])),
      {
        requiredKeys: parameters.filter(({ required }) => required === true).map(({ name }) => name),
      },
    )
    .map((values) => {
      const pairs = Object.entries(values as Record<string, unknown>)
        // a cursor that was made up ends every list, so only one in eight of them is sent
        .filter(([key, value]) => key !== "cursor" || String(value).length % 8 === 0)
        .map(([key, value]) => [key, String(value)]);
      return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
    });

const ids = fc.oneof(
  fc.constantFrom(intent, "default", "acme", "start.js", "none"),
  fc.string({ maxLength: 6 }).map(encodeURIComponent),
);

/** A request as the document describes it: by its schemas, or one JSON value in place of the body. */
const requestOf = (path: string, { parameters = [], requestBody }: Operation) =>
  fc.record({
    path: ids.map((id) => path.replace("{id}", id)),
    query: query(parameters.filter((one) => one.in === "query")),
    body:
      requestBody === undefined
        ? fc.constant(undefined)
        : fc.oneof(
            { weight: 4, arbitrary: arbitraryOf(requestBody.content["application/json"].schema, references) },
            { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
          ),
  });

/** Tenants that the fuzz must not lock out of the rest of the run. */
const isSelfLocking = (path: string): boolean => /admin\/(tenants|quotas)\/(root|default)/.test(path);

describe.each(operations)("$name", ({ route, operation }) => {
  test("answers whatever is sent as documented", async () => {
    if (operation === undefined) throw new Error("not in the document");
    await fc.assert(
      fc.asyncProperty(
        requestOf(route.path, operation),
        fc.constantFrom(admin, everything, null),
        async (request, token) => {
          if (isSelfLocking(request.path) && route.method !== "get") return;
          const answer = await service.request(
            token,
            route.method.toUpperCase(),
            request.path + request.query,
            request.body,
            {
              accept: "application/json",
            },
          );
          expect(answer.status).toBeLessThan(500);
          // an empty id makes another path of it
          if (answer.status === 405 || answer.body["message"]?.toString().startsWith("nothing answers"))
            return;
          expect(Object.keys(operation.responses)).toContain(String(answer.status));
          if (answer.status >= 400) {
            expect(answer.headers.get("content-type")).toBe("application/problem+json");
            expect(problemSchema.safeParse(answer.body).error).toBeUndefined();
            expect(answer.body["status"]).toBe(answer.status);
            if (answer.status === 429 || answer.status === 503)
              expect(answer.headers.get("retry-after")).not.toBeNull();
          } else {
            const schema = route.answers[answer.status]?.schema;
            expect(schema?.safeParse(answer.body).error).toBeUndefined();
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** Paths of all leaves of a document. */
function leavesOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (Array.isArray(value)) return value.flatMap((one, index) => leavesOf(one, [...path, index]));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, one]) => leavesOf(one, [...path, key]));
  return [path];
}

function replaced(value: unknown, [head, ...rest]: readonly (string | number)[], leaf: unknown): unknown {
  if (head === undefined) return leaf;
  if (Array.isArray(value))
    return value.map((one, index) => (index === head ? replaced(one, rest, leaf) : one));
  return { ...(value as object), [head]: replaced((value as Record<string, unknown>)[head], rest, leaf) };
}

const shown = (path: readonly (string | number)[]): string =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .slice(1);

test("an intent is taken as it is, and refused by the name of the one field that is wrong", async () => {
  const wrong = fc.constantFrom<unknown>({ neither: ["here", "nor", "there"] }, [[[]]], { a: { b: {} } });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...fixtures), fc.nat(), wrong, async (fixture, pick, leaf) => {
      const leaves = leavesOf(fixture);
      const path = leaves[pick % leaves.length]!;
      const right = await service.request(everything, "POST", "/intents?dry_run=true", fixture);
      expect([200, 402, 409]).toContain(right.status);
      const answer = await service.request(
        everything,
        "POST",
        "/intents?dry_run=true",
        replaced(fixture, path, leaf),
      );
      expect(answer.status).toBe(400);
      const named = (answer.body["errors"] as { path: string }[]).map((one) => one.path);
      // a list that holds what it cannot hold may be named as a whole
      const place = shown(path).replace(/\[\d+\]$/, "");
      expect(
        named.some((one) => one.startsWith(place) || place.startsWith(one)),
        `${place} in ${named.join()}`,
      ).toBe(true);
    }),
    { numRuns: RUNS * 5 },
  );
});
