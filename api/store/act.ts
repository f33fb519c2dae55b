/** Who does something, for events and audit. */
export interface Act {
  /** `token:<id>`, or `control`. */
  readonly actor: string;
  readonly atMs: number;
  readonly requestId: string;
}

/** The caller's idempotency key on a route, and the answer to keep. */
export interface IdempotencyKey {
  readonly key: string;
  /** SHA-256 of the raw body, hex. */
  readonly requestHash: string;
  readonly expiresMs: number;
}

/** A kept answer. */
export interface KeptAnswer {
  readonly status: number;
  /** JSON text. */
  readonly response: string;
}

/** What was answered under a key before. */
export type Answered =
  /** With the same body. */
  | ({ readonly kind: "replayed" } & KeptAnswer)
  /** With another body. */
  | { readonly kind: "mismatch" };

/** The caller's key of a write that is to happen once, and the answer to keep: without anything that is secret. */
export interface Once {
  readonly once?: IdempotencyKey & { readonly answer: KeptAnswer };
}
