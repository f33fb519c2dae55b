import { readSnapshot } from "../adapters/json/snapshot.ts";
import type { Quota, Snapshot } from "../engine/model/snapshot.ts";
import { type FocusName, focusNames, focusOn } from "./focus.ts";
import { createRng, mix, type Rng } from "./random.ts";

/** Everything that a step may do. */
export const operationNames = [
  "submit",
  "retry",
  "reuseKey",
  "submitBad",
  "cancel",
  "amend",
  "read",
  "list",
  "pry",
  "page",
  "openStream",
  "readStream",
  "dryRun",
  "hook",
  "useHook",
  "reserve",
  "unreserve",
  "token",
  "revoke",
  "quota",
  "suspend",
  "wait",
  "price",
  "interrupt",
  "fail",
  "outage",
  "rival",
  "crash",
  "restart",
  "pause",
  "jump",
  "commitFault",
  "crowd",
  "cancelMoving",
  "limit",
  "rush",
  "clear",
  "scale",
  "cancelReturning",
] as const;
export type OperationName = (typeof operationNames)[number];

/** What is on in a run, drawn from its seed: no run has everything, so that rare pairs meet often. */
export interface Swarm {
  /** The situation that this run aims at, if any. */
  readonly focus?: FocusName;
  /** Weight of each operation, 0 where it is off. */
  readonly weights: Readonly<Record<OperationName, number>>;
  readonly tenants: readonly SwarmTenant[];
  readonly snapshot: Snapshot;
  readonly shapes: readonly Shape[];
  /** Intents that have not ended, at most, before one is cancelled instead of another submitted. */
  readonly mostAlive: number;
  /** Longest usual step of time, milliseconds. */
  readonly paceMs: number;
  /** Probability that a message waits, by its kind. */
  readonly held: Readonly<Record<"store" | "federation" | "plan" | "http", number>>;
  /** Probability that one more waiting message goes on. */
  readonly eagerness: number;
  readonly lateMs: number;
  readonly shuffles: boolean;
  /** Largest error of a machine's clock. */
  readonly skewMs: number;
  /** Services on the one database; of several, one decides. */
  readonly processes: number;
  readonly faults: SwarmFaults;
}

/** Probabilities of faults, per message. */
export interface SwarmFaults {
  /** The federation is not reached; its answer is lost; the call arrives again later; it refuses. */
  readonly unreached: number;
  readonly answerLost: number;
  readonly repeated: number;
  readonly refused: number;
  /** A receiver is not reached, loses its answer, or answers with an error. */
  readonly http: number;
  /** The planning thread dies. */
  readonly planner: number;
  /** The solver does not answer, answers wrongly, fails. */
  readonly solver: number;
}

export interface SwarmTenant {
  readonly name: string;
  readonly weight: number;
  readonly cohort: string | null;
  /** In GPUs of all kinds, in those of one model, in money. */
  readonly quotas: readonly Quota[];
}

/** One kind of wish; few per run, as in life. */
export interface Shape {
  readonly gpus: number;
  readonly replicas: number;
  readonly priority: number;
  readonly kind: "service" | "batch";
  readonly runtimeSeconds: number;
  readonly spot: boolean;
  readonly evictable: boolean;
  readonly model: string | null;
  readonly cap: number | null;
  readonly fallback: "queue" | "spot" | null;
  /** A part of one GPU in place of whole ones. */
  readonly part: { readonly fraction: number } | { readonly mig_profile: string } | null;
}

const models = ["nvidia-a100", "nvidia-h100", "nvidia-t4"] as const;
const regions = ["eu-central-1", "eu-west-1", "us-east-1"] as const;

function drawSnapshot(rng: Rng): Snapshot {
  const offers = Array.from({ length: rng.between(2, 5) }, (_, index) => {
    const gpus = rng.pick([2, 4, 4, 8]);
    const isSpot = rng.chance(0.25);
    return {
      id: `offer-${index + 1}`,
      provider: `provider-${rng.between(1, 3)}`,
      region: rng.pick(regions),
      gpus,
      traits: {
        // some may be shared, and cut into instances
        gpu: { model: rng.pick(models), ...(rng.chance(0.4) ? { sharing: true, mig_capable: true } : {}) },
        cost: {
          ...(isSpot ? {} : { hourly_rate: `${rng.between(1, 4)} EUR` }),
          ...(rng.chance(0.7) ? { basis: "gpu" } : {}),
          ...(isSpot || rng.chance(0.3) ? { spot_rate: "0.5 EUR" } : {}),
        },
      },
      capacity: { cpu: "64", memory: "256Gi", pods: rng.pick([4, 110]) },
    };
  });
  const snapshot = readSnapshot({ version: "sim", at: "2026-03-01T00:00:00Z", offers });
  if (snapshot.skipped.length > 0) throw new Error(JSON.stringify(snapshot.skipped));
  return snapshot;
}

const parts = [
  { fraction: 0.5 },
  { fraction: 0.25 },
  { mig_profile: "1g.10gb" },
  { mig_profile: "3g.40gb" },
] as const;

const drawWhole = (rng: Rng, sold: readonly string[]): Shape => ({
  gpus: rng.pick([1, 1, 2, 4]),
  replicas: rng.chance(0.8) ? 1 : 2,
  priority: rng.pick([100, 500, 500, 700, 900]),
  kind: rng.chance(0.4) ? "service" : "batch",
  runtimeSeconds: rng.pick([2, 5, 30, 300]),
  spot: rng.chance(0.6),
  evictable: rng.chance(0.8),
  model: rng.chance(0.2) ? rng.pick(sold) : null,
  cap: rng.chance(0.1) ? rng.between(2, 12) : null,
  fallback: rng.chance(0.7) ? "queue" : rng.chance(0.5) ? "spot" : null,
  part: null,
});

