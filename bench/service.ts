import { type ChildProcess, execFileSync, fork, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openSqlite } from "../api/store/sqlite.ts";
import { DATABASE_FILE } from "../api/store/sqlite-backup.ts";
import { openSqliteStore } from "../api/store/sqlite-store.ts";
import type { StoreStats } from "../api/store/store.ts";
import { trustTenant } from "../api/store/tenant.ts";
import { amountOf, countOf } from "./flags.ts";
import { type LoadResult, request, runLoad } from "./load.ts";
import { type Aim, aim, machine, print } from "./report.ts";
import type { Question } from "./service-process.ts";

interface Figures {
  readonly cpu: { readonly user: number; readonly system: number };
  readonly store: StoreStats;
  readonly rssBytes: number;
  readonly solves: number;
}

/** The service under measurement, in a process of its own. */
interface Measured {
  readonly port: number;
  readonly data: string;
  readonly token: string;
  ask(question: Question): Promise<Figures>;
  tell(question: Question): void;
  /** Calls of fsync and fdatasync so far; null where they cannot be counted. */
  syncs(): number | null;
  stop(): Promise<void>;
}

const folder = (): string => mkdtempSync(join(tmpdir(), "flare-bench-"));

/** The library that counts syncs, or null without Linux and a C compiler. */
function compileCounter(into: string): string | null {
  const compiler = ["cc", "gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);
  if (process.platform !== "linux" || compiler === undefined) return null;
  const library = join(into, "count-syncs.so");
  const source = fileURLToPath(new URL("./count-syncs.c", import.meta.url));
  execFileSync(compiler, ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
  return library;
}

async function start(name: string, offers: number, root: string, hold = false): Promise<Measured> {
  const data = join(root, name);
  mkdirSync(data);
  const library = compileCounter(root);
  const counter = join(root, `${name}.syncs`);
  writeFileSync(counter, new Uint8Array(8));
  const child: ChildProcess = fork(
    fileURLToPath(new URL("./service-process.ts", import.meta.url)),
    [data, String(offers), ...(hold ? ["hold"] : [])],
    { env: { ...process.env, ...(library === null ? {} : { LD_PRELOAD: library, SYNC_COUNTER: counter }) } },
  );
  const message = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      child.once("message", (value) => resolve(value as T));
      child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
    });
  const { url } = await message<{ url: string }>();
  return {
    port: Number(new URL(url).port),
    data,
    token: readFileSync(`${data}.token`, "utf8").trim(),
    ask(question) {
      const answer = message<Figures>();
      child.send(question);
      return answer;
    },
    tell: (question) => void child.send(question),
    syncs: () => (library === null ? null : Number(readFileSync(counter).readBigUInt64LE())),
    async stop() {
      const gone = new Promise((resolve) => child.once("close", resolve));
      child.send("stop" satisfies Question);
      await gone;
    },
  };
}

const intentBody = (name: string): string =>
  JSON.stringify({
    intent: {
      objective: "Cost_Minimization",
      workload: {
        type: "service",
        name,
        image: "registry.example.org/serve:1",
        resources: { cpu: "4", memory: "16Gi", gpu: { count: 1, memory_min: "24Gi" } },
        ports: [{ port: 8000, expose: true, domain: "serve.example.org" }],
        env: [{ name: "MODEL", value: "small" }],
      },
      constraints: { max_hourly_cost: "20 EUR", location: "EU", max_latency_ms: 100 },
      sla: { availability: "99.0%" },
    },
  });

/** Requests that submit intents, each with a name and an idempotency key of its own. */
function submissions(token: string, prefix: string): () => Buffer {
  let made = 0;
  return () => {
    const name = `${prefix}-${made++}`;
    return request("POST", "/api/v1/intents", token, intentBody(name), `idempotency-key: ${name}\r\n`);
  };
}

const accepted = ({ statuses }: LoadResult): number => statuses.get(202) ?? 0;

