import { partMilli } from "../../engine/compile/devices.ts";
import type { Capacity, Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import { convert } from "../../engine/model/money.ts";
import type { Outage, Snapshot } from "../../engine/model/snapshot.ts";
import { formatTime } from "../../engine/model/time.ts";
import {
  AdapterError,
  type Federation,
  type Held,
  type HeldPhase,
  type PurchaseAnswer,
  type Refusal,
  type RefusalCode,
  type ReserveAnswer,
  type ReserveRequest,
} from "../port.ts";
import { forgetful, type HeldEntry, type Journal } from "./journal.ts";
import { repriced } from "./reprice.ts";
import {
  calm,
  concerns,
  createFaults,
  type FaultyCall,
  type Scenario,
  type ScenarioEvent,
} from "./scenario.ts";
import type { Changes, SharedJournal } from "./shared-journal.ts";

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
  /** In place of `journal`: one federation in several processes. A scenario happens in each of them by itself. */
  readonly shared?: SharedJournal;
  /** What goes wrong; default nothing. */
  readonly scenario?: Scenario;
}

const refused = (code: RefusalCode, message: string): Refusal => ({ kind: "refused", code, message });

/** Price of `gpus` GPUs of an offer per hour in the catalog's currency, or null where it is not sold that way. */
function priceOf(
  offer: Flavor,
  { gpus, replicas, spot, part }: ReserveRequest,
  { currency, rates }: Pick<Snapshot, "currency" | "rates">,
): number | null {
  const money = spot ? offer.price.spot : offer.price.onDemand;
  const micro = money === undefined ? null : convert(money, currency, rates);
  if (micro === null) return null;
  if (offer.divisible) {
    const perGpu = offer.price.basis === "gpu" ? micro : Math.ceil(micro / offer.capacity.gpus);
    // parts are charged pro rata, each rounded up
    return part === undefined
      ? perGpu * gpus
      : Math.ceil((perGpu * partMilli(part, offer)) / 1000) * replicas;
  }
  return offer.price.basis === "gpu" ? micro * offer.capacity.gpus : micro;
}

/** What is taken of one offer. */
interface Use {
  gpus: number;
  cpuMilli: number;
  memoryMib: number;
  pods: number;
}

const isSameUse = (a: Use | undefined, b: Use | undefined): boolean =>
  a?.gpus === b?.gpus && a?.cpuMilli === b?.cpuMilli && a?.memoryMib === b?.memoryMib && a?.pods === b?.pods;

const less = (free: number | undefined, taken: number): number | undefined =>
  free === undefined ? undefined : Math.max(0, free - taken);

/** An offer less what is taken of it; one that is sold whole is gone with its first GPU. */
function without(offer: Flavor, use: Use | undefined): Flavor {
  if (use === undefined) return offer;
  const { capacity } = offer;
  const gpusFree = offer.divisible ? Math.max(0, capacity.gpusFree - use.gpus) : 0;
  const cpuMilliFree = less(capacity.cpuMilliFree ?? capacity.cpuMilli, use.cpuMilli);
  const memoryMibFree = less(capacity.memoryMibFree ?? capacity.memoryMib, use.memoryMib);
  const podsFree = less(capacity.podsFree ?? capacity.pods, use.pods);
  const free: Capacity = {
    ...capacity,
    gpusFree,
    ...(cpuMilliFree === undefined ? {} : { cpuMilliFree }),
    ...(memoryMibFree === undefined ? {} : { memoryMibFree }),
    ...(podsFree === undefined ? {} : { podsFree }),
  };
  return { ...offer, capacity: free };
}

/** A federation inside this process, to which things can be made to happen. */
export interface InProcessFederation extends Federation {
  /** Lets an event of a scenario happen now: `at_ms` says when that is, counted from the start as all its times. */
  happen(event: ScenarioEvent): void;
}

/**
 * A federation inside this process with the manners of REAR: reserve, purchase, peering that takes time, deployment
 * that takes time. Where a key stands follows from the clock alone, so a restart or a jump of a simulated clock needs
 * no catching up. A scenario adds refusals, lost answers, price changes, rivals, interruptions and outages.
 */
