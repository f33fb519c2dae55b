import { readFileSync } from "node:fs";
import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  customFetch as jwksFetch,
  jwtVerify,
  type RemoteJWKSet,
} from "jose";
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  ClientSecretBasic,
  type Configuration,
  calculatePKCECodeChallenge,
  clockTolerance,
  customFetch,
  discovery,
  None,
} from "openid-client";
import { fetch as send } from "undici";
import type { Clock, Log } from "../env.ts";
import type { IssuerConfig, SsoConfig } from "../sso/config.ts";
import { CALLBACK_PATH, type Identity, type Issuers, type Verdict } from "../sso/issuers.ts";
import { createAddressPolicy } from "./addresses.ts";
import { createGuardedAgent, type GuardOptions, parseTarget, type Resolve } from "./guarded-http.ts";

const TIMEOUT_SECONDS = 5;
/** Keys are fetched anew when a token names one that is not known, but not more often than this. */
const KEYS_COOLDOWN_MS = 30_000;
/** A key that an issuer withdraws is good for this long at most. */
const KEYS_AGE_MS = 300_000;
/** An issuer that could not be asked is left alone for this long. */
const RETRY_MS = 5000;
const METADATA_AGE_MS = 3_600_000;
const MOST_BYTES = 1024 * 1024;
const MOST_GROUPS = 1000;

/** What is known of an issuer once it was asked. */
interface Known {
  readonly config: Configuration;
  readonly keys: RemoteJWKSet;
  readonly atMs: number;
}

const portOf = (text: string): number => {
  const url = new URL(text);
  return url.port === "" ? (url.protocol === "http:" ? 80 : 443) : Number(url.port);
};

/** The platform's fetch through the guard: every address that an issuer names is checked like one of a tenant. */
function guardedFetch(issuer: IssuerConfig, resolve: Resolve | undefined) {
  const options: GuardOptions = {
    addresses: createAddressPolicy([], issuer.network.allow),
    ports: [443, 8443, portOf(issuer.issuer)],
    allowHttp: issuer.network.http,
    ...(resolve === undefined ? {} : { resolve }),
  };
  const dispatcher = createGuardedAgent(options, MOST_BYTES);
  const guarded = async (url: string, init: object): Promise<Response> =>
    (await send(parseTarget(url, options), {
      ...init,
      redirect: "manual",
      dispatcher,
    })) as unknown as Response;
  return { fetch: guarded, close: () => dispatcher.close() };
}

/** A claim by its path; undefined when there is none. */
function claimAt(payload: JWTPayload, path: readonly string[]): unknown {
  let value: unknown = payload;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** Groups of a token: texts in a list, or one text; anything else is none. */
function groupsOf(payload: JWTPayload, path: readonly string[]): string[] {
  const claim = claimAt(payload, path);
  const listed = typeof claim === "string" ? [claim] : Array.isArray(claim) ? claim : [];
  return listed.filter((one): one is string => typeof one === "string").slice(0, MOST_GROUPS);
}

const nameOf = ({ preferred_username, name, sub = "" }: JWTPayload): string => {
  const text = [name, preferred_username].find((one) => typeof one === "string" && one.length > 0);
  return String(text ?? sub)
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "")
    .slice(0, 100);
};

/** Null when the subject is not of the form that the standard gives it: it goes into logs. */
function identityOf(issuer: IssuerConfig, payload: JWTPayload): Identity | null {
  const { sub = "", exp = 0, iat = 0 } = payload;
  if (!/^[\x21-\x7e]{1,255}$/.test(sub)) return null;
  return {
    issuer: issuer.name,
    subject: sub,
    name: nameOf(payload),
    groups: groupsOf(payload, issuer.groupsClaim),
    expiresMs: exp * 1000,
    issuedMs: iat * 1000,
  };
}