/** As many intents as 64 connections bring. */
async function measureIntake(service: Measured, seconds: number) {
  const { port, token } = service;
  const load = { host: "127.0.0.1", port, connections: 64 };
  // code that runs thousands of times a second is compiled by then
  await runLoad({ ...load, seconds, next: submissions(token, "warm") });
  const before = await service.ask("figures");
  const syncsBefore = service.syncs();
  const result = await runLoad({ ...load, seconds, next: submissions(token, "intake") });
  const after = await service.ask("figures");
  const syncsAfter = service.syncs();
  const cpuMicros = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  const count = accepted(result);
  const commits = after.store.commits - before.store.commits;
  return {
    perSecond: count / seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    refused: result.answered - count,
    cpuMicrosPerIntent: cpuMicros / count,
    syncsPerIntent: syncsBefore === null || syncsAfter === null ? null : (syncsAfter - syncsBefore) / count,
    syncsPerCommit: syncsBefore === null || syncsAfter === null ? null : (syncsAfter - syncsBefore) / commits,
    commitsPerIntent: commits / count,
    rssMib: Math.round(after.rssBytes / 2 ** 20),
  };
}

/** Reads while a solver never rests. */
async function measureReads(service: Measured, seconds: number) {
  const { port, token } = service;
  let id = "";
  const load = { host: "127.0.0.1", port };
  await runLoad({
    ...load,
    connections: 1,
    seconds: 0.1,
    next: submissions(token, "read"),
    seen: (_status, body) => {
      id ||= (JSON.parse(body) as { intent_id?: string }).intent_id ?? "";
    },
  });
  const next = (): Buffer => request("GET", `/api/v1/intents/${id}`, token);
  const idle = await runLoad({ ...load, connections: 8, seconds, rate: 100, next });
  service.tell("solve");
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const busy = await runLoad({ ...load, connections: 8, seconds, rate: 100, next });
  const { solves } = await service.ask("figures");
  return { idleP99Ms: idle.p99Ms, p50Ms: busy.p50Ms, p99Ms: busy.p99Ms, maxMs: busy.maxMs, solves };
}

/** Milliseconds between two events of the same intent, sorted. */
function between(data: string, prefix: string, from: string, to: string): Float64Array {
  const { raw, close } = openSqlite({ path: join(data, DATABASE_FILE), readOnly: true });
  const rows = raw
    .prepare(
      `select b.at_ms - a.at_ms as ms from events a join events b on b.subject_id = a.subject_id
       join intents i on i.id = a.subject_id where a.kind = ? and b.kind = ? and i.name like ? order by ms`,
    )
    .all(from, to, `${prefix}-%`);
  close();
  return Float64Array.from(rows, (row) => Number(row["ms"]));
}

/** Single arrivals at a steady rate, on a federation with room for all of them. */
async function measureDecisions(service: Measured, seconds: number, rate: number) {
  const { port, token, data } = service;
  const host = "127.0.0.1";
  await runLoad({ host, port, connections: 4, seconds: 1, rate: 20, next: submissions(token, "first") });
  await runLoad({ host, port, connections: 16, seconds, rate, next: submissions(token, "single") });
  // the last ones need their delays of peering and deployment
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const decided = between(data, "single", "intent.queued", "intent.placing");
  const running = between(data, "single", "intent.queued", "intent.running");
  const at = (values: Float64Array, share: number): number =>
    values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN;
  return {
    submitted: Math.round(seconds * rate),
    decided: decided.length,
    running: running.length,
    decisionP50Ms: at(decided, 0.5),
    decisionP99Ms: at(decided, 0.99),
    runningP50Ms: at(running, 0.5),
    runningP99Ms: at(running, 0.99),
  };
}

