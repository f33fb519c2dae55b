import { expect, test } from "vitest";
import { z } from "zod";
import { readShape } from "../../../adapters/json/read-shape.ts";
import { repeatedKey } from "../../../adapters/json/shape.ts";
import { EngineError } from "../../../engine/model/errors.ts";
import { createDrivenService, wish } from "../driven-env.ts";

const service = await createDrivenService();
const token = await service.token(["admin:*"]);
const ask = (method: string, path: string, body?: unknown) => service.request(token, method, path, body);

const window = { start: "2027-01-01T00:00:00Z", end: "2027-01-02T00:00:00Z" };
const misspelt = wish("web", 1, { constraints: { locatoin: "EU" } });

/** What is asked, the path that the answer names, and what it says about it. */
const refused: readonly (readonly [string, () => ReturnType<typeof ask>, string, string])[] = [
  [
    "a time that is a word",
    () => ask("POST", "/resources/reservations", { offer: "x", gpus: 1, ...window, start: "tomorrow" }),
    "start",
    'found "tomorrow"; accepted: a time in RFC 3339',
  ],
  [
    "a day that no month has",
    () =>
      ask("POST", "/resources/reservations", { offer: "x", gpus: 1, ...window, end: "2027-02-31T00:00:00Z" }),
    "end",
    'found "2027-02-31T00:00:00Z"; accepted: a time in RFC 3339',
  ],
  [
    "a month that no year has, in a query",
    () => ask("GET", "/intents?since=2027-13-01T00:00:00Z"),
    "query.since",
    "accepted: a time in RFC 3339",
  ],
  [
    "a place that nobody knows",
    () => ask("GET", "/resources?location=Atlantis"),
    "query.location",
    'found "Atlantis"; accepted: an area (',
  ],
  [
    "a count beyond the most",
    () => ask("GET", "/intents?limit=501"),
    "query.limit",
    "found 501; accepted: a whole number from 1 to 500",
  ],
  [
    "a word that is not in the list",
    () => ask("GET", "/intents?status=pending,lost"),
    "query.status",
    'found "lost"; accepted: pending, running, ',
  ],
  [
    "a field that a body does not have",
    () => ask("POST", "/admin/tenants", { tenant: "acme", colour: "red" }),
    "colour",
    "unknown field; accepted here: tenant, ",
  ],
  [
    "an intent among several",
    () => ask("POST", "/simulate?strict=true", { intents: [wish("a", 1), misspelt] }),
    "intents[1].intent.constraints.locatoin",
    "unknown field",
  ],
  [
    "a posted federation",
    () => ask("POST", "/simulate", { intents: [wish("a", 1)], snapshot: { offers: 5 } }),
    "snapshot.offers",
    "found 5; accepted: a list",
  ],
  [
    "a key that is there twice",
    () => ask("POST", "/intents", '{"intent": {"workload": {"name": "a", "name": "b"}}}'),
    "intent.workload.name",
    "the same key a second time",
  ],
];

test.for(refused)("%s is named with what is accepted instead", async ([, asked, path, message]) => {
  const { status, body } = await asked();
  const errors = body["errors"] as readonly { path: string; message: string }[];
  expect([status, errors.map((one) => one.path)]).toEqual([400, [path]]);
  expect(errors[0]?.message).toContain(message);
  expect(body["message"]).toContain(path);
});

test("a place may be a country by its name, as in intents", async () => {
  const all = await ask("GET", "/resources");
  const [first] = all.body["available_gpus"] as readonly { offer: string; region: string }[];
  const here = await ask("GET", `/resources?location=${first?.region}`);
  const offersOf = ({ body }: typeof here) =>
    (body["available_gpus"] as { offer: string }[]).map((one) => one.offer);
  expect(offersOf(here)).toContain(first?.offer);
  expect(offersOf(await ask("GET", "/resources?location=Germany"))).toEqual(
    offersOf(await ask("GET", "/resources?location=DE")),
  );
  expect(offersOf(await ask("GET", "/resources?location=Germany"))).not.toEqual([]);
});

test("a change says which of its fields are unknown, or is refused for them", async () => {
  const { body } = await ask("POST", "/intents", wish("web", 1));
  const path = `/intents/${String(body["intent_id"])}`;
  const patch = { intent: { constraints: { locatoin: "EU" } } };
  const refusedPatch = await ask("PATCH", `${path}?strict=true`, patch);
  expect([refusedPatch.status, refusedPatch.body["errors"]]).toMatchObject([
    400,
    [{ path: "intent.constraints.locatoin", code: "unknown_field" }],
  ]);
  const { status, body: changed } = await ask("PATCH", path, patch);
  expect([status, changed["warnings"]]).toMatchObject([
    200,
    [{ path: "intent.constraints.locatoin", code: "unknown_field" }],
  ]);
  const clean = await ask("PATCH", path, { intent: { constraints: { locatoin: null } } });
  expect([clean.status, clean.body["warnings"]]).toEqual([200, []]);
});

const shape = z.strictObject({
  list: z.array(z.strictObject({ word: z.enum(["a", "b"]).optional() })).min(1),
  text: z.string().min(2).optional(),
  count: z.int().max(3).optional(),
});

const shapes: readonly (readonly [unknown, readonly (readonly [string, string])[]])[] = [
  [{}, [["list", "missing; accepted: a list"]]],
  [{ list: [] }, [["list", "found []; accepted: at least 1 entries"]]],
  [{ list: [{ word: "c" }] }, [["list[0].word", 'found "c"; accepted: a, b']]],
  [{ list: [{ wrd: "a" }] }, [["list[0].wrd", "unknown field; accepted here: word"]]],
  [{ list: [{}], text: "x" }, [["text", 'found "x"; accepted: at least 2 characters']]],
  [{ list: [{}], count: 4 }, [["count", "found 4; accepted: at most 3"]]],
  [
    { list: [{}], text: 5, count: 0.5 },
    [
      ["text", "found 5; accepted: a text"],
      ["count", "found 0.5; accepted: a whole number"],
    ],
  ],
];

test.for(shapes)("%j is refused in the words of the house", ([document, expected]) => {
  let problems: readonly (readonly [string, string])[] = [];
  try {
    readShape(shape, document);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    problems = error.problems.map(({ path, message }) => [path, message]);
  }
  expect(problems).toEqual(expected);
});

test("the path of a repeated key goes through objects and lists, and strings are no keys", () => {
  expect(repeatedKey('{"a":[{"x":":","b":["{",{"c":1,"c" :2}]}]}')).toBe("a[0].b[1].c");
  expect(repeatedKey('[1,{"a":"a","b":{"a":1}},{"\\u0061":1,"a":2}]')).toBe("[2].a");
  expect(repeatedKey('{"a":{"b":1},"b":{"a":"\\"b\\":"}}')).toBe(null);
});
