import type { SsoConfig } from "./config.ts";

/** Somebody as an issuer says. Who it is, is the pair of issuer and subject; names and addresses identify nobody. */
export interface Identity {
  /** Name of the issuer in the configuration. */
  readonly issuer: string;
  readonly subject: string;
  /** For people to read; the subject when the issuer says nothing better. */
  readonly name: string;
  readonly groups: readonly string[];
  readonly expiresMs: number;
  readonly issuedMs: number;
}

/** What became of a token or of a sign-in. */
export type Verdict =
  | { readonly kind: "known"; readonly identity: Identity }
  | { readonly kind: "expired" }
  /** `reason` is for the log. */
  | { readonly kind: "invalid"; readonly reason: string }
  /** The issuer cannot be asked now. */
  | { readonly kind: "unavailable"; readonly reason: string };

/** What is remembered between leaving for the issuer and coming back. */
export interface SignIn {
  readonly issuer: string;
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE. */
  readonly verifier: string;
  /** Path on this service to go to afterwards. */
  readonly returnTo: string;
  readonly expiresMs: number;
}

/** The configured issuers: their keys, and the code flow with them. */
export interface Issuers {
  /** Checks a bearer token: signature, algorithm, issuer, audience, times, type, party. */
  verify(token: string): Promise<Verdict>;
  /** Where the browser goes to sign in; null: the issuer cannot be asked now. */
  begin(signIn: SignIn): Promise<string | null>;
  /** What the issuer says about who came back to `url`. */
  finish(signIn: SignIn, url: string): Promise<Verdict>;
  /** Where the browser goes to sign out there too; null: nowhere. */
  endSession(issuer: string): Promise<string | null>;
  close(): Promise<void>;
}

/** Single sign-on as routes and authenticators see it. */
export interface Sso {
  readonly config: SsoConfig;
  readonly issuers: Issuers;
}

/** Path that issuers send browsers back to; registered with them, so it never changes. */
export const CALLBACK_PATH = "/api/v1/auth/callback";