/** The store alone: writes per second in groups, and one by one as the baseline. */
async function measureStore(root: string, seconds: number, mostInGroup: number): Promise<number> {
  const store = await openSqliteStore({
    path: join(root, `store-${mostInGroup}.db`),
    mostInGroup,
    onFatal(message) {
      throw new Error(message);
    },
  });
  const id = trustTenant("bench");
  await store.system.ensureTenant({
    id,
    weight: 1,
    status: "active",
    quotas: "[]",
    cohort: null,
    created_ms: 0,
  });
  const tenant = store.forTenant(id);
  const body = intentBody("store");
  let made = 0;
  const endMs = performance.now() + seconds * 1000;
  const writer = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const name = `w-${made++}`;
      const idempotency = { key: name, requestHash: name, expiresMs: 1 };
      const answer = { status: 202, response: "{}" };
      const act = { actor: "bench", atMs: 0, requestId: name, message: "" };
      const intent = { id: name, name, kind: "service", priority: 500, document: body, spec: body };
      await tenant.acceptIntent({ ...act, ...intent, answer, idempotency });
    }
  };
  await Promise.all(Array.from({ length: 64 }, writer));
  await store.close();
  return made / seconds;
}

/**
 * The service in a process of its own, the load in this one, on whatever cores there are: intake alone (nothing is
 * placed meanwhile) and beside placing, reads beside a solver,
 * decisions on `--offers` offers (default 10,000); the store alone with and without group commit as the baseline.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      offers: { type: "string", default: "10000" },
      seconds: { type: "string", default: "10" },
      rate: { type: "string", default: "100" },
    },
  });
  const seconds = amountOf("--seconds", values.seconds);
  const offers = countOf("--offers", values.offers);
  const rate = amountOf("--rate", values.rate);
  const root = folder();
  try {
    const grouped = await measureStore(root, seconds / 2, 256);
    const single = await measureStore(root, seconds / 2, 1);
    const first = await start("intake", 1000, root, true);
    const intake = await measureIntake(first, seconds);
    await first.stop();
    const placing = await start("placing", 1000, root);
    const besidePlacing = await measureIntake(placing, seconds);
    await placing.stop();
    const second = await start("reads", 1000, root);
    const reads = await measureReads(second, seconds);
    await second.stop();
    const third = await start("decisions", offers, root);
    const decisions = await measureDecisions(third, seconds, rate);
    await third.stop();
    const aims: Aim[] = [
      aim("durable intents per second, 64 connections", intake.perSecond, { least: 1000 }, "/s"),
      aim("CPU per accepted intent", intake.cpuMicrosPerIntent, { most: 250 }, "us"),
      aim("syncs per accepted intent", intake.syncsPerIntent ?? intake.commitsPerIntent, { most: 0.2 }),
      ...(intake.syncsPerCommit === null
        ? []
        : [aim("syncs per commit", intake.syncsPerCommit, { least: 1 })]),
      aim("p99 of GET while a solver runs", reads.p99Ms, { most: 25 }, "ms"),
      aim("p99 of a decision, single arrivals", decisions.decisionP99Ms, { most: 20 }, "ms"),
      aim("submitted to running, p99", decisions.runningP99Ms, { most: 5000 }, "ms"),
      aim("single arrivals that run in the end", decisions.running / decisions.submitted, { least: 0.99 }),
    ];
    const store = { groupedPerSecond: grouped, singlePerSecond: single, ratio: grouped / single };
    const measured = { store, intake, besidePlacing, reads, decisions };
    const result = { bench: "service", machine: machine(), seconds, ...measured, aims };
    print(values.json === true, result, [
      `store alone: ${Math.round(grouped)}/s in groups, ${Math.round(single)}/s one by one`,
      `intake: ${Math.round(intake.perSecond)}/s, p50 ${intake.p50Ms.toFixed(1)} ms, p99 ${intake.p99Ms.toFixed(1)} ms, ${intake.refused} refused, ${intake.rssMib} MiB`,
      `intake while intents are placed: ${Math.round(besidePlacing.perSecond)}/s, ${Math.round(besidePlacing.cpuMicrosPerIntent)} us CPU each, planning included`,
      `reads: p99 ${reads.idleP99Ms.toFixed(1)} ms idle, ${reads.p99Ms.toFixed(1)} ms beside ${reads.solves} solves`,
      `decisions: p50 ${decisions.decisionP50Ms} ms, p99 ${decisions.decisionP99Ms} ms; running after p50 ${decisions.runningP50Ms} ms`,
    ]);
  } finally {
    rmSync(root, { recursive: true });
  }
}
