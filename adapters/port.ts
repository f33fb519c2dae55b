import type { PartNeed } from "../engine/compile/devices.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { Micro } from "../engine/model/money.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";

/** Why a foreign system could not be asked or did not answer as promised. */
export type AdapterErrorCode = "unavailable" | "timeout" | "rejected" | "malformed";

/**
 * A foreign system failed. The outcome of the call is unknown: the caller repeats it with the same key, or releases
 * the key.
 */
export class AdapterError extends Error {
  readonly code: AdapterErrorCode;

  constructor(code: AdapterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AdapterError";
    this.code = code;
  }
}

/** What is wanted of one offer, for one intent. The key names it in every later call. */
export interface ReserveRequest {
  /** Chosen by the caller, unique for ever; the same key is the same reservation, however often it is sent. */
  readonly key: string;
  readonly intent: string;
  readonly tenant: string;
  readonly offer: string;
  readonly gpus: number;
  readonly replicas: number;
  /** Of all replicas together; 0 where nothing is stated. */
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly spot: boolean;
  /** What each replica takes of a GPU where it is a part of one: thousandths, or the profile of an instance. */
  readonly part?: PartNeed;
  /** Most that may be charged per hour, in the catalog's currency: the price that was decided on. */
  readonly maxCostMicro: Micro;
}

/** Why a provider said no. Final for this key. */
export type RefusalCode = "capacity" | "price_changed" | "offer_gone" | "expired" | "provider_refused";

export interface Refusal {
  readonly kind: "refused";
  readonly code: RefusalCode;
  /** One sentence for people. */
  readonly message: string;
}

export type ReserveAnswer =
  | {
      readonly kind: "reserved";
      /** Milliseconds since 1970 at which the provider gives it to others unless it is bought. */
      readonly expiresAtMs: number;
      readonly costMicro: Micro;
    }
  | Refusal;

export type PurchaseAnswer = { readonly kind: "contracted"; readonly contract: string } | Refusal;

/**
 * Where a key stands, in this order. `lost` is the provider's doing (interruption, failure, expiry, revocation), with
 * the reason; the caller still releases the key.
 */
export type HeldPhase =
  | "reserved"
  | "contracted"
  | "peering"
  | "peered"
  | "deploying"
  | "running"
  | "completed"
  | "lost";

/** One thing that we hold in the federation. */
export interface Held {
  readonly key: string;
  readonly intent: string;
  readonly tenant: string;
  readonly offer: string;
  readonly gpus: number;
  readonly phase: HeldPhase;
  readonly costMicro: Micro;
  /** Why it was lost. */
  readonly reason?: "interrupted" | "failed" | "expired" | "revoked";
  readonly message?: string;
  /** Where a running service answers. */
  readonly serviceUrl?: string;
  /**
   * Of a batch: seconds of its estimated runtime that are done and kept by its last checkpoint, also what earlier keys of
   * the intent did. Absent where the provider does not tell.
   */
  readonly workDoneSeconds?: number;
}

/**
 * Where capacity comes from and workloads go to. Every call carries a key that the caller chose before calling, and
 * is idempotent by it: repeated after a crash or a lost answer it has one effect and gives an equal answer. Calls on
 * different keys may run at the same time.
 */
export interface Federation {
  /**
   * What is sold now: offers with free capacity as the providers see it, `at` being now. Never includes what
   * providers promised to us as free. `version` changes whenever anything else does.
   *
   * @throws {AdapterError} `unavailable` when no catalog can be had; a part of the federation that cannot be reached
   *     is an outage in the snapshot, not an error
   */
  catalog(): Promise<Snapshot>;

  /**
   * Holds capacity for a limited time. Never holds more than the offer has, nor at a higher price than
   * `maxCostMicro`. A key that was released answers `refused` with `expired`.
   *
   * @throws {AdapterError} outcome unknown
   */
  reserve(request: ReserveRequest): Promise<ReserveAnswer>;

  /**
   * Buys what `key` holds. Asked again it answers with the same contract.
   *
   * @throws {AdapterError} outcome unknown
   */
  purchase(key: string): Promise<PurchaseAnswer>;

  /**
   * Starts connecting the seller's cluster. Progress shows in `observe`: `peering`, then `peered`. Asked again, or
   * later in the order, it does nothing. An unknown key does nothing: `observe` tells that it is gone.
   *
   * @throws {AdapterError} outcome unknown
   */
  peer(key: string): Promise<void>;

  /**
   * Starts the workload of `intent` (its name is the intent's id) on what `key` holds. Progress shows in `observe`:
   * `deploying`, then `running`, then `completed` for work that ends. Asked again it does nothing.
   *
   * @throws {AdapterError} outcome unknown
   */
  deploy(key: string, intent: Intent): Promise<void>;

  /**
   * Gives everything behind `key` back, wherever it stands: workload, peering, contract, reservation. Afterwards
   * `observe` no longer lists it and the capacity is free again. Unknown and released keys are fine, and stay
   * unusable for ever.
   *
   * @throws {AdapterError} outcome unknown
   */
  release(key: string): Promise<void>;

  /**
   * What we hold, sorted by key: everything, or what stands behind some keys (unknown ones are left out). The truth that
   * reconciliation compares with. Once everything is released it is empty.
   *
   * @throws {AdapterError} `unavailable`
   */
  observe(keys?: readonly string[]): Promise<readonly Held[]>;

  /**
   * Calls back after something changed: a hint to look, never more. May come late, twice, or not at all. `keys` are the
   * ones concerned; without them anything may have changed. Returns the end of the subscription.
   */
  subscribe(listener: (keys?: readonly string[]) => void): () => void;

  /** Lets go of connections, timers and files; what is held stays held. */
  close(): Promise<void>;
}