function drawShape(rng: Rng, sold: readonly string[]): Shape {
  const whole = drawWhole(rng, sold);
  return rng.chance(0.15) ? { ...whole, gpus: 1, part: rng.pick(parts) } : whole;
}

/** Limits of one resource; money in micro-units. */
function drawLimits(rng: Rng, hasCohort: boolean, unit = 1): Omit<Quota, "gpuClass" | "money"> {
  const nominal = rng.between(1, 6);
  return {
    nominal: nominal * unit,
    ...(hasCohort && rng.chance(0.6) ? { borrowing: rng.between(0, 4) * unit } : {}),
    ...(hasCohort && rng.chance(0.3) ? { lending: rng.between(0, Math.min(3, nominal)) * unit } : {}),
  };
}

/** Quotas of a tenant: one of them in GPUs of all kinds as a rule, now and then one of a model, or in money. */
export function drawQuotas(rng: Rng, hasCohort: boolean, sold: readonly string[]): Quota[] {
  return [
    ...(rng.chance(0.6) ? [{ gpuClass: "*", ...drawLimits(rng, hasCohort) }] : []),
    ...(rng.chance(0.2) ? [{ gpuClass: rng.pick(sold), ...drawLimits(rng, hasCohort) }] : []),
    ...(rng.chance(0.35) ? [{ money: true as const, ...drawLimits(rng, hasCohort, 1_000_000) }] : []),
  ];
}

function drawTenants(rng: Rng, sold: readonly string[]): SwarmTenant[] {
  const hasCohort = rng.chance(0.5);
  const hasQuotas = rng.chance(0.65);
  return ["red", "green", "blue"].slice(0, rng.between(2, 3)).map((name) => ({
    name,
    weight: rng.between(1, 3),
    cohort: hasCohort ? "family" : null,
    quotas: hasQuotas ? drawQuotas(rng, hasCohort, sold) : [],
  }));
}

/** Operations that only seeds with an aim draw, in `drawSwarm`. */
const aimed: ReadonlySet<OperationName> = new Set(["limit", "rush", "clear", "scale", "cancelReturning"]);
/** Operations without which nothing happens. */
const always: ReadonlySet<OperationName> = new Set(["submit", "read"]);
/** Operations that undo much or take long: rare, at most this weight. */
const rare: Readonly<Partial<Record<OperationName, number>>> = {
  crash: 2,
  restart: 1,
  pause: 2,
  suspend: 1,
  quota: 2,
  outage: 1,
  price: 3,
  interrupt: 2,
  fail: 1,
  rival: 2,
  jump: 1,
  commitFault: 2,
  crowd: 2,
  cancelMoving: 3,
  dryRun: 2,
  hook: 3,
  useHook: 3,
  wait: 2,
};

function drawWeights(rng: Rng): Record<OperationName, number> {
  const entries = operationNames.map((name) => {
    if (aimed.has(name)) return [name, 0] as const;
    const most = rare[name] ?? 12;
    const isOn = always.has(name) || rng.chance(0.5);
    const weight = rng.between(1, most);
    return [name, isOn ? (always.has(name) ? weight + 6 : weight) : 0] as const;
  });
  return Object.fromEntries(entries) as Record<OperationName, number>;
}

/** Some situations come about less surely than others, or in two ways, and are aimed at more often. */
const aims = [...focusNames, "changes", "shares", "races"] as const;

/** Part of the seeds that aim at a situation: such runs take longer, because all that they do ends in decisions. */
const AIMED = 0.2;

/**
 * What is on in the run of a seed; some seeds aim at a situation that is rare otherwise.
 *
 * @param aimed part of the seeds that do, 0..1
 */
export function drawSwarm(seed: number, aimed: number = AIMED): Swarm {
  const swarm = drawUsual(createRng(mix(seed, 0x5eed)));
  const rng = createRng(mix(seed, 0xf0c5));
  if (rng.chance(aimed)) return focusOn(rng.pick(aims), rng, swarm);
  const maybe = (weight: number): number => (rng.chance(0.25) ? weight : 0);
  const weights = { ...swarm.weights, limit: maybe(2), scale: maybe(3), cancelReturning: maybe(3) };
  return { ...swarm, weights };
}

function drawUsual(rng: Rng): Swarm {
  const maybe = (most: number): number => (rng.chance(0.5) ? rng.next() * most : 0);
  const snapshot = drawSnapshot(rng);
  const sold = snapshot.offers.map(({ gpu }) => gpu.model ?? models[0]);
  return {
    weights: drawWeights(rng),
    tenants: drawTenants(rng, sold),
    snapshot,
    shapes: Array.from({ length: rng.between(2, 6) }, () => drawShape(rng, sold)),
    mostAlive: rng.pick([2, 4, 8]),
    paceMs: rng.pick([20, 60, 120, 300]),
    held: { store: maybe(1), federation: maybe(1), plan: maybe(0.8), http: maybe(1) },
    eagerness: rng.pick([0.3, 0.6, 0.85, 0.95]),
    lateMs: rng.chance(0.3) ? rng.pick([50, 2000]) : 0,
    shuffles: rng.chance(0.5),
    skewMs: rng.chance(0.3) ? rng.pick([500, 30_000]) : 0,
    processes: rng.chance(0.65) ? 1 : rng.between(2, 3),
    faults: {
      unreached: maybe(0.2),
      answerLost: maybe(0.2),
      repeated: maybe(0.1),
      refused: maybe(0.15),
      http: maybe(0.5),
      planner: rng.chance(0.3) ? 0.03 : 0,
      solver: maybe(0.5),
    },
  };
}