export function createInProcessFederation(options: InProcessOptions): InProcessFederation {
  const { snapshot, clock, timers, journal = forgetful, shared, scenario = calm } = options;
  const given = options.delays ?? defaultDelays;
  const delays: Delays = {
    peeringMs: scenario.delays?.peering_ms ?? given.peeringMs,
    deployingMs: scenario.delays?.deploying_ms ?? given.deployingMs,
    reservationMs: scenario.delays?.reservation_ms ?? given.reservationMs,
  };
  const startMs = clock.wallMs();
  const offers = new Map(snapshot.offers.map((offer) => [offer.id, offer]));
  /** Offers in the catalog's order; a new list whenever a price changed. */
  let list: readonly Flavor[] = snapshot.offers;
  const indexOf = new Map(snapshot.offers.map(({ id }, index) => [id, index]));
  /** The last answer: what was in use, of which list, and what was left. Untouched offers keep their identity. */
  let last = { list, use: new Map<string, Use>(), offers: list };
  const held = new Map<string, HeldEntry>();
  const released = new Set<string>();
  /** Seconds of work that keys of an intent left behind. */
  const keptOf = new Map<string, number>();
  const keep = ({ request, kept }: HeldEntry): void => {
    if (kept !== undefined) keptOf.set(request.intent, Math.max(kept, keptOf.get(request.intent) ?? 0));
  };
  let save = journal.save;
  const recall = (entry: HeldEntry): void => {
    const { key } = entry.request;
    keep(entry);
    if (entry.released) {
      held.delete(key);
      released.add(key);
    } else held.set(key, entry);
  };
  for (const entry of journal.load()) recall(entry);
  const drawFault = createFaults(scenario);
  const events: ScenarioEvent[] = [...(scenario.events ?? [])].sort((a, b) => a.at_ms - b.at_ms);
  let happened = 0;
  const rivals: { offer: string; gpus: number; untilMs: number }[] = [];
  const outages: Outage[] = [];
  const listeners = new Set<(keys?: readonly string[]) => void>();
  const cancels = new Set<() => void>();
  let changes = 0;

  const changed = (keys?: readonly string[]): void => {
    changes++;
    for (const listener of listeners) listener(keys);
  };
  /** Takes in what other processes did. */
  const absorb = ({ isAll, entries }: Changes): void => {
    if (isAll) {
      held.clear();
      released.clear();
      keptOf.clear();
    }
    for (const entry of entries) recall(entry);
    if (isAll || entries.length > 0) changed();
  };
  const put = (entry: HeldEntry): void => {
    save(entry);
    held.set(entry.request.key, entry);
    changed([entry.request.key]);
  };
  /** Calls listeners when a step of the clock changes what `observe` says. */
  const hintAfter = (delayMs: number, keys?: readonly string[]): void => {
    const cancel = timers.after(delayMs, () => {
      cancels.delete(cancel);
      changed(keys);
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
  /** Work that is done and kept by the last checkpoint; undefined for work that makes none. */
  const workDone = ({ work, kept, deployedMs }: HeldEntry): number | undefined => {
    if (kept !== undefined || work === undefined || deployedMs === undefined) return kept;
    const ran = Math.max(0, clock.wallMs() - deployedMs - delays.deployingMs) / 1000;
    return work.before + Math.floor(ran / work.checkpoint) * work.checkpoint;
  };
  const withKept = (entry: HeldEntry): HeldEntry => {
    const kept = workDone(entry);
    return kept === undefined ? entry : { ...entry, kept };
  };
  const subjectOf = (offer: string): { id: string; provider: string } => ({
    id: offer,
    provider: offers.get(offer)?.provider ?? "",
  });
  const lose = (event: ScenarioEvent, reason: "interrupted" | "failed", spotOnly: boolean): void => {
    for (const entry of held.values()) {
      const isMeant = concerns(event, subjectOf(entry.request.offer)) && (!spotOnly || entry.request.spot);
      if (isMeant && phaseOf(entry) !== "lost" && phaseOf(entry) !== "completed")
        put({
          ...withKept(entry),
          lost: { reason, message: `${entry.request.offer}: ${reason} by its provider` },
        });
    }
  };
  const happen = (event: ScenarioEvent): void => {
    if (event.kind === "interrupt") lose(event, "interrupted", true);
    if (event.kind === "fail" || event.kind === "outage") lose(event, "failed", false);
    if (event.kind === "outage") {
      const { offer, provider } = event;
      outages.push({
        ...(offer === undefined ? {} : { offer }),
        ...(provider === undefined ? {} : { provider }),
        start: formatTime(startMs + event.at_ms),
        end: formatTime(startMs + event.until_ms),
      });
      hintAfter(Math.max(0, startMs + event.until_ms - clock.wallMs()));
    }
    if (event.kind === "rival") {
      rivals.push({ offer: event.offer, gpus: event.gpus, untilMs: startMs + event.until_ms });
      hintAfter(Math.max(0, startMs + event.until_ms - clock.wallMs()));
    }
    if (event.kind === "price") {
      for (const offer of list)
        if (concerns(event, offer)) offers.set(offer.id, repriced(offer, event.factor));
      list = list.map((offer) => offers.get(offer.id) ?? offer);
    }
    changed();
  };
  /** Lets everything happen that is due. */
  const catchUp = (): void => {
    for (let next = events[happened]; next !== undefined; next = events[happened]) {
      if (clock.wallMs() < startMs + next.at_ms) return;
      happened++;
      happen(next);
    }
  };
  for (const { at_ms } of events) hintAfter(at_ms);

  const taken = (): Map<string, Use> => {
    const byOffer = new Map<string, Use>();
    const add = (offer: string, use: Use): void => {
      const before = byOffer.get(offer);
      if (before === undefined) byOffer.set(offer, use);
      else {
        before.gpus += use.gpus;
        before.cpuMilli += use.cpuMilli;
        before.memoryMib += use.memoryMib;
        before.pods += use.pods;
      }
    };
    for (const entry of held.values()) {
      const phase = phaseOf(entry);
      if (phase === "lost" || phase === "completed") continue;
      const { offer, gpus, cpuMilli, memoryMib, replicas } = entry.request;
      add(offer, { gpus, cpuMilli, memoryMib, pods: replicas });
    }
    for (const { offer, gpus, untilMs } of rivals)
      if (clock.wallMs() < untilMs) add(offer, { gpus, cpuMilli: 0, memoryMib: 0, pods: 0 });
    return byOffer;
  };
  /** Offers less what is in use: from the last answer, but for those whose use has changed since. */
  const left = (): readonly Flavor[] => {
    const use = taken();
    if (last.list !== list) {
      last = { list, use, offers: list.map((offer) => without(offer, use.get(offer.id))) };
      return last.offers;
    }
    const touched = [...new Set([...use.keys(), ...last.use.keys()])].filter(
      (id) => !isSameUse(use.get(id), last.use.get(id)),
    );
    if (touched.length === 0) return last.offers;
    const next = [...last.offers];
    for (const id of touched) {
      const index = indexOf.get(id);
      const offer = index === undefined ? undefined : list[index];
      if (index !== undefined && offer !== undefined) next[index] = without(offer, use.get(id));
    }
    last = { list, use, offers: next };
    return next;
  };
  const isDown = (offer: Flavor): boolean => {
    const now = formatTime(clock.wallMs());
    return outages.some(
      ({ provider, offer: one, start, end }) =>
        concerns({ provider, offer: one }, offer) && start <= now && (end === undefined || now < end),
    );
  };
  const toHeld = (entry: HeldEntry): Held => {
    const { key, intent, tenant, offer, gpus } = entry.request;
    const phase = phaseOf(entry);
    const workDoneSeconds = workDone(entry);
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
      ...(workDoneSeconds === undefined ? {} : { workDoneSeconds }),
      ...(phase === "running" ? { serviceUrl: `http://${key}.${offer}.svc.flare.internal` } : {}),
    };
  };
  const reserve = (request: ReserveRequest): ReserveAnswer => {
    if (released.has(request.key)) return refused("expired", `reservation ${request.key} was released`);
    const known = held.get(request.key);
    if (known !== undefined) {
      if (phaseOf(known) === "lost") return refused("expired", `reservation ${request.key} ran out`);
      return { kind: "reserved", expiresAtMs: known.expiresMs, costMicro: known.costMicro };
    }
    const offer = offers.get(request.offer);
    if (offer === undefined || isDown(offer))
      return refused("offer_gone", `offer ${request.offer} is not sold`);
    const costMicro = priceOf(offer, request, snapshot);
    if (costMicro === null || costMicro > request.maxCostMicro)
      return refused("price_changed", `offer ${request.offer} costs more than was decided on`);
    const { gpusFree, cpuMilliFree, memoryMibFree, podsFree } = without(
      offer,
      taken().get(request.offer),
    ).capacity;
    const fits =
      gpusFree >= request.gpus &&
      (cpuMilliFree ?? request.cpuMilli) >= request.cpuMilli &&
      (memoryMibFree ?? request.memoryMib) >= request.memoryMib &&
      (podsFree ?? request.replicas) >= request.replicas;
    if (!fits) return refused("capacity", `offer ${request.offer} has no room for ${request.gpus} GPUs`);
    const reservedMs = clock.wallMs();
    const expiresMs = reservedMs + delays.reservationMs;
    put({ request, costMicro, reservedMs, expiresMs, released: false });
    hintAfter(delays.reservationMs, [request.key]);
    return { kind: "reserved", expiresAtMs: expiresMs, costMicro };
  };
  const purchase = (key: string): PurchaseAnswer => {
    const entry = held.get(key);
    if (entry === undefined || phaseOf(entry) === "lost")
      return refused("expired", `reservation ${key} is no longer held`);
    const contract = entry.contract ?? `contract-${key}`;
    if (entry.contract === undefined) put({ ...entry, contract });
    return { kind: "contracted", contract };
  };
  const isUsable = (entry: HeldEntry | undefined): entry is HeldEntry =>
    entry !== undefined && entry.contract !== undefined && phaseOf(entry) !== "lost";
  const peer = (key: string): void => {
    const entry = held.get(key);
    if (!isUsable(entry) || entry.peeredMs !== undefined) return;
    put({ ...entry, peeredMs: clock.wallMs() });
    hintAfter(delays.peeringMs, [key]);
  };
  const deploy = (key: string, intent: Intent): void => {
    const entry = held.get(key);
    if (!isUsable(entry) || entry.peeredMs === undefined || entry.deployedMs !== undefined) return;
    const deployedMs = clock.wallMs();
    const { batch, type } = intent.workload;
    const seconds = type === "batch" ? batch?.estimatedRuntimeSeconds : undefined;
    const checkpoint = batch?.checkpointIntervalSeconds;
    const work =
      checkpoint === undefined || seconds === undefined
        ? undefined
        : { before: Math.min(seconds, keptOf.get(intent.name) ?? 0), checkpoint };
    const left = seconds === undefined ? undefined : seconds - (work?.before ?? 0);
    const endsMs = left === undefined ? null : deployedMs + delays.deployingMs + left * 1000;
    put({
      ...entry,
      deployedMs,
      ...(endsMs === null ? {} : { endsMs }),
      ...(work === undefined ? {} : { work }),
    });
    hintAfter(delays.deployingMs, [key]);
    if (endsMs !== null) hintAfter(endsMs - deployedMs, [key]);
  };
  const release = (key: string): void => {
    if (released.has(key)) return;
    const nothing = { intent: "", tenant: "", offer: "", gpus: 0, replicas: 0, cpuMilli: 0, memoryMib: 0 };
    // a key that comes back after its release must be refused, even when it was never seen before
    const entry = held.get(key);
    const request = entry?.request ?? { key, ...nothing, spot: false, maxCostMicro: 0 };
    const now = clock.wallMs();
    const kept = entry === undefined ? undefined : workDone(entry);
    const last: HeldEntry = {
      request,
      costMicro: 0,
      reservedMs: now,
      expiresMs: now,
      released: true,
      ...(kept === undefined ? {} : { kept }),
    };
    save(last);
    keep(last);
    held.delete(key);
    released.add(key);
    changed([]);
  };
  /** Looks at what all processes did. */
  const look = async <T>(run: () => T): Promise<T> => {
    if (shared === undefined) return run();
    return shared.look((changes) => {
      absorb(changes);
      return run();
    });
  };
  const call = async <T>(name: FaultyCall, offer: string, run: () => T): Promise<T | Refusal> => {
    if (shared === undefined) return attempt(name, offer, run);
    return shared.alone((changes, saveShared) => {
      absorb(changes);
      save = saveShared;
      return attempt(name, offer, run);
    });
  };
  /** One call under the scenario: it may be refused, not arrive, or lose its answer. */
  const attempt = <T>(name: FaultyCall, offer: string, run: () => T): T | Refusal => {
    catchUp();
    const fault = drawFault(name, subjectOf(offer), clock.wallMs() - startMs);
    if (fault?.fault === "unavailable")
      throw new AdapterError("unavailable", `${offer}: ${name} did not arrive`);
    if (fault?.fault === "refuse" && (name === "reserve" || name === "purchase"))
      return refused(fault.code ?? "provider_refused", `${offer}: ${name} was refused`);
    const answer = run();
    if (fault?.fault === "answer_lost")
      throw new AdapterError("timeout", `${offer}: the answer to ${name} was lost`);
    return answer;
  };
  const offerOf = (key: string): string => held.get(key)?.request.offer ?? "";

  return {
    happen,
    catalog: () =>
      look(() => {
        catchUp();
        return {
          ...snapshot,
          version: `${snapshot.version}.${changes}`,
          at: formatTime(clock.wallMs()),
          offers: left(),
          outages: outages.length === 0 ? snapshot.outages : [...snapshot.outages, ...outages],
        };
      }),
    reserve: (request) => call("reserve", request.offer, () => reserve(request)),
    purchase: (key) => call("purchase", offerOf(key), () => purchase(key)),
    async peer(key) {
      await call("peer", offerOf(key), () => peer(key));
    },
    async deploy(key, intent) {
      await call("deploy", offerOf(key), () => deploy(key, intent));
    },
    async release(key) {
      await call("release", offerOf(key), () => release(key));
    },
    observe: (keys) =>
      look(() => {
        catchUp();
        const wanted =
          keys === undefined
            ? [...held.values()]
            : keys.flatMap((key) => {
                const entry = held.get(key);
                return entry === undefined ? [] : [entry];
              });
        return wanted.map(toHeld).sort((a, b) => (a.key < b.key ? -1 : 1));
      }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      for (const cancel of cancels) cancel();
      cancels.clear();
      journal.close();
      await shared?.close();
    },
  };
}
