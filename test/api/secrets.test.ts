import { expect, test } from "vitest";
import type { Log } from "../../api/env.ts";
import { openSqlite } from "../../api/store/sqlite.ts";
import { openLocalStore } from "../../api/store/sqlite-store.ts";
import { createDrivenService, wish } from "./driven-env.ts";

/** Where a caller may put something that must not be told: what it is, and a mark to look for. */
const canaries = {
  environment: "canary-environment-4711",
  header: "canary-header-4712",
  cookie: "canary-cookie-4713",
};

test("secrets show up neither in logs, events, audit, errors of others, nor metrics; tokens and signing secrets are nowhere in the store", async () => {
  const lines: string[] = [];
  const note = (fields: object, message: string): void =>
    void lines.push(JSON.stringify({ ...fields, message }));
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const connection = openSqlite({ path: ":memory:" });
  const service = await createDrivenService({
    log,
    store: await openLocalStore(connection),
    scenario: {
      faults: [
        { on: "reserve", fault: "refuse", times: 1 },
        { on: "purchase", fault: "unavailable", times: 2 },
        { on: "deploy", fault: "answer_lost", times: 1 },
      ],
    },
  });
  const token = await service.token(["admin:*"]);
  const secret = token.split("_")[2]!;
  const headers = {
    cookie: `session=${canaries.cookie}`,
    "x-anything": canaries.header,
    "idempotency-key": "k1",
  };
  const document = wish("web", 1) as { intent: { workload: Record<string, unknown> } };
  document.intent.workload["env"] = [{ name: "PASSWORD", value: canaries.environment }];
  const accepted = await service.request(token, "POST", "/intents", document, headers);
  expect(accepted.status).toBe(202);
  await service.run(60_000, 60);
  const path = `/intents/${String(accepted.body["intent_id"])}`;
  const outputs = [accepted.text];
  for (const [method, where, who] of [
    ["GET", `${path}/decision`, token],
    ["GET", "/audit", token],
    ["GET", "/metrics", token],
    ["GET", "/auth/tokens", token],
    ["GET", "/auth/verify", token],
    ["GET", path, `${token}x`],
    ["GET", "/nowhere", token],
    ["POST", "/intents", token],
  ] as const)
    outputs.push(
      (await service.request(who, method, where, method === "POST" ? "{" : undefined, headers)).text,
    );
  const made = await service.request(
    token,
    "POST",
    "/auth/tokens",
    { name: "other" },
    { cookie: headers.cookie },
  );
  const other = String(made.body["token"]);
  expect(other).toMatch(/^flr_/);
  const hook = await service.request(token, "POST", "/webhooks", { url: "https://hooks.example.org/" });
  const rotated = await service.request(
    token,
    "POST",
    `/webhooks/${String(hook.body["webhook_id"])}/rotate`,
    {},
  );
  const signing = [hook, rotated].map(({ body }) => String(body["secret"]).replace("whsec_", ""));
  for (const path of ["/webhooks", `/webhooks/${String(hook.body["webhook_id"])}/deliveries`, "/audit"])
    outputs.push((await service.request(token, "GET", path)).text);
  const rows = (sql: string): string => JSON.stringify(connection.raw.prepare(sql).all());
  const told = [...lines, ...outputs, rows("select * from events"), rows("select * from audit")].join("\n");
  expect(lines.length).toBeGreaterThan(0);
  for (const mark of [...Object.values(canaries), secret, token, ...signing])
    expect(told).not.toContain(mark);

  // the store keeps what the user said, and of tokens only hashes
  const everything = connection.raw
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite%'")
    .all()
    .map(({ name }) => rows(`select * from "${String(name)}"`))
    .join("\n");
  expect(everything).toContain(canaries.environment);
  for (const mark of [secret, other.split("_")[2]!, canaries.cookie, canaries.header, ...signing])
    expect(everything).not.toContain(mark);
});
