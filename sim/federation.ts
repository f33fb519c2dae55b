import { createInProcessFederation, type InProcessFederation } from "../adapters/federation/in-process.ts";
import { repriced } from "../adapters/federation/reprice.ts";
import type { ScenarioEvent } from "../adapters/federation/scenario.ts";
import { AdapterError, type Federation, type Held, type Refusal } from "../adapters/port.ts";
import type { Flavor } from "../engine/model/flavor.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import type { Gates } from "./gates.ts";
import type { Rng } from "./random.ts";
import type { SwarmFaults } from "./swarm.ts";
import { type SimTime, START_MS } from "./time.ts";

/** An event of a scenario without its time: it happens now. */
export type Incident =
  | { readonly kind: "price"; readonly offer: string; readonly factor: number }
  | { readonly kind: "interrupt" | "fail"; readonly offer: string }
  | { readonly kind: "outage"; readonly offer: string; readonly forMs: number }
  | { readonly kind: "rival"; readonly offer: string; readonly gpus: number; readonly forMs: number };

/** An offer at the prices that it had from a true time on. */
interface Sold {
  readonly sinceMs: number;
  readonly flavor: Flavor;
}

/** The providers: one for all processes, and they outlive them. */
export interface Providers {
  /** What the providers themselves know. */
  readonly inner: InProcessFederation;
  /** Keys that a provider has granted, ever. */
  readonly granted: ReadonlySet<string>;
  /** Keys whose release has reached the providers. */
  readonly released: ReadonlySet<string>;
  /** Rises whenever what is held may have changed. */
  changes(): number;
  happen(incident: Incident): void;
  /** What was sold as an offer since when, oldest first: its prices change. */
  sold(offer: string): readonly Sold[];
  /** Offers under an outage or taken by a rival now. */
  troubled(): ReadonlySet<string>;
  /** The federation as a process sees it, over a network. */
  connect(owner: object, isAlive: () => boolean): Federation;
}

export interface ProvidersOptions {
  readonly snapshot: Snapshot;
  readonly time: SimTime;
  readonly gates: Gates;
  readonly rng: () => Rng;
  readonly faults: () => SwarmFaults;
}

const refusal: Refusal = { kind: "refused", code: "provider_refused", message: "refused by chance" };

/** Keeps who was granted what: the ledger that checks compare the service's books with. */
function keepLedger(
  inner: InProcessFederation,
  granted: Set<string>,
  released: Set<string>,
): InProcessFederation {
  return {
    ...inner,
    async reserve(request) {
      const answer = await inner.reserve(request);
      if (answer.kind === "reserved") granted.add(request.key);
      return answer;
    },
    async release(key) {
      await inner.release(key);
      released.add(key);
    },
  };
}

/** Makes the providers of a world. */
export function createProviders({ snapshot, time, gates, rng, faults }: ProvidersOptions): Providers {
  const own = time.machine(gates);
  const granted = new Set<string>();
  const released = new Set<string>();
  const inner = keepLedger(
    createInProcessFederation({ snapshot, clock: own, timers: own }),
    granted,
    released,
  );
  const trouble: { offer: string; untilMs: number }[] = [];
  const sold = new Map(snapshot.offers.map((flavor) => [flavor.id, [{ sinceMs: 0, flavor }] as Sold[]]));
  let changes = 0;
  inner.subscribe(() => void changes++);

  /** One call over the network: it may not arrive, arrive twice, be refused, or lose its answer. */
  const call = async <T>(owner: object, label: string, run: () => Promise<T>): Promise<T | Refusal> => {
    await gates.pass(owner, `federation > ${label}`);
    const { unreached, repeated, refused, answerLost } = faults();
    if (rng().chance(unreached)) throw new AdapterError("unavailable", `${label} did not arrive`);
    if (/^(reserve|purchase)/.test(label) && rng().chance(refused)) return refusal;
    const answer = await run();
    if (rng().chance(repeated)) {
      // a copy of the message is still on its way, whoever sent it
      const again = gates.pass(gates, `federation again ${label}`).then(run);
      again.catch(() => undefined);
    }
    const isLost = rng().chance(answerLost);
    await gates.pass(owner, `federation < ${label}`);
    if (isLost) throw new AdapterError("timeout", `the answer to ${label} was lost`);
    return answer;
  };
  const look = async <T>(owner: object, label: string, run: () => Promise<T>): Promise<T> => {
    await gates.pass(owner, `federation > ${label}`);
    if (rng().chance(faults().unreached / 4))
      throw new AdapterError("unavailable", `${label} did not arrive`);
    return run();
  };

  return {
    inner,
    granted,
    released,
    changes: () => changes,
    sold: (offer) => sold.get(offer) ?? [],
    troubled: () =>
      new Set(trouble.filter(({ untilMs }) => time.nowMs() < untilMs).map(({ offer }) => offer)),
    happen(incident) {
      const at_ms = time.nowMs() - START_MS;
      const event: ScenarioEvent =
        incident.kind === "outage" || incident.kind === "rival"
          ? { ...incident, at_ms, until_ms: at_ms + incident.forMs }
          : { ...incident, at_ms };
      if (incident.kind === "outage" || incident.kind === "rival")
        trouble.push({ offer: incident.offer, untilMs: time.nowMs() + incident.forMs });
      const prices = incident.kind === "price" ? (sold.get(incident.offer) ?? []) : [];
      const last = prices.at(-1);
      if (incident.kind === "price" && last !== undefined)
        prices.push({ sinceMs: time.nowMs(), flavor: repriced(last.flavor, incident.factor) });
      inner.happen(event);
    },
    connect(owner, isAlive) {
      return {
        catalog: () => look(owner, "catalog", inner.catalog),
        observe: (keys): Promise<readonly Held[]> => look(owner, "observe", () => inner.observe(keys)),
        reserve: (request) => call(owner, `reserve ${request.key}`, () => inner.reserve(request)),
        purchase: (key) => call(owner, `purchase ${key}`, () => inner.purchase(key)),
        async peer(key) {
          await call(owner, `peer ${key}`, () => inner.peer(key));
        },
        async deploy(key, intent) {
          await call(owner, `deploy ${key}`, () => inner.deploy(key, intent));
        },
        async release(key) {
          await call(owner, `release ${key}`, () => inner.release(key));
        },
        // hints are lost now and then: the loop must not need them
        subscribe: (listener) => inner.subscribe(() => void (isAlive() && rng().chance(0.8) && listener())),
        close: async () => {},
      };
    },
  };
}
