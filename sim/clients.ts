import type { SimProcess } from "./process.ts";
import type { Shape, SwarmTenant } from "./swarm.ts";

/** One wish of a client, and what the client was told about it. */
export interface Submission {
  readonly tenant: string;
  readonly name: string;
  readonly key: string;
  /** Body as sent. */
  readonly text: string;
  readonly shape: Shape;
  /** Text of the first 202; null: not accepted as far as the client knows. */
  answer: string | null;
  id: string | null;
  /** Highest version that the client has been shown. */
  seenVersion: number;
  /** Number of the last event when a cancellation was acknowledged. */
  cancelledAtSeq: number | null;
  isEnded: boolean;
}

/** A stream of events that a client reads. */
export interface Stream {
  /** The process that it comes from. */
  readonly process: object;
  readonly tenant: string;
  /** Token it was opened with. */
  readonly token: string;
  /** Intent that it is about; null: the whole tenant. */
  readonly subject: string | null;
  /** It tells of events after this one. */
  readonly after: number;
  readonly seqs: number[];
  readonly reader: {
    read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
  isReading: boolean;
  isOver: boolean;
  /** Text that is not a whole frame yet. */
  rest: string;
}

/** A token that a client was given. */
export interface ClientToken {
  readonly tenant: string;
  readonly id: string;
  readonly text: string;
  /** True time at which its revocation was acknowledged; null: it was not. */
  revokedMs: number | null;
}

/** A reservation that was acknowledged. */
export interface ClientReservation {
  readonly tenant: string;
  readonly id: string;
  isCancelled: boolean;
}

/** A client of one tenant. */
export interface Client {
  readonly tenant: SwarmTenant;
  /** May do everything that tenants may. */
  readonly token: string;
  /** False after a suspension was acknowledged, null while it is unknown. */
  isActive: boolean | null;
  /** Since when that is known, true time. */
  sinceMs: number;
  /** The process that was asked to change it and has not answered: it may do so as long as it lives. */
  asked: SimProcess | null;
}

/** Everything that clients were told: what the service is held to. */
export interface Clients {
  readonly list: readonly Client[];
  readonly admin: string;
  readonly submissions: Submission[];
  readonly byId: Map<string, Submission>;
  readonly streams: Stream[];
  readonly tokens: ClientToken[];
  readonly reservations: ClientReservation[];
}
