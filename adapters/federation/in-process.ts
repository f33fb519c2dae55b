import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";
import { formatTime } from "../../engine/model/time.ts";
import type {
  Federation,
  Held,
  HeldPhase,
  PurchaseAnswer,
  Refusal,
  RefusalCode,
  ReserveAnswer,
  ReserveRequest,
} from "../port.ts";
import { forgetful, type HeldEntry, type Journal } from "./journal.ts";

/** How long the steps of a contract take, milliseconds. */
export interface Delays {
  readonly peeringMs: number;
  readonly deployingMs: number;
  /** How long a reservation is held before others may have it. */
  readonly reservationMs: number;
}

/** About what a small federation on one site takes. */
export const defaultDelays: Delays = { peeringMs: 800, deployingMs: 1200, reservationMs: 60_000 };

export interface InProcessOptions {
  /** What is sold, with what is free before anything of ours. */
  readonly snapshot: Snapshot;
  readonly clock: { wallMs(): number };
  readonly timers: { after(delayMs: number, run: () => void): () => void };
  readonly delays?: Delays;
  readonly journal?: Journal;
}

const refused = (code: RefusalCode, message: string): Refusal => ({ kind: "refused", code, message });

/** Price of `gpus` GPUs of an offer per hour, or null where it is not sold that way. */
function priceOf(offer: Flavor, { gpus, spot }: ReserveRequest): number | null {
  const money = spot ? offer.price.spot : offer.price.onDemand;
  if (money === undefined) return null;
  if (offer.price.basis === "gpu") return money.micro * gpus;
  return offer.divisible ? Math.ceil((money.micro * gpus) / offer.capacity.gpus) : money.micro;
}

/**
 * A federation inside this process with the manners of REAR: reserve, purchase, peering that takes time, deployment
 * that takes time. Where a key stands follows from the clock alone, so a restart or a jump of a simulated clock needs
 * no catching up.
 */
