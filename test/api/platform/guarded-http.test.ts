import { channel } from "node:diagnostics_channel";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAddressPolicy } from "../../../api/platform/addresses.ts";
import {
  createGuardedHttp,
  parseTarget,
  RefusedTarget,
  type Resolve,
  resolveByServers,
} from "../../../api/platform/guarded-http.ts";
import { type NameAnswer, startNameServer } from "./name-server.ts";
import { corpus, v4, v6 } from "./ssrf-corpus.ts";

/** Every socket this process opens to somewhere, seen by the runtime itself. */
const sockets: Socket[] = [];
const spy = (message: unknown): void => {
  sockets.push((message as { socket: Socket }).socket);
};
let server: Server;
let port = 0;
let requests: string[] = [];

beforeAll(async () => {
  channel("net.client.socket").subscribe(spy);
  server = createServer((request, answer) => {
    requests.push(request.url ?? "");
    if (request.url === "/redirect")
      answer.writeHead(302, { location: `http://127.0.0.1:${port}/inside` }).end();
    else if (request.url === "/endless") {
      const push = (): void => {
        while (answer.write("x".repeat(16_384)));
        answer.once("drain", push);
      };
      push();
    } else answer.end("hello");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  channel("net.client.socket").unsubscribe(spy);
  server.closeAllConnections();
  server.close();
});

const hook = (url: string) => ({
  method: "POST",
  url,
  headers: { "content-type": "application/json" },
  body: "{}",
  timeoutMs: 2_000,
  maxBytes: 65_536,
});

test("the corpus is as large as promised", () => expect(corpus.length).toBeGreaterThanOrEqual(60));

test.for(corpus)("%s is refused before any socket opens", async (url) => {
  const before = sockets.length;
  const guarded = createGuardedHttp({ addresses: createAddressPolicy(), resolve: async () => ["127.0.0.1"] });
  await expect(guarded.send(hook(url))).rejects.toThrow(RefusedTarget);
  expect(sockets.length).toBe(before);
});

test.for([...v4, ...v6])(
  "a public name that resolves to %s is refused before any socket opens",
  async (address) => {
    const before = sockets.length;
    const guarded = createGuardedHttp({
      addresses: createAddressPolicy(),
      resolve: async () => ["93.184.215.14", address],
    });
    await expect(guarded.send(hook("https://hooks.example.org/"))).rejects.toThrow("is not allowed");
    expect(sockets.length).toBe(before);
  },
);

const open = () => createAddressPolicy([], ["127.0.0.0/8"]);
const local = (addresses = open(), resolve?: Resolve) =>
  createGuardedHttp({
    addresses,
    ports: [port],
    allowHttp: true,
    ...(resolve === undefined ? {} : { resolve }),
  });

test("an allowed target is reached at the checked address, and the spy sees it", async () => {
  const before = sockets.length;
  requests = [];
  const answer = await local(open(), async () => ["127.0.0.1"]).send(
    hook(`http://hooks.example.org:${port}/ok`),
  );
  expect(answer).toEqual({ status: 200, body: "hello" });
  expect(requests).toEqual(["/ok"]);
  expect(sockets.length).toBe(before + 1);
});

test("a name is resolved once per request: a second answer cannot rebind it", async () => {
  const answers = [["127.0.0.1"], ["10.0.0.1"]];
  let asked = 0;
  const guarded = local(open(), async () => answers[asked++] as string[]);
  await guarded.send(hook(`http://hooks.example.org:${port}/ok`));
  expect(asked).toBe(1);
  await expect(guarded.send(hook(`http://hooks.example.org:${port}/ok`))).rejects.toThrow("10.0.0.1");
});

test("the peer is checked again once connected", async () => {
  let checks = 0;
  const flips = { refuse: () => (checks++ === 0 ? null : "changed its mind") };
  requests = [];
  await expect(
    local(flips, async () => ["127.0.0.1"]).send(hook(`http://hooks.example.org:${port}/ok`)),
  ).rejects.toThrow("changed its mind");
  expect(requests).toEqual([]);
});

test("names are asked of name servers, both families; silence is an error, and what no server knows the system may", async () => {
  const says: Record<string, NameAnswer> = {
    "hooks.example.org A": ["127.0.0.1"],
    "hooks.example.org AAAA": ["2606:4700:0:0:0:0:0:1"],
    "inside.example.org A": ["93.184.215.14", "10.0.0.1"],
    "mute.example.org A": "silence",
    "mute.example.org AAAA": "silence",
  };
  const names = await startNameServer((name, type) => says[`${name} ${type}`] ?? "unknown");
  try {
    const resolve = resolveByServers([names.address], 50, async (host) => [`system knows ${host}`]);
    expect(await resolve("hooks.example.org")).toEqual(["127.0.0.1", "2606:4700::1"]);
    expect(await resolve("printer.local")).toEqual(["system knows printer.local"]);
    await expect(resolve("mute.example.org")).rejects.toMatchObject({ code: "ETIMEOUT" });
    const guarded = createGuardedHttp({ addresses: createAddressPolicy(), resolve });
    const before = sockets.length;
    await expect(guarded.send(hook("https://inside.example.org/"))).rejects.toThrow("10.0.0.1");
    expect(sockets.length).toBe(before);
  } finally {
    names.close();
  }
});

test("a name server that changes its answer between two requests gains nothing", async () => {
  let answers = 0;
  const names = await startNameServer((_, type) =>
    type === "AAAA" ? [] : ++answers === 1 ? ["127.0.0.1"] : ["169.254.169.254"],
  );
  try {
    const guarded = local(open(), resolveByServers([names.address], 1000));
    const before = sockets.length;
    expect(await guarded.send(hook(`http://hooks.example.org:${port}/ok`))).toMatchObject({ status: 200 });
    expect([names.asked.filter((one) => one.endsWith(" A")).length, sockets.length - before]).toEqual([1, 1]);
    await expect(guarded.send(hook(`http://hooks.example.org:${port}/ok`))).rejects.toThrow(
      "169.254.169.254",
    );
    expect(sockets.length - before).toBe(1);
  } finally {
    names.close();
  }
});

test("a redirect is an answer and is not followed", async () => {
  requests = [];
  const answer = await local().send(hook(`http://127.0.0.1:${port}/redirect`));
  expect(answer.status).toBe(302);
  expect(requests).toEqual(["/redirect"]);
});

test("an endless body is cut at the limit", async () => {
  const answer = await local().send(hook(`http://127.0.0.1:${port}/endless`));
  expect(answer.body.length).toBe(65_536);
});

test("networks of the installation are refused, and a broken one is named", () => {
  const addresses = createAddressPolicy(["8.8.0.0/16", "2a00::/16"]);
  expect(addresses.refuse("8.8.8.8")).toMatch(/installation/);
  expect(addresses.refuse("2a00::1")).toMatch(/installation/);
  expect(addresses.refuse("9.9.9.9")).toBeNull();
  expect(addresses.refuse("2606:4700::1")).toBeNull();
  expect(() => createAddressPolicy(["10.0.0.0"])).toThrow("10.0.0.0 is no network");
});

test("a plain public target passes", () => {
  const url = parseTarget("https://hooks.example.org:8443/a?b=c", { addresses: createAddressPolicy() });
  expect(url.href).toBe("https://hooks.example.org:8443/a?b=c");
});
