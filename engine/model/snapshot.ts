import type { Coordinates, Flavor } from "./flavor.ts";
import type { Warning } from "./intent.ts";
import type { Rates } from "./money.ts";

/** Limits of one GPU class (canonical family, or `*`) or of money, for one tenant or cohort. */
export interface Quota {
  readonly gpuClass?: string;
  /** Present instead of `gpuClass`: micro-units per hour at list price. */
  readonly money?: true;
  readonly nominal: number;
  readonly borrowing?: number;
  readonly lending?: number;
}

export interface Tenant {
  readonly name: string;
  /** Parent cohort; absent: a root of its own. */
  readonly cohort?: string;
  readonly weight: number;
  readonly quotas: readonly Quota[];
  /** Why the entry could not be read: the intents of this tenant, and of tenants below it, are refused. */
  readonly problem?: string;
}

/** What runs where, since when. */
export interface Holding {
  readonly intent: string;
  readonly offer: string;
  readonly gpus: number;
  readonly since: string;
  readonly priority: number;
  readonly tenant: string;
  readonly evictable: boolean;
  readonly minRuntimeSeconds?: number;
  readonly lastCheckpoint?: string;
  /** Expected end; a service has none. */
  readonly until?: string;
  /** The end is enforced (a timeout kills it), so that others may be promised its place. Default: an estimate. */
  readonly enforced?: boolean;
  readonly spot?: boolean;
  readonly replicas?: number;
  /** What it takes of the offer's CPU and memory; absent: unknown, and nothing of it is free when it ends. */
  readonly cpuMilli?: number;
  readonly memoryMib?: number;
  /** It may be interrupted for this long at most; absent: for any time. */
  readonly maxInterruptionSeconds?: number;
  /** Thousandths of a GPU that each replica holds instead of whole ones, 1..999; `gpus` then counts one per replica. */
  readonly fractionMilli?: number;
  /** MIG profile that each replica holds instead of whole GPUs; `gpus` then counts one per replica. */
  readonly migProfile?: string;
}

/** Capacity held for a window: for a tenant, or for one waiting intent, as an earlier plan told it. */
export interface Reservation {
  readonly id: string;
  readonly tenant: string;
  /** Held for this intent alone: the start an earlier plan gave it. */
  readonly intent?: string;
  /** Priority of that intent: work of higher priority may still take its place. Absent: binds everybody. */
  readonly priority?: number;
  /** Only with `intent`: an estimate may slip, a promise may not. Default promise. */
  readonly basis?: "promise" | "estimate";
  /** Only with `intent`: its latest end, where its timeout enforces one. */
  readonly enforcedEnd?: string;
  readonly offer: string;
  readonly gpus: number;
  readonly start: string;
  readonly end: string;
}

/** A provider, region or offer that is not usable in a window; an open end lasts until further notice. */
export interface Outage {
  readonly provider?: string;
  readonly region?: string;
  readonly offer?: string;
  readonly start: string;
  readonly end?: string;
}

/** What is known about interruptions of one offer's spot capacity. */
export interface SpotHistory {
  readonly offer: string;
  /** Hours over which its spot capacity was watched while in use. */
  readonly hours: number;
  readonly interruptions: number;
  /** The latest interruption, RFC 3339 UTC. */
  readonly last?: string;
  /** Since when it is there without a break, RFC 3339 UTC; absent: unknown, or it is not there. */
  readonly upSince?: string;
  /** Hours over which it was watched and not to be had. */
  readonly downHours?: number;
}

/** How far a batch is, whether it runs or waits to go on: what an interruption does not take away. */
export interface Progress {
  readonly intent: string;
  /** Seconds of its estimated runtime that are done and kept by its last checkpoint. */
  readonly doneSeconds: number;
  /** When it was first there to be run, RFC 3339 UTC: its deadline counts from then. Absent: when it was submitted. */
  readonly started?: string;
}

/** An offer that could not be read; the others are planned. */
export interface SkippedOffer {
  readonly id: string;
  readonly path: string;
  readonly message: string;
}

/** Everything a decision depends on besides intents and options; frozen, time included. */
export interface Snapshot {
  readonly version: string;
  /** RFC 3339 UTC: the plan's now. */
  readonly at: string;
  /** ISO 4217; all prices are compared in it. */
  readonly currency: string;
  readonly rates: Rates;
  /** Where latency is measured from unless an intent says otherwise. */
  readonly hub?: { readonly region?: string; readonly coordinates: Coordinates };
  /** Sorted by id. */
  readonly offers: readonly Flavor[];
  readonly tenants: readonly Tenant[];
  readonly holdings: readonly Holding[];
  readonly reservations: readonly Reservation[];
  readonly outages: readonly Outage[];
  readonly maintenance: readonly Outage[];
  readonly spotHistory?: readonly SpotHistory[];
  /** For so long capacity is taken besides each run of a batch, to start it and to give it back; default 0. */
  readonly turnaroundSeconds?: number;
  readonly progress?: readonly Progress[];
  readonly skipped: readonly SkippedOffer[];
  readonly warnings: readonly Warning[];
}

/** Index of the offer with an id, by binary search; -1 when there is none. */
export function offerIndexOf({ offers }: Snapshot, id: string): number {
  let low = 0;
  let high = offers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offers[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  return offers[low]?.id === id ? low : -1;
}
