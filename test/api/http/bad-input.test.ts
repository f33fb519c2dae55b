import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJson } from "../../../api/http/body.ts";
import { ApiError } from "../../../api/http/problem.ts";
import { createDrivenService, wish } from "../driven-env.ts";

const service = await createDrivenService();
const token = await service.token(["intents:read", "intents:write", "resources:write", "tokens:manage"]);
const submit = (body: unknown, headers?: Record<string, string>) =>
  service.request(token, "POST", "/intents", body, headers);

/** Nothing that was sent may reach the prototype that all objects share. */
const pristine = Object.getOwnPropertyNames(Object.prototype).sort().join();
const isPristine = (): boolean => Object.getOwnPropertyNames(Object.prototype).sort().join() === pristine;

const text = (value: unknown): string => JSON.stringify(value);
const withName = (name: string): string => text(wish("NAME", 1)).replace("NAME", name);
const withCount = (count: string): string => text(wish("web", 7)).replace('"count":7', `"count":${count}`);
const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** Each is refused as unreadable, by name where it has one. */
const refused: readonly (readonly [string, string, string?])[] = [
  ["no JSON at all", "hello"],
  ["nothing", ""],
  ["half a document", text(wish("web", 1)).slice(0, -3)],
  ["a number", "5"],
  ["a list", "[]"],
  ["null", "null"],
  ["two documents", `${text(wish("a", 1))}${text(wish("b", 1))}`],
  ["nesting of 33", nested(33)],
  ["nesting of 1,000", `{"intent":${nested(1000)}}`],
  ["nesting of 100,000", nested(100_000)],
  ["objects nested 10,000 deep", `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`],
  ["infinity by exponent", withCount("1e400")],
  ["a number beyond exactness", withCount("9007199254740993")],
  ["a number below all that is normal", withCount("1e-320")],
  ["a fraction of a GPU in count", withCount("1.5"), "intent.workload.resources.gpu.count"],
  ["a negative count", withCount("-1"), "intent.workload.resources.gpu.count"],
  ["minus zero GPUs", withCount("-0"), "intent.workload.resources.gpu.count"],
  ["a count as a word", withCount('"many"'), "intent.workload.resources.gpu.count"],
  ["the same key twice", '{"intent":{},"intent":{}}'],
  ["the same key twice, one escaped", '{"intent":{},"\\u0069ntent":{}}'],
  ["the same key twice, deep", withName('web","name":"other')],
  ["NUL in a text", withName("we\\u0000b")],
  ["half of a surrogate pair", withName("we\\ud800b")],
  ["the other half", withName("we\\udc00b")],
  ["a name with a zero-width space", withName("we\\u200bb"), "intent.workload.name"],
  ["a name that changes direction", withName("we\\u202eb"), "intent.workload.name"],
  ["a name in capitals", withName("WEB"), "intent.workload.name"],
  ["a name in decomposed form", withName("cafe\\u0301"), "intent.workload.name"],
  ["a name in composed form", withName("caf\\u00e9"), "intent.workload.name"],
  ["a name that is too long", withName("a".repeat(64)), "intent.workload.name"],
  ["a name of nothing", withName(""), "intent.workload.name"],
  ["__proto__ at the top", `{"__proto__":{"polluted":1},"intent":{}}`],
  ["__proto__ deep inside", withName('web","__proto__":{"polluted":1},"x":"')],
  ["constructor", `{"constructor":{"prototype":{"polluted":1}}}`],
  [
    "an objective that is none",
    text(wish("web", 1)).replace("Cost_Minimization", "Cheap_Thrills"),
    "intent.objective",
  ],
  [
    "more tasks than anybody has",
    text({
      intent: {
        ...(wish("web", 1) as { intent: object }).intent,
        workload: {
          type: "batch",
          name: "web",
          image: "a/b:1",
          resources: { gpu: { count: 1 } },
          batch: { parallel_tasks: 1_000_000_000 },
        },
      },
    }),
    "intent.workload.batch.parallel_tasks",
  ],
  ["a tenant that is another", text(wish("web", 1, { tenant: "others" })), "intent.tenant"],
];

test.for(refused)("%s is refused", async ([, body, path]) => {
  const answer = await submit(body);
  expect(answer.status).toBe(400);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(["INVALID_FORMAT", "MISSING_REQUIRED_FIELD"]).toContain(answer.body["error_code"]);
  if (path !== undefined)
    expect((answer.body["errors"] as { path: string }[]).map((one) => one.path)).toContain(path);
  expect(isPristine()).toBe(true);
});

test("bytes that are no UTF-8 are refused", async () => {
  const app = service.app;
  const answer = await app.request("/intents", {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  });
  expect(answer.status).toBe(400);
});

test("a body that is not declared as JSON is 415, another method 405 with what is accepted", async () => {
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json; charset=latin1",
  ])
    expect((await submit(wish("web", 1), { "content-type": type })).status, type).toBe(415);
  const put = await service.request(token, "PUT", "/intents");
  expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
  expect((await service.request(token, "POST", "/api/v1/health")).status).toBe(405);
});

