import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { limits, listen } from "../../../api/platform/listen.ts";
import { type RunningService, serve } from "../../../api/serve.ts";
import { twoOffers, wish } from "../driven-env.ts";
import { type RawAnswer, sendRaw } from "./raw.ts";

let service: RunningService;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flare-socket-"));
  service = await serve({
    host: "127.0.0.1",
    port: 0,
    data: folder,
    snapshot: twoOffers,
    logLevel: "silent",
    onFatal(message) {
      throw new Error(message);
    },
  });
});
afterAll(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

const auth = (): string => `Authorization: Bearer ${service.adminToken}\r\n`;
const host = "Host: flare\r\n";
const closing = "Connection: close\r\n";
const isAnswered = (text: string): boolean => /\r\n\r\n/.test(text);

const get = (path: string, headers = ""): string =>
  `GET ${path} HTTP/1.1\r\n${host}${auth()}${closing}${headers}\r\n`;
const post = (headers: string, body: string): string =>
  `POST /intents HTTP/1.1\r\n${host}${auth()}${closing}Content-Type: application/json\r\n${headers}\r\n${body}`;

async function isAlive(): Promise<boolean> {
  return (await fetch(`${service.url}/livez`)).status === 200;
}

/** A problem that says what it is, whichever layer found it. */
function expectProblem({ text }: RawAnswer, status: number): void {
  expect(text).toContain(`HTTP/1.1 ${status} `);
  expect(text.toLowerCase()).toContain("content-type: application/problem+json");
  expect(text).toContain('"error_code":"');
}

const small = JSON.stringify(wish("smuggled", 1));
const length = (text: string): string => `Content-Length: ${Buffer.byteLength(text)}\r\n`;

/** Requests that two readers could understand differently, or that are no HTTP at all: 400, and the line goes down. */
const malformed: readonly (readonly [string, () => readonly string[]])[] = [
  [
    "both Content-Length and Transfer-Encoding",
    () => [post(`${length(small)}Transfer-Encoding: chunked\r\n`, `0\r\n\r\n${get("/intents")}`)],
  ],
  ["two Content-Lengths", () => [post(`${length(small)}Content-Length: 5\r\n`, small)]],
  ["a signed Content-Length", () => [post("Content-Length: +5\r\n", small)]],
  ["a header with bare LF", () => [`GET /livez HTTP/1.1\nHost: flare\nX-A: b\n\n`]],
  ["a folded header", () => [get("/livez", "X-A: b\r\n c\r\n")]],
  ["a space before the colon", () => [get("/livez", "X-A : b\r\n")]],
  ["NUL in a header", () => [get("/livez", "X-A: b\u0000c\r\n")]],
  ["bare CR in a header", () => [get("/livez", "X-A: b\rX-B: c\r\n")]],
  ["no Host", () => [`GET /livez HTTP/1.1\r\n${closing}\r\n`]],
  ["a version that is none", () => [`GET /livez HTTP/9.9\r\n${host}\r\n`]],
  ["noise", () => ["\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\r\n\r\n"]],
  ["a chunk size that is none", () => [post("Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n0\r\n\r\n")]],
  ["an encoding that nobody speaks", () => [post("Transfer-Encoding: chunked, sesame\r\n", "0\r\n\r\n")]],
];

test.for(malformed)("%s is refused and the connection closed", async ([, parts]) => {
  const answer = await sendRaw(service.url, parts());
  expect(answer.closed).toBe(true);
  expect(answer.statuses).toEqual([400]);
  expectProblem(answer, 400);
  expect(await isAlive()).toBe(true);
});

test("a body that is too large is refused, declared or not", async () => {
  const big = "x".repeat(300 * 1024);
  expectProblem(await sendRaw(service.url, [post(length(big), big)]), 413);
  const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
  expectProblem(
    await sendRaw(service.url, [post("Transfer-Encoding: chunked\r\n", chunk.repeat(12)), "0\r\n\r\n"]),
    413,
  );
  expect(await isAlive()).toBe(true);
});

test("headers and URLs that are too large or too many are refused", async () => {
  expectProblem(await sendRaw(service.url, [get("/livez", `X-A: ${"a".repeat(17_000)}\r\n`)]), 431);
  const many = Array.from({ length: 120 }, (_, index) => `X-${index}: a\r\n`).join("");
  expectProblem(await sendRaw(service.url, [get("/livez", many)]), 431);
  expectProblem(await sendRaw(service.url, [get(`/livez?${"a".repeat(9000)}`)]), 414);
});

test("headers of proxies and method overrides change nothing", async () => {
  const spoofed = await sendRaw(service.url, [
    get(
      "/intents/nothing",
      "X-HTTP-Method-Override: DELETE\r\nX-Method-Override: DELETE\r\nX-Forwarded-For: 127.0.0.1\r\nX-Original-URL: /admin/tenants\r\nX-Rewrite-URL: /admin/tenants\r\n",
    ),
  ]);
  expectProblem(spoofed, 404);
  expect(spoofed.text).toContain("there is no such intent");
});

test("an absolute URI is a path like any other", async () => {
  const answer = await sendRaw(service.url, [
    `GET http://elsewhere.example/livez HTTP/1.1\r\n${host}${closing}\r\n`,
  ]);
  expect(answer.statuses).toEqual([200]);
});

test("HTTP/1.0 is answered and closed; pipelined requests are answered in order", async () => {
  const old = await sendRaw(service.url, [`GET /livez HTTP/1.0\r\n${host}\r\n`]);
  expect([old.closed, old.statuses]).toEqual([true, [200]]);
  const line = `GET /livez HTTP/1.1\r\n${host}\r\nGET /nothing HTTP/1.1\r\n${host}\r\nGET /health HTTP/1.1\r\n${host}${closing}\r\n`;
  expect((await sendRaw(service.url, [line])).statuses).toEqual([200, 404, 200]);
});

test("whoever asks for another protocol gets none", async () => {
  expectProblem(
    await sendRaw(service.url, [get("/livez", "Upgrade: websocket\r\n").replace("close", "Upgrade")]),
    400,
  );
});

test("a connection that dawdles over headers or body is cut, and holds up nobody else", async () => {
  expect(limits).toMatchObject({ headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16_384 });
  const brisk = { headersTimeout: 150, requestTimeout: 250, connectionsCheckingInterval: 20 };
  const listening = await listen(
    async (request) => new Response(await request.text()),
    "127.0.0.1",
    0,
    brisk,
  );
  const headers = sendRaw(listening.url, ["GET / HTTP/1.1\r\nX-"]);
  const body = sendRaw(listening.url, [post("Content-Length: 10\r\n", "{")]);
  expect((await fetch(listening.url)).status).toBe(200);
  for (const answer of [await headers, await body]) {
    expect(answer.closed).toBe(true);
    expectProblem(answer, 408);
  }
  await listening.close(1000);
});

test("random bytes neither end nor stall the service", async () => {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state >>> 16;
  };
  const total = Number(process.env["FLARE_FUZZ"] ?? 200);
  for (let round = 0; round < total; round += 20)
    await Promise.all(
      Array.from({ length: 20 }, () => {
        const bytes = Uint8Array.from({ length: next() % 400 }, () => next() & 255);
        const lead = next() % 3 === 0 ? "" : next() % 2 === 0 ? "POST /intents HTTP/1.1\r\n" : "GET /";
        return sendRaw(service.url, [lead, bytes, "\r\n\r\n\r\n\r\n"], isAnswered);
      }),
    );
  delay.disable();
  expect(await isAlive()).toBe(true);
  // generous: the machine is shared; a parser that backtracks would take seconds
  expect(delay.percentile(99) / 1e6).toBeLessThan(1000);
});
