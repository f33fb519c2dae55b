import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type RunningService, serve } from "../../../api/serve.ts";
import { readSsoConfig } from "../../../api/sso/config.ts";
import { twoOffers, wish } from "../driven-env.ts";

let folder: string;
let service: RunningService;
let issuer: Server;
let issuerUrl: string;

const listen = (server: Server): Promise<number> =>
  new Promise((done) => server.listen(0, "127.0.0.1", () => done((server.address() as AddressInfo).port)));

/** A port that was free a moment ago: the issuer has to know where the service will be. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((done) => server.close(done));
  return port;
}

/** A certified issuer at which alice is signed in without being asked. */
async function startProvider(redirect: string): Promise<void> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  let provider: Provider;
  issuer = createServer((request, response) => {
    if (request.url?.startsWith("/interaction/") !== true) return provider.callback()(request, response);
    void (async () => {
      const { prompt, params } = await provider.interactionDetails(request, response);
      if (prompt.name === "login")
        return provider.interactionFinished(request, response, { login: { accountId: "alice" } });
      const grant = new provider.Grant({ accountId: "alice", clientId: params.client_id });
      grant.addOIDCScope("openid profile groups");
      const consent = { grantId: await grant.save() };
      return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
    })();
  });
  issuerUrl = `http://127.0.0.1:${await listen(issuer)}`;
  provider = new Provider(issuerUrl, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: "one", alg: "RS256", use: "sig" }] },
    cookies: { keys: ["a key of the tests"] },
    clients: [
      {
        client_id: "flare",
        client_secret: "secret-of-the-client",
        redirect_uris: [redirect],
        response_types: ["code"],
        grant_types: ["authorization_code"],
      },
      {
        client_id: "ci",
        client_secret: "secret-of-ci",
        redirect_uris: [],
        response_types: [],
        grant_types: ["client_credentials"],
      },
    ],
    claims: { openid: ["sub"], profile: ["name"], groups: ["groups"] },
    conformIdTokenClaims: false,
    ttl: {
      Interaction: 600,
      Session: 600,
      Grant: 600,
      AccessToken: 600,
      IdToken: 600,
      ClientCredentials: 600,
    },
    pkce: { required: () => true },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: async () => ({ sub: id, name: "Alice", groups: ["ml-team", "everybody"] }),
    }),
    extraTokenClaims: () => ({ groups: ["robots"] }),
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: "",
          audience: "flare-api",
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  });
}

beforeAll(async () => {
  // what the issuer says about its own readiness for production
  vi.spyOn(console, "warn").mockImplementation(() => {});
  folder = mkdtempSync(join(tmpdir(), "flare-sso-"));
  const port = await freePort();
  const externalUrl = `http://127.0.0.1:${port}`;
  await startProvider(`${externalUrl}/api/v1/auth/callback`);
  const secretFile = join(folder, "client.secret");
  writeFileSync(secretFile, "secret-of-the-client\n");
  service = await serve({
    host: "127.0.0.1",
    port,
    data: join(folder, "data"),
    snapshot: twoOffers,
    logLevel: "silent",
    sso: readSsoConfig({
      external_url: externalUrl,
      issuers: [
        {
          name: "corp",
          issuer: issuerUrl,
          audience: "flare-api",
          algorithms: ["RS256"],
          client: { id: "flare", secret_file: secretFile, scopes: ["openid", "profile", "groups"] },
          network: { allow: ["127.0.0.0/8"], http: true },
          grants: [
            { group: "ml-team", tenant: "default", role: "operator" },
            { subject: "ci", tenant: "default", role: "viewer" },
          ],
        },
      ],
    }),
    onFatal(message) {
      throw new Error(message);
    },
  });
});
afterAll(async () => {
  await service.close();
  issuer.closeAllConnections();
  issuer.close();
  rmSync(folder, { recursive: true });
});

/** A browser: cookies of one host, redirects one by one. */
function createBrowser() {
  const jar = new Map<string, string>();
  const get = async (url: string): Promise<Response> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      const at = pair.indexOf("=");
      if (/max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return answer;
  };
  /** Goes where it is sent until `stop` says so; the places it was at. */
  const follow = async (start: string, stop: (url: string) => boolean): Promise<string[]> => {
    const places = [start];
    for (let hops = 0; hops < 10; hops++) {
      const at = places.at(-1)!;
      if (stop(at)) return places;
      const answer = await get(at);
      const next = answer.headers.get("location");
      if (next === null) throw new Error(`${at} answers ${answer.status}: ${await answer.text()}`);
      places.push(new URL(next, at).href);
    }
    throw new Error(places.join("\n"));
  };
  return { jar, get, follow };
}

test("alice signs in at the issuer, works with her session and signs out", async () => {
  const { jar, get, follow } = createBrowser();
  const places = await follow(
    `${service.url}/auth/login?return_to=/resources`,
    (url) => url === `${service.url}/resources`,
  );
  const asked = new URL(places[1]!).searchParams;
  expect(Object.fromEntries(asked)).toMatchObject({
    response_type: "code",
    client_id: "flare",
    code_challenge_method: "S256",
    redirect_uri: `${service.url}/api/v1/auth/callback`,
  });
  const who = (await (await get(`${service.url}/auth/verify`)).json()) as object;
  expect(who).toMatchObject({ user: "Alice", tenant: "default" });
  expect(jar.has("flare-login")).toBe(false);

  const session = `flare-session=${jar.get("flare-session")}`;
  const write = (path: string, body?: object) =>
    fetch(`${service.url}${path}`, {
      method: "POST",
      headers: {
        cookie: session,
        origin: service.url,
        "flare-csrf": "1",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  expect((await write("/intents", wish("web", 1))).status).toBe(202);
  const out = (await (await write("/auth/logout")).json()) as { end_session_url: string };
  expect(out.end_session_url).toContain(`${issuerUrl}/session/end?`);
  expect((await fetch(`${service.url}/intents`, { headers: { cookie: session } })).status).toBe(401);
});

test("a callback is good once, for its own state, and for the browser that began", async () => {
  const { jar, get, follow } = createBrowser();
  const isBack = (url: string): boolean => url.includes("/auth/callback?");
  const begin = async () => (await follow(`${service.url}/auth/login`, isBack)).at(-1)!;
  const status = async (url: string, browser = get) => (await browser(url)).status;

  const forged = new URL(await begin());
  forged.searchParams.set("state", "another");
  expect(await status(forged.href)).toBe(401);
  const mixed = new URL(await begin());
  mixed.searchParams.set("iss", "https://evil.example.org");
  expect(await status(mixed.href)).toBe(401);
  const fine = await begin();
  expect(await status(fine, createBrowser().get)).toBe(401);
  const login = jar.get("flare-login")!;
  expect(await status(fine)).toBe(302);
  // the code is used up, whoever comes with it
  jar.set("flare-login", login);
  expect(await status(fine)).toBe(401);
  const denied = `${service.url}/api/v1/auth/callback?error=access_denied&state=x`;
  expect(await status(denied)).toBe(401);
});

test("a token that the issuer gives to a program is good at the API for what the table says", async () => {
  const answer = await fetch(`${issuerUrl}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from("ci:secret-of-ci").toString("base64")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: "https://flare.example.org/" }),
  });
  const { access_token } = (await answer.json()) as { access_token: string };
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${service.url}${path}`, { ...init, headers: { authorization: `Bearer ${access_token}` } });
  expect(await (await ask("/auth/verify")).json()).toMatchObject({
    tenant: "default",
    permissions: ["intents:read", "resources:read"],
  });
  expect((await ask("/intents/any", { method: "DELETE" })).status).toBe(403);
});