test("thousands of unknown fields, of problems or of constraints cost a bounded answer", async () => {
  const unknown = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`f${index}`, 1]));
  for (const query of ["", "?strict=true"]) {
    const answer = await service.request(token, "POST", `/intents${query}`, wish("web", 1, unknown));
    expect(answer.status).toBe(400);
    expect(answer.text.length).toBeLessThan(100_000);
  }
  const providers = Array.from({ length: 10_000 }, (_, index) => `provider-${index}`);
  const many = await submit(wish("web", 1, { constraints: { providers } }));
  expect([202, 400, 409]).toContain(many.status);
  expect(many.text.length).toBeLessThan(100_000);
});

const odd = [
  "..%2f..%2fetc",
  "%00",
  "%252e%252e",
  "a%00b",
  "%",
  "%ff",
  "a".repeat(300),
  "int-1'--",
  "__proto__",
  "constructor",
];

test.for(odd)("a path with %s names nothing", async (name) => {
  for (const path of [`/intents/${name}`, `/api/v1/intents/${name}/decision`, `/intents/${name}/events`]) {
    const answer = await service.request(token, "GET", path, undefined, { accept: "application/json" });
    expect([404, 400], path).toContain(answer.status);
  }
  expect((await service.request(token, "DELETE", `/auth/tokens/${name}`)).status).toBe(404);
});

const queries = [
  "limit[]=1",
  "limit[$gt]=1",
  "limit=",
  "limit=-1",
  "limit=0x10",
  "limit=9999999999999999999999",
  "__proto__=1",
  "constructor=1",
  "cursor=",
  "cursor=%00",
  "cursor=AAAA",
  `cursor=${"A".repeat(399)}`,
  "phase=%F0%9F%92%A9",
  "since=2026-02-30T25:61:61Z&until=x",
  Array.from({ length: 2000 }, (_, index) => `a${index}=1`)
    .join("&")
    .slice(0, 8000),
];

test("dots in a path are walked before the path is looked at, and lead nowhere else", async () => {
  const walked = await service.request(token, "GET", "/intents/x/%2e%2e/%2e%2e/admin/tenants");
  expect([walked.status, walked.body["instance"]]).toEqual([403, "/admin/tenants"]);
});

test.for(queries)("the query %s is refused", async (query) => {
  expect((await service.request(token, "GET", `/intents?${query}`)).body).toMatchObject({ status: 400 });
  expect(isPristine()).toBe(true);
});

test("reservations and tokens check every field", async () => {
  const reserve = (more: object) =>
    service.request(token, "POST", "/resources/reservations", {
      offer: "one-by-one",
      gpus: 1,
      start: "2026-04-01T00:00:00Z",
      end: "2026-04-02T00:00:00Z",
      ...more,
    });
  for (const [more, path] of [
    [{ gpus: 0 }, "gpus"],
    [{ gpus: 1.5 }, "gpus"],
    [{ gpus: "1" }, "gpus"],
    [{ offer: 5 }, "offer"],
    [{ offer: null }, "offer"],
    [{ start: "tomorrow" }, "start"],
    [{ end: "2026-03-31T00:00:00Z" }, "end"],
    [{ start: "2020-01-01T00:00:00Z", end: "2020-01-02T00:00:00Z" }, "end"],
    [{ end: "2036-01-01T00:00:00Z" }, "end"],
    [{ extra: 1 }, "extra"],
  ] as const)
    expect((await reserve(more)).body, text(more)).toMatchObject({ status: 400, errors: [{ path }] });
  expect((await reserve({ offer: "nowhere" })).status).toBe(404);
  expect((await reserve({ gpus: 5 })).status).toBe(409);
  for (const [body, path] of [
    [{}, "name"],
    [{ name: "" }, "name"],
    [{ name: "a\u202eb" }, "name"],
    [{ name: "a", expires_in: "10y" }, "expires_in"],
    [{ name: "a", expires_in: "soon" }, "expires_in"],
    [{ name: "a", permissions: [] }, "permissions"],
    [{ name: "a", permissions: ["everything"] }, "permissions[0]"],
  ] as const)
    expect((await service.request(token, "POST", "/auth/tokens", body)).body, text(body)).toMatchObject({
      status: 400,
      errors: [{ path }],
    });
});

test("any JSON text is either read exactly as the parser reads it, or refused as a problem", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (json) => {
      try {
        expect(parseJson(json)).toEqual(JSON.parse(json));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
      }
    }),
  );
});

test("a key is found twice exactly when it occurs twice", () => {
  const key = fc
    .string({ maxLength: 3 })
    .filter((name) => name.isWellFormed() && !name.includes("\u0000") && name !== "__proto__");
  fc.assert(
    fc.property(fc.array(key, { maxLength: 6 }), (keys) => {
      const json = `{${keys.map((name) => `${JSON.stringify(name)}:{"a":":","b":[":"]}`).join()}}`;
      const isTwice = new Set(keys).size < keys.length;
      if (isTwice) expect(() => parseJson(json)).toThrow(/same key a second time/);
      else expect(parseJson(json)).toEqual(JSON.parse(json));
    }),
  );
});
