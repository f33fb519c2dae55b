import { z } from "@hono/zod-openapi";
import { readShape } from "../../adapters/json/read-shape.ts";
import { parseDurationMs } from "../../adapters/kubernetes/quantity.ts";
import { EngineError } from "../../engine/model/errors.ts";
import { type Role, roleNames } from "./roles.ts";

/** Signature algorithms that may be allowed: asymmetric ones only, so that no public key can serve as a secret. */
const algorithms = [
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
] as const;

/** Who gets what: a group of the issuer, or one subject, and the role that it has in a tenant. */
export interface Grant {
  readonly group?: string;
  readonly subject?: string;
  readonly tenant: string;
  readonly role: Role;
}

/** The registration of this service at an issuer, for signing in with a browser. */
export interface ClientConfig {
  readonly id: string;
  /** File with the secret; absent: a public client, which PKCE protects. */
  readonly secretFile: string | null;
  readonly scopes: readonly string[];
}

/** An issuer that is trusted. */
export interface IssuerConfig {
  /** Short name, for audit and addresses. */
  readonly name: string;
  /** Exactly as in its tokens. */
  readonly issuer: string;
  /** What bearer tokens for this service name as audience; null: none are accepted. */
  readonly audience: string | null;
  readonly algorithms: readonly string[];
  /** Values of the header `typ` of bearer tokens, lower case; empty text: without one. */
  readonly tokenTypes: readonly string[];
  /** Clients whose bearer tokens are accepted (`azp`, `client_id`); null: all. */
  readonly authorizedParties: readonly string[] | null;
  /** Where the groups are in the claims, outermost first. */
  readonly groupsClaim: readonly string[];
  readonly clockSkewMs: number;
  /** Oldest bearer token that is accepted, by `iat`. */
  readonly tokenAgeMs: number;
  readonly client: ClientConfig | null;
  /** Private networks that it may be reached in, and whether by plain http. */
  readonly network: { readonly allow: readonly string[]; readonly http: boolean };
  readonly grants: readonly Grant[];
}

/** Single sign-on of a service. */
export interface SsoConfig {
  /** Origin under which browsers reach the service. */
  readonly externalUrl: string;
  readonly session: { readonly lifetimeMs: number; readonly idleMs: number };
  readonly issuers: readonly IssuerConfig[];
}

const MINUTE_MS = 60_000;

/** A Go duration within bounds, milliseconds. */
const duration = (leastMs: number, mostMs: number, text: string) =>
  z.string().transform((value, context): number => {
    try {
      const ms = parseDurationMs(value);
      if (ms >= leastMs && ms <= mostMs) return ms;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
    context.addIssue({ code: "custom", message: `accepted: ${text}` });
    return z.NEVER;
  });

const text = z.string().min(1).max(512);
const isLoopback = ({ hostname }: URL): boolean => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

/** An origin: https, or http on this machine. */
const origin = z
  .string()
  .refine(
    (value) => {
      const url = URL.parse(value);
      if (url === null || url.origin !== value.replace(/\/$/, "")) return false;
      return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
    },
    { error: () => "accepted: an https origin such as https://flare.example.org, or http on the loopback" },
  )
  .transform((value) => value.replace(/\/$/, ""));

const issuerUrl = z.string().refine(
  (value) => {
    const url = URL.parse(value);
    return url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
  },
  { error: () => "accepted: an absolute URL without query, exactly as in the tokens" },
);

const network = z
  .string()
  .regex(/^[0-9a-fA-F.:]{2,45}\/\d{1,3}$/, { error: () => "accepted: ADDRESS/PREFIX such as 10.20.0.0/16" });

const grant = z
  .strictObject({
    group: text.optional(),
    subject: text.optional(),
    tenant: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { error: () => "accepted: the name of a tenant" }),
    role: z.enum(roleNames),
  })
  .refine(({ group, subject }) => (group === undefined) !== (subject === undefined), {
    error: () => "accepted: either group or subject",
  });

