import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { DATABASE_FILE } from "../../api/store/sqlite-backup.ts";
import { openSqliteStore } from "../../api/store/sqlite-store.ts";
import { verifyCommand } from "../../cli/data.ts";
import { InputError } from "../../cli/exit.ts";
import { createProgram } from "../../cli/program.ts";
import { acceptance, tenantOf } from "../api/store/rows.ts";

const folder = mkdtempSync(join(tmpdir(), "flare-flags-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sso = (document: object): string => {
  const file = join(folder, "sso.yaml");
  writeFileSync(file, JSON.stringify(document));
  return file;
};

const refused: readonly (readonly [string, () => readonly string[], string])[] = [
  [
    "an issuer without its client's or its own audience",
    () => [
      "--sso",
      sso({
        external_url: "https://flare.example.org",
        issuers: [
          {
            name: "corp",
            issuer: "https://login.example.org",
            grants: [{ group: "a", tenant: "b", role: "viewer" }],
          },
        ],
      }),
    ],
    "sso.yaml: issuers[0].audience: accepted: an audience",
  ],
  [
    "a client's secret that is not there",
    () => [
      "--sso",
      sso({
        external_url: "https://flare.example.org",
        issuers: [
          {
            name: "corp",
            issuer: "https://login.example.org",
            client: { id: "flare", secret_file: join(folder, "nowhere") },
            grants: [{ group: "a", tenant: "b", role: "viewer" }],
          },
        ],
      }),
    ],
    "client.secret_file of the issuer corp: ENOENT",
  ],
  ["a file that is not there", () => ["--sso", join(folder, "none.yaml")], "no such file"],
  [
    "a network that is none",
    () => ["--webhook-allow", "10.0.0.0"],
    "--webhook-allow 10.0.0.0: accepted: ADDRESS/PREFIX",
  ],
  ["a prefix that is too long", () => ["--webhook-deny", "10.0.0.0/33"], "--webhook-deny 10.0.0.0/33"],
  ["a port that is none", () => ["--webhook-port", "0"], "--webhook-port 0: accepted: 1 to 65535"],
  ["a key that is not there", () => ["--secret-key-file", join(folder, "key")], "key"],
];

test.for(refused)("%s is told before anything starts", async ([, flags, message]) => {
  const program = createProgram(() => {});
  const data = join(folder, "data");
  const error: unknown = await program
    .parseAsync([
      "node",
      "flare",
      "serve",
      "--port",
      "0",
      "--data",
      data,
      "--log-level",
      "silent",
      ...flags(),
    ])
    .then(
      () => null,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(InputError);
  expect((error as InputError).lines.join("\n")).toContain(message);
});

/** What is wrong with the file that the in-process federation remembers with, and what is said about it. */
const broken: readonly (readonly [string, (file: string) => void, RegExp])[] = [
  [
    "no database",
    (file) => writeFileSync(file, "something else, and longer than the header of a database. ".repeat(4)),
    /^error: file is not a database\n$/,
  ],
  [
    "cut off",
    (file) => {
      const database = new DatabaseSync(file);
      database.exec("create table held (key text primary key, entry text not null) strict");
      database.exec("insert into held values ('k', '{')");
      database.close();
    },
    /^error: .*JSON/,
  ],
];

// a process that is left with an open store would neither end nor serve
test.for(broken)("a memory that is %s ends the process", ([name, write, message]) => {
  const data = join(folder, name);
  mkdirSync(data);
  write(join(data, "federation.db"));
  const { status, stderr } = spawnSync(
    process.execPath,
    ["cli/main.ts", "serve", "--port", "0", "--data", data, "--log-level", "silent"],
    { encoding: "utf8", timeout: 30_000, killSignal: "SIGKILL" },
  );
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
});

test("flare verify ends with 4 where a row is not what its events say", async () => {
  const data = join(folder, "tampered");
  mkdirSync(data);
  const store = await openSqliteStore({ path: join(data, DATABASE_FILE), onFatal: () => {} });
  await (await tenantOf(store, "one")).acceptIntent(acceptance("a"));
  await store.close();
  const write = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  onTestFinished(() => write.mockRestore());
  expect(await verifyCommand({ data })).toBe(0);
  const database = new DatabaseSync(join(data, DATABASE_FILE));
  database.exec("update intents set priority = 999");
  database.close();
  expect(await verifyCommand({ data })).toBe(4);
});
