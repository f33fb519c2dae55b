import type { Quota } from "../engine/model/snapshot.ts";
import type { Rng } from "./random.ts";
import type { Shape, Swarm, SwarmTenant } from "./swarm.ts";

/** What some seeds aim at: a situation that chance alone brings about too rarely. */
export const focusNames = ["limits", "shares", "windows", "races", "changes"] as const;
export type FocusName = (typeof focusNames)[number];

/** Half as much of everything, for what comes besides. */
const halved = ({ weights }: Swarm): Swarm["weights"] =>
  Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, Math.ceil(weight / 2)]),
  ) as Swarm["weights"];

/** Fewer faults on the way to a placement. */
const calm = (swarm: Swarm): Swarm["faults"] => {
  const { unreached, answerLost, repeated, refused, http, planner, solver } = swarm.faults;
  return {
    unreached: unreached / 4,
    answerLost: answerLost / 4,
    repeated,
    refused: refused / 4,
    http,
    planner: planner / 4,
    solver,
  };
};

/** What a tenant owns, and the little that it may borrow besides: one GPU at least, or nothing ever comes close. */
function drawBorrower(rng: Rng): Pick<Quota, "nominal" | "borrowing"> {
  const nominal = rng.between(0, 2);
  return { nominal, borrowing: rng.between(nominal === 0 ? 1 : 0, 2) };
}

/** The model of which most GPUs are sold: room to go beyond a quota. */
function mostSold({ offers }: Swarm["snapshot"]): string {
  const gpusOf = new Map<string, number>();
  for (const { gpu, capacity } of offers)
    gpusOf.set(gpu.model ?? "", (gpusOf.get(gpu.model ?? "") ?? 0) + capacity.gpus);
  return [...gpusOf].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "";
}

function scaled(of: Pick<Quota, "gpuClass" | "money">, figures: Omit<Quota, "gpuClass" | "money">): Quota {
  const unit = of.money === true ? 1_000_000 : 1;
  const { nominal, borrowing, lending } = figures;
  return {
    ...of,
    nominal: nominal * unit,
    ...(borrowing === undefined ? {} : { borrowing: borrowing * unit }),
    ...(lending === undefined ? {} : { lending: lending * unit }),
  };
}

/** One that owns much and lends it, all of it or a part, and others that may have a little of that. */
function lending(rng: Rng, { tenants, snapshot }: Swarm): SwarmTenant[] {
  const all = { gpuClass: "*" };
  const of = rng.pick([all, all, { gpuClass: mostSold(snapshot) }, { money: true as const }]);
  const lender = rng.int(tenants.length);
  return tenants.map((tenant, index) => {
    const nominal = rng.between(4, 8);
    const owns = rng.chance(0.5) ? { nominal } : { nominal, lending: rng.between(2, 4) };
    const borrows = rng.chance(0.8) ? drawBorrower(rng) : { nominal: rng.between(0, 2) };
    return {
      ...tenant,
      cohort: "family",
      quotas: [scaled(of, index === lender ? owns : borrows)],
    };
  });
}

const onDemand = (shape: Shape): Shape => ({
  ...shape,
  cap: null,
  part: null,
  model: null,
  fallback: "queue",
});

/** Tenants under limits, room enough beyond them, and wishes that go to the limit and over it. */
function limits(rng: Rng, swarm: Swarm): Swarm {
  return {
    ...swarm,
    weights: {
      ...halved(swarm),
      limit: 8,
      submit: 3,
      quota: rng.chance(0.2) ? 1 : 0,
      rival: 0,
      outage: 0,
      crowd: 0,
    },
    tenants: lending(rng, swarm),
    mostAlive: 5,
    paceMs: 60,
    eagerness: 0.95,
    faults: calm(swarm),
  };
}

/** Tenants of unequal weights that want the very same, more of it than there is. */
function shares(rng: Rng, swarm: Swarm): Swarm {
  const isRising = rng.chance(0.5);
  const hasQuotas = rng.chance(0.15);
  return {
    ...swarm,
    weights: {
      ...halved(swarm),
      crowd: 0,
      rush: 4,
      clear: 4,
      wait: 5,
      quota: 0,
      amend: 0,
      suspend: 0,
      reserve: 0,
      submit: 4,
      rival: 0,
      outage: 0,
    },
    tenants: swarm.tenants.slice(0, rng.chance(0.8) ? 2 : 3).map((tenant, index) => ({
      ...tenant,
      weight: (index === 0) === isRising ? 1 : 3,
      cohort: null,
      // room enough for most of what is wanted: a quota that does not bind changes no share
      quotas: hasQuotas ? [{ gpuClass: "*", nominal: rng.between(8, 16) }] : [],
    })),
    shapes: swarm.shapes.slice(0, 2).map((shape) => ({
      ...onDemand(shape),
      gpus: 1,
      replicas: 1,
      kind: "service",
      spot: true,
    })),
    mostAlive: 8,
    paceMs: 300,
    eagerness: 0.95,
    faults: calm(swarm),
  };
}

/** Services and windows that were reserved meet, by clocks that are right. */
function windows(rng: Rng, swarm: Swarm): Swarm {
  return {
    ...swarm,
    weights: { ...halved(swarm), jump: 0, reserve: 4, unreserve: rng.int(2), wait: 2, cancel: 6 },
    shapes: swarm.shapes.map((shape) => ({ ...onDemand(shape), kind: "service" })),
    mostAlive: 8,
    paceMs: 300,
    skewMs: 0,
    faults: calm(swarm),
  };
}

/** Capacity is reserved just while a decision takes it, made and given back again and again. */
function races(rng: Rng, swarm: Swarm): Swarm {
  return {
    ...windows(rng, swarm),
    weights: {
      ...halved(swarm),
      jump: 0,
      reserve: 12,
      unreserve: 12,
      submit: 8,
      cancel: 8,
      rival: 0,
      outage: 0,
    },
    held: { ...swarm.held, store: 0.5, federation: 0.2, plan: 0.9 },
    processes: rng.between(1, 3),
    paceMs: 60,
    eagerness: 0.6,
  };
}

/** Wishes that are changed while they are decided on, or taken back while they are placed anew, slowly. */
function changes(rng: Rng, swarm: Swarm): Swarm {
  const takesBack = rng.chance(0.5);
  return {
    ...swarm,
    weights: {
      ...swarm.weights,
      scale: 8,
      cancelMoving: takesBack ? 3 : 6,
      cancelReturning: takesBack ? 10 : 0,
      cancel: 3,
      interrupt: rng.int(3),
      fail: rng.int(3),
      submit: 12,
      suspend: 0,
    },
    shapes: swarm.shapes.map((shape, index) => ({
      ...shape,
      kind: index === 0 || rng.chance(0.5) ? "service" : shape.kind,
    })),
    mostAlive: rng.pick([4, 8]),
    held: {
      ...swarm.held,
      store: takesBack ? rng.pick([0, 0.5]) : 0.5,
      federation: takesBack ? rng.pick([0.6, 0.95]) : 0.6,
      plan: 0.8,
    },
    eagerness: rng.pick([0.6, 0.85]),
  };
}

const focuses: Readonly<Record<FocusName, (rng: Rng, swarm: Swarm) => Swarm>> = {
  limits,
  shares,
  windows,
  races,
  changes,
};

/** Turns what a seed drew towards a situation. */
export const focusOn = (name: FocusName, rng: Rng, swarm: Swarm): Swarm => ({
  ...focuses[name](rng, swarm),
  focus: name,
});