/** The part of a token that says who made it, unverified; null: it is no token. */
function issuerIn(token: string): string | null {
  try {
    const [, payload = ""] = token.split(".");
    const { iss } = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as { iss?: unknown };
    return typeof iss === "string" ? iss : null;
  } catch {
    return null;
  }
}

const invalid = (reason: string): Verdict => ({ kind: "invalid", reason });

/** What an error of verification means. */
function verdictOf(error: unknown): Verdict {
  if (error instanceof errors.JWTExpired) return { kind: "expired" };
  const isOfToken =
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) &&
    error.code !== "ERR_JOSE_GENERIC";
  const reason = error instanceof Error ? error.message : String(error);
  return isOfToken ? invalid(reason) : { kind: "unavailable", reason };
}

interface Expected {
  readonly audience: string;
  /** Null: any, as in ID tokens. */
  readonly types: readonly string[] | null;
  readonly parties: readonly string[] | null;
  readonly ageMs: number | null;
}

function readSecret(issuer: string, file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`client.secret_file of the issuer ${issuer}: ${message}`, { cause: error });
  }
}

/** One configured issuer, asked when it is needed first. */
function createIssuer(
  issuer: IssuerConfig,
  externalUrl: string,
  { clock, log, resolve }: IssuerTools,
): {
  verify(token: string, expected: Expected): Promise<Verdict>;
  known(): Promise<Known | null>;
  close(): Promise<void>;
} {
  const guard = guardedFetch(issuer, resolve);
  const { client } = issuer;
  const secret = client?.secretFile == null ? null : readSecret(issuer.name, client.secretFile);
  let asking: Promise<Known | null> | null = null;
  let last: Known | null = null;
  let failedMs = Number.NEGATIVE_INFINITY;

  const ask = async (): Promise<Known> => {
    const config = await discovery(
      new URL(issuer.issuer),
      client?.id ?? "flare",
      { redirect_uris: [`${externalUrl}${CALLBACK_PATH}`], [clockTolerance]: issuer.clockSkewMs / 1000 },
      secret === null ? None() : ClientSecretBasic(secret),
      {
        [customFetch]: guard.fetch,
        timeout: TIMEOUT_SECONDS,
        execute: issuer.network.http ? [allowInsecureRequests] : [],
      },
    );
    const { issuer: said, jwks_uri } = config.serverMetadata();
    if (said !== issuer.issuer) throw new Error(`says that it is ${said}`);
    if (jwks_uri === undefined) throw new Error("names no keys");
    const keys = createRemoteJWKSet(new URL(jwks_uri), {
      timeoutDuration: TIMEOUT_SECONDS * 1000,
      cooldownDuration: KEYS_COOLDOWN_MS,
      cacheMaxAge: KEYS_AGE_MS,
      [jwksFetch]: guard.fetch,
    });
    return { config, keys, atMs: clock.monoMs() };
  };
  const known = async (): Promise<Known | null> => {
    const now = clock.monoMs();
    if (last !== null && now - last.atMs < METADATA_AGE_MS) return last;
    // an issuer that is down keeps the keys it had
    if (now - failedMs < RETRY_MS) return last;
    asking ??= ask()
      .then(
        (found) => {
          last = found;
          return found;
        },
        (error: unknown) => {
          failedMs = clock.monoMs();
          log.warn({ issuer: issuer.name, error: String(error) }, "an issuer could not be asked");
          return last;
        },
      )
      .finally(() => {
        asking = null;
      });
    return asking;
  };
  const verify = async (token: string, expected: Expected): Promise<Verdict> => {
    const found = await known();
    if (found === null) return { kind: "unavailable", reason: "its metadata could not be read" };
    try {
      const { payload, protectedHeader } = await jwtVerify(token, found.keys, {
        issuer: issuer.issuer,
        audience: expected.audience,
        algorithms: [...issuer.algorithms],
        clockTolerance: issuer.clockSkewMs / 1000,
        requiredClaims: ["exp", "iat", "sub", "aud"],
        currentDate: new Date(clock.wallMs()),
      });
      const type = (protectedHeader.typ ?? "").toLowerCase().replace(/^application\//, "");
      if (expected.types !== null && !expected.types.includes(type)) return invalid(`typ is "${type}"`);
      const party = payload["azp"] ?? payload["client_id"];
      if (expected.parties !== null && !expected.parties.includes(String(party)))
        return invalid("its party is not authorized");
      const skew = issuer.clockSkewMs;
      const identity = identityOf(issuer, payload);
      if (identity === null) return invalid("sub is not of 1 to 255 visible ASCII characters");
      const age = clock.wallMs() - identity.issuedMs;
      if (age < -skew) return invalid("issued in the future");
      if (expected.ageMs !== null && age > expected.ageMs + skew) return { kind: "expired" };
      return { kind: "known", identity };
    } catch (error) {
      return verdictOf(error);
    }
  };
  return { verify, known, close: guard.close };
}

/** What issuers are asked with. */
export interface IssuerTools {
  readonly clock: Clock;
  readonly log: Log;
  /** Default the system's. */
  readonly resolve?: Resolve;
}

/**
 * The configured issuers through `jose` and `openid-client`. Nothing is asked before it is needed, so the service starts
 * while an issuer is down.
 *
 * @throws {Error} when the file of a client's secret cannot be read
 */
export function createIssuers(config: SsoConfig, tools: IssuerTools): Issuers {
  const all = new Map(
    config.issuers.map((issuer) => [
      issuer.name,
      { issuer, port: createIssuer(issuer, config.externalUrl, tools) },
    ]),
  );
  const byUrl = new Map([...all.values()].map((one) => [one.issuer.issuer, one]));
  return {
    async verify(token) {
      const found = byUrl.get(issuerIn(token) ?? "");
      if (found === undefined) return invalid("of an issuer that is not trusted");
      const { issuer, port } = found;
      if (issuer.audience === null) return invalid("of an issuer for browsers alone");
      return port.verify(token, {
        audience: issuer.audience,
        types: issuer.tokenTypes,
        parties: issuer.authorizedParties,
        ageMs: issuer.tokenAgeMs,
      });
    },
    async begin({ issuer: name, state, nonce, verifier }) {
      const found = all.get(name);
      const known = await found?.port.known();
      if (found?.issuer.client == null || known == null) return null;
      return buildAuthorizationUrl(known.config, {
        redirect_uri: `${config.externalUrl}${CALLBACK_PATH}`,
        scope: found.issuer.client.scopes.join(" "),
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      }).href;
    },
    async finish({ issuer: name, state, nonce, verifier }, url) {
      const found = all.get(name);
      const known = await found?.port.known();
      if (found?.issuer.client == null) return invalid("of an issuer without browsers");
      if (known == null) return { kind: "unavailable", reason: "its metadata could not be read" };
      let token: string | undefined;
      try {
        const answer = await authorizationCodeGrant(known.config, new URL(url), {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        });
        token = answer.id_token;
      } catch (error) {
        const { code, cause } = error as { code?: string; cause?: { code?: string } };
        const isDown = error instanceof TypeError || /TIMEOUT|ECONN|ENOTFOUND/.test(`${code} ${cause?.code}`);
        return isDown
          ? { kind: "unavailable", reason: String(error) }
          : invalid(`${code ?? "refused"}: ${(error as Error).message}`);
      }
      if (token === undefined) return invalid("there is no ID token");
      const { id } = found.issuer.client;
      return found.port.verify(token, { audience: id, types: null, parties: null, ageMs: null });
    },
    async endSession(name) {
      const known = await all.get(name)?.port.known();
      if (known?.config.serverMetadata().end_session_endpoint === undefined) return null;
      return buildEndSessionUrl(known.config, { post_logout_redirect_uri: `${config.externalUrl}/` }).href;
    },
    async close() {
      await Promise.all([...all.values()].map(({ port }) => port.close()));
    },
  };
}
