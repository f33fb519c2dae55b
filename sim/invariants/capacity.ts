import type { AllocationRow, ReservationRow } from "../../api/store/schema.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";

/** Phases of a key in which it takes nothing of its offer. */
const over: ReadonlySet<string> = new Set(["lost", "completed"]);

/** What an allocation takes. */
type Taking = Pick<AllocationRow, "id" | "state" | "cpu_milli" | "memory_mib" | "replicas">;

/**
 * No oversubscription: what providers hold for us fits into each offer; what our books call ours was granted; what
 * tenants reserved ahead fits at every moment.
 */
export async function checkCapacity({ providers, swarm, database }: World): Promise<void> {
  const held = await providers.inner.observe();
  const rows = new Map(
    database
      .rows<Taking>(
        "select id, state, cpu_milli, memory_mib, replicas from allocations where released_ms is null",
      )
      .map((row) => [row.id as string, row]),
  );
  for (const { id, capacity, divisible } of swarm.snapshot.offers) {
    const there = held.filter(({ offer, phase }) => offer === id && !over.has(phase));
    const gpus = there.reduce((sum, one) => sum + one.gpus, 0);
    const fits = divisible ? gpus <= capacity.gpus : there.length <= 1;
    check(
      fits,
      "oversubscription",
      () => `${id} holds ${gpus} of ${capacity.gpus} GPUs for ${there.length} keys`,
    );
    const own = there.flatMap(({ key }) => rows.get(key) ?? []);
    const sum = (of: (row: Taking) => number): number => own.reduce((total, row) => total + of(row), 0);
    const { cpuMilli = 0, memoryMib = 0, pods = 0 } = capacity;
    const isWithin =
      sum(({ cpu_milli }) => cpu_milli) <= cpuMilli &&
      sum(({ memory_mib }) => memory_mib) <= memoryMib &&
      sum(({ replicas }) => replicas) <= pods;
    check(
      isWithin,
      "oversubscription",
      () => `${id} has no CPU, memory or pods for ${own.map((row) => row.id)}`,
    );
  }
  for (const { id, state } of rows.values())
    check(
      state === "planned" || providers.granted.has(id),
      "oversubscription",
      () => `${id} is ${state} and was never granted`,
    );
}

/** Reservations of all tenants fit into each offer at every moment. */
export function checkReservations({ swarm, database }: World): void {
  const rows = database.rows<ReservationRow>("select * from reservations where state = 'active'");
  for (const { id, capacity } of swarm.snapshot.offers) {
    const there = rows.filter(({ offer }) => offer === id);
    for (const { from_ms: at } of there) {
      const gpus = there.reduce((sum, one) => sum + (one.from_ms <= at && at < one.to_ms ? one.gpus : 0), 0);
      check(
        gpus <= capacity.gpus,
        "oversubscription",
        () => `${gpus} of ${capacity.gpus} GPUs of ${id} are reserved`,
      );
    }
  }
}

/** Decisions are made by whole seconds: of the last one of a window they know nothing. */
const SECOND_MS = 1000;

/**
 * What runs and what is reserved fit together: in its window, now or to come, a reservation is there for its tenant,
 * whatever was decided since, and however close together. Services of whole GPUs are counted, which end when they are told
 * to (parts share devices, and the books have a GPU for each); what no provider has granted yet, and a window by a clock
 * that is off, are not.
 */
export function checkReserved({ swarm, database, time }: World): void {
  if (swarm.skewMs > 0 || swarm.weights.jump > 0) return;
  const nowMs = time.nowMs();
  const windows = database.rows<ReservationRow>(
    "select * from reservations where state = 'active' and to_ms > ?",
    nowMs + SECOND_MS,
  );
  if (windows.length === 0) return;
  const services = database.rows<AllocationRow>(
    `select a.* from allocations a join intents i on i.id = a.intent_id
     where a.released_ms is null and i.kind = 'service' and i.phase not in ('releasing', 'placing')
       and json_extract(i.spec, '$.workload.resources.gpu.migProfile') is null
       and json_extract(i.spec, '$.workload.resources.gpu.fractionMilli') is null`,
  );
  for (const { id, capacity, divisible } of swarm.snapshot.offers) {
    const reserved = windows.filter(({ offer }) => offer === id);
    const there = services.filter(({ offer }) => offer === id);
    if (there.length === 0) continue;
    for (const startMs of new Set(reserved.map(({ from_ms }) => Math.max(from_ms, nowMs)))) {
      const open = reserved.filter(({ from_ms, to_ms }) => from_ms <= startMs && startMs < to_ms);
      const tenants = new Set([...open, ...there].map(({ tenant_id }) => tenant_id));
      const taken = [...tenants].reduce((total, tenant) => {
        const own = there.filter(({ tenant_id }) => tenant_id === tenant);
        const uses =
          divisible || own.length === 0 ? own.reduce((sum, { gpus }) => sum + gpus, 0) : capacity.gpus;
        const keeps = open.reduce((sum, one) => sum + (one.tenant_id === tenant ? one.gpus : 0), 0);
        return total + Math.max(uses, keeps);
      }, 0);
      check(
        taken <= capacity.gpus,
        "oversubscription",
        () => `${taken} of ${capacity.gpus} GPUs of ${id} are reserved or run a service`,
      );
    }
  }
}

/** After convergence: what providers hold is exactly what the books say is held. */
export async function checkNoOrphans({ providers, database }: World): Promise<void> {
  const there = (await providers.inner.observe()).map(({ key }) => key);
  const here = database
    .rows<{ id: string }>("select id from allocations where released_ms is null order by id")
    .map(({ id }) => id);
  check(
    JSON.stringify(there) === JSON.stringify(here),
    "orphan",
    () => `held: ${there}; in the books: ${here}`,
  );
}