const issuer = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]{1,32}$/, { error: () => "accepted: a-z, 0-9 and -, up to 32" }),
    issuer: issuerUrl,
    audience: text.optional(),
    algorithms: z.array(z.enum(algorithms)).min(1).default(["ES256", "RS256", "EdDSA"]),
    token_types: z
      .array(z.enum(["at+jwt", "jwt", "none"]))
      .min(1)
      .default(["at+jwt", "jwt"]),
    authorized_parties: z.array(text).min(1).optional(),
    groups_claim: z.union([text, z.array(text).min(1).max(8)]).default("groups"),
    clock_skew: duration(0, 5 * MINUTE_MS, '"0s" to "5m"').default(MINUTE_MS),
    max_token_age: duration(MINUTE_MS, 8760 * 60 * MINUTE_MS, '"1m" to "8760h"').default(24 * 60 * MINUTE_MS),
    client: z
      .strictObject({
        id: text,
        secret_file: text.optional(),
        scopes: z.array(text).min(1).default(["openid", "profile"]),
      })
      .refine(({ scopes }) => scopes.includes("openid"), {
        path: ["scopes"],
        error: () => "accepted: a list with openid in it",
      })
      .optional(),
    network: z
      .strictObject({ allow: z.array(network).default([]), http: z.boolean().default(false) })
      .default({ allow: [], http: false }),
    grants: z.array(grant).min(1).max(10_000),
  })
  .superRefine((value, context) => {
    const { client, audience, network: reach } = value;
    const refuse = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    if (client === undefined && audience === undefined)
      refuse("audience", "accepted: an audience for bearer tokens, or a client for browsers, or both");
    // else an ID token, which is for this service's own eyes, would be good as a bearer token
    if (client !== undefined && client.id === audience)
      refuse("audience", "accepted: something other than client.id");
    if (value.issuer.startsWith("http:") && !reach.http)
      refuse("issuer", "accepted: https, or http with network.http: true");
  });

const document = z.strictObject({
  external_url: origin,
  session: z
    .strictObject({
      lifetime: duration(MINUTE_MS, 24 * 60 * MINUTE_MS, '"1m" to "24h"').default(8 * 60 * MINUTE_MS),
      idle: duration(MINUTE_MS, 24 * 60 * MINUTE_MS, '"1m" to "24h"').default(30 * MINUTE_MS),
    })
    .prefault({}),
  issuers: z
    .array(issuer)
    .min(1)
    .max(20)
    .superRefine((all, context) => {
      all.forEach((one, index) => {
        for (const key of ["name", "issuer"] as const)
          if (all.findIndex((other) => other[key] === one[key]) < index)
            context.addIssue({ code: "custom", path: [index, key], message: "is there twice" });
      });
    }),
});

/**
 * The configuration of single sign-on from a parsed file.
 *
 * @throws {EngineError} with every problem, each with its path
 */
export function readSsoConfig(parsed: unknown): SsoConfig {
  const { external_url, session, issuers } = readShape(document, parsed);
  return {
    externalUrl: external_url,
    session: { lifetimeMs: session.lifetime, idleMs: session.idle },
    issuers: issuers.map(
      (one): IssuerConfig => ({
        name: one.name,
        issuer: one.issuer,
        audience: one.audience ?? null,
        algorithms: one.algorithms,
        tokenTypes: one.token_types.map((type) => (type === "none" ? "" : type)),
        authorizedParties: one.authorized_parties ?? null,
        groupsClaim: typeof one.groups_claim === "string" ? [one.groups_claim] : one.groups_claim,
        clockSkewMs: one.clock_skew,
        tokenAgeMs: one.max_token_age,
        client:
          one.client === undefined
            ? null
            : { id: one.client.id, secretFile: one.client.secret_file ?? null, scopes: one.client.scopes },
        network: one.network,
        grants: one.grants.map(({ group, subject, tenant, role }) => ({
          tenant,
          role,
          ...(group === undefined ? {} : { group }),
          ...(subject === undefined ? {} : { subject }),
        })),
      }),
    ),
  };
}
