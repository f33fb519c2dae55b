import type { Act } from "./act.ts";
import type { SessionRow } from "./schema.ts";
import type { TenantId } from "./tenant.ts";

/** Who signed in with a browser, and who may no longer. */
export interface Sessions {
  /** Audited in `tenant`. */
  createSession(
    input: Act & { readonly session: Omit<SessionRow, "ended_ms">; readonly tenant: TenantId },
  ): Promise<void>;
  /** With the time up to which what is older of the same person was revoked. */
  session(id: string): Promise<(SessionRow & { readonly cutoff_ms: number }) | null>;
  /** Since when tokens and sessions of somebody count; 0: always. */
  cutoff(who: { readonly issuer: string; readonly subject: string }): Promise<number>;
  /** Sessions that have neither ended nor run out, newest first. */
  sessions(input: { readonly atMs: number; readonly limit: number }): Promise<readonly SessionRow[]>;
  touchSession(input: { readonly id: string; readonly atMs: number }): Promise<void>;
  /** The session with its time of ending, or null when there is none of that id. Audited in `tenant`. */
  endSession(input: Act & { readonly id: string; readonly tenant: TenantId }): Promise<SessionRow | null>;
  /**
   * Ends all sessions of somebody, and refuses every token that the issuer issued until now; with `ownTokens` also the
   * tokens of this service that they made. Returns how many sessions.
   */
  revokeIdentity(
    input: Act & {
      readonly issuer: string;
      readonly subject: string;
      readonly ownTokens: boolean;
      readonly tenant: TenantId;
    },
  ): Promise<number>;
}