export function createInProcessFederation(options: InProcessOptions): Federation {
  const { snapshot, clock, timers, delays = defaultDelays, journal = forgetful } = options;
  const offers = new Map(snapshot.offers.map((offer) => [offer.id, offer]));
  const entries = new Map<string, HeldEntry>();
  for (const entry of journal.load()) entries.set(entry.request.key, entry);
  const listeners = new Set<() => void>();
  const cancels = new Set<() => void>();
  let changes = 0;

  const changed = (): void => {
    changes++;
    for (const listener of listeners) listener();
  };
  const put = (entry: HeldEntry): void => {
    journal.save(entry);
    entries.set(entry.request.key, entry);
    changed();
  };
  /** Calls listeners when a step of the clock changes what `observe` says. */
  const hintAfter = (delayMs: number): void => {
    const cancel = timers.after(delayMs, () => {
      cancels.delete(cancel);
      changed();
    });
    cancels.add(cancel);
  };
  const phaseOf = (entry: HeldEntry): HeldPhase => {
    const now = clock.wallMs();
    if (entry.lost !== undefined) return "lost";
    if (entry.deployedMs !== undefined) {
      if (entry.endsMs !== undefined && now >= entry.endsMs) return "completed";
      return now >= entry.deployedMs + delays.deployingMs ? "running" : "deploying";
    }
    if (entry.peeredMs !== undefined) return now >= entry.peeredMs + delays.peeringMs ? "peered" : "peering";
    if (entry.contract !== undefined) return "contracted";
    return now >= entry.expiresMs ? "lost" : "reserved";
  };
  /** True while the key takes capacity from others. */
  const occupies = (entry: HeldEntry): boolean =>
    !entry.released && phaseOf(entry) !== "lost" && phaseOf(entry) !== "completed";
  const taken = (): Map<string, { gpus: number; whole: boolean }> => {
    const byOffer = new Map<string, { gpus: number; whole: boolean }>();
    for (const entry of entries.values()) {
      if (!occupies(entry)) continue;
      const { offer, gpus } = entry.request;
      const whole = offers.get(offer)?.divisible === false;
      byOffer.set(offer, { gpus: (byOffer.get(offer)?.gpus ?? 0) + gpus, whole });
    }
    return byOffer;
  };
  const current = (offer: Flavor, use: { gpus: number; whole: boolean } | undefined): Flavor => {
    if (use === undefined) return offer;
    const gpusFree = use.whole ? 0 : Math.max(0, offer.capacity.gpusFree - use.gpus);
    return { ...offer, capacity: { ...offer.capacity, gpusFree } };
  };
  const toHeld = (entry: HeldEntry): Held => {
    const { key, intent, tenant, offer, gpus } = entry.request;
    const phase = phaseOf(entry);
    return {
      key,
      intent,
      tenant,
      offer,
      gpus,
      phase,
      costMicro: entry.costMicro,
      ...(phase === "lost"
        ? {
            reason: entry.lost?.reason ?? "expired",
            message: entry.lost?.message ?? "the reservation ran out before it was bought",
          }
        : {}),
      ...(phase === "running" ? { serviceUrl: `http://${key}.${offer}.svc.flare.internal` } : {}),
    };
  };
  const reserve = (request: ReserveRequest): ReserveAnswer => {
    const known = entries.get(request.key);
    if (known !== undefined) {
      if (known.released) return refused("expired", `reservation ${request.key} was released`);
      if (phaseOf(known) === "lost") return refused("expired", `reservation ${request.key} ran out`);
      return { kind: "reserved", expiresAtMs: known.expiresMs, costMicro: known.costMicro };
    }
    const offer = offers.get(request.offer);
    if (offer === undefined) return refused("offer_gone", `offer ${request.offer} is no longer sold`);
    const costMicro = priceOf(offer, request);
    if (costMicro === null || costMicro > request.maxCostMicro)
      return refused("price_changed", `offer ${request.offer} costs more than was decided on`);
    const { gpusFree, gpus } = current(offer, taken().get(request.offer)).capacity;
    if (offer.divisible ? gpusFree < request.gpus : gpusFree < gpus)
      return refused(
        "capacity",
        `offer ${request.offer} has ${gpusFree} GPUs free, ${request.gpus} are wanted`,
      );
    const reservedMs = clock.wallMs();
    const expiresMs = reservedMs + delays.reservationMs;
    put({ request, costMicro, reservedMs, expiresMs, released: false });
    hintAfter(delays.reservationMs);
    return { kind: "reserved", expiresAtMs: expiresMs, costMicro };
  };
  const purchase = (key: string): PurchaseAnswer => {
    const entry = entries.get(key);
    if (entry === undefined || entry.released || phaseOf(entry) === "lost")
      return refused("expired", `reservation ${key} is no longer held`);
    const contract = entry.contract ?? `contract-${key}`;
    if (entry.contract === undefined) put({ ...entry, contract });
    return { kind: "contracted", contract };
  };
  const isUsable = (entry: HeldEntry | undefined): entry is HeldEntry =>
    entry !== undefined && !entry.released && entry.contract !== undefined && phaseOf(entry) !== "lost";
  const deploy = (key: string, intent: Intent): void => {
    const entry = entries.get(key);
    if (!isUsable(entry) || entry.peeredMs === undefined || entry.deployedMs !== undefined) return;
    const deployedMs = clock.wallMs();
    const { batch } = intent.workload;
    const runtimeSeconds = intent.workload.type === "batch" ? batch?.estimatedRuntimeSeconds : undefined;
    const endsMs =
      runtimeSeconds === undefined ? null : deployedMs + delays.deployingMs + runtimeSeconds * 1000;
    put({ ...entry, deployedMs, ...(endsMs === null ? {} : { endsMs }) });
    hintAfter(delays.deployingMs);
    if (endsMs !== null) hintAfter(endsMs - deployedMs);
  };

  return {
    async catalog() {
      const use = taken();
      return {
        ...snapshot,
        version: `${snapshot.version}.${changes}`,
        at: formatTime(clock.wallMs()),
        offers: snapshot.offers.map((offer) => current(offer, use.get(offer.id))),
      };
    },
    reserve: async (request) => reserve(request),
    purchase: async (key) => purchase(key),
    async peer(key) {
      const entry = entries.get(key);
      if (!isUsable(entry) || entry.peeredMs !== undefined) return;
      put({ ...entry, peeredMs: clock.wallMs() });
      hintAfter(delays.peeringMs);
    },
    deploy: async (key, intent) => deploy(key, intent),
    async release(key) {
      const entry = entries.get(key);
      if (entry?.released === true) return;
      // a key that comes back after its release must be refused, even when it was never seen before
      const request = entry?.request ?? {
        key,
        intent: "",
        tenant: "",
        offer: "",
        gpus: 0,
        replicas: 0,
        spot: false,
        maxCostMicro: 0,
      };
      const now = clock.wallMs();
      put({ ...(entry ?? { request, costMicro: 0, reservedMs: now, expiresMs: now }), released: true });
    },
    observe: async () =>
      [...entries.values()]
        .filter((entry) => !entry.released)
        .map(toHeld)
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      for (const cancel of cancels) cancel();
      cancels.clear();
      journal.close();
    },
  };
}
