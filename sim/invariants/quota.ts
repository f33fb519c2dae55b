import type { AllocationRow, TenantRow } from "../../api/store/schema.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Intent } from "../../engine/model/intent.ts";
import type { Quota } from "../../engine/model/snapshot.ts";
import type { Entry } from "../books.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";

/** So long after a change of quotas or prices a decision may still have been made on the ones before. */
const LATE_MS = 600_000;

/** What a tenant may, in one resource: GPUs, or micro-units per hour. */
interface Limits {
  readonly nominal: number;
  readonly borrowing: number;
  /** Of the nominal quota, what others may have, and what they may not. */
  readonly lending: number;
  readonly kept: number;
}

/** Quotas and cohort of a tenant, since when. */
interface Version {
  readonly sinceMs: number;
  readonly cohort: string | null;
  readonly quotas: readonly Quota[];
}

const nameOf = ({ gpuClass, money }: Quota): string => (money === true ? "money" : (gpuClass ?? ""));

/** Null where nothing is stated. */
function limitsOf({ quotas }: Version, resource: string): Limits | null {
  const quota = quotas.find((one) => nameOf(one) === resource);
  if (quota === undefined) return null;
  const { nominal, borrowing = Number.POSITIVE_INFINITY, lending = nominal } = quota;
  return { nominal, borrowing, lending, kept: nominal - lending };
}

/** Who states no quota has none, and may borrow whatever is lent. */
const unstated: Limits = { nominal: 0, borrowing: Number.POSITIVE_INFINITY, lending: 0, kept: 0 };

/** The loosest of several, figure by figure. */
function loosest(all: readonly (Limits | null)[]): Limits {
  const most = (figure: keyof Limits): number => Math.max(...all.map((one) => (one ?? unstated)[figure]));
  return {
    nominal: most("nominal"),
    borrowing: most("borrowing"),
    lending: most("lending"),
    kept: most("kept"),
  };
}

type Part = Pick<Intent["workload"]["resources"]["gpu"], "fractionMilli" | "migProfile">;

/** GPUs of parts: each fraction as it is, an instance by its compute slices of seven. */
function shareOf({ fractionMilli, migProfile }: Part): number {
  if (migProfile !== undefined) return Math.ceil((1000 * Number(migProfile[0])) / 7) / 1000;
  return (fractionMilli ?? 1000) / 1000;
}

/** List price per hour of GPUs in an offer, micro-units. Everything in a simulation is sold in one currency. */
function listPrice({ price, capacity, divisible }: Flavor, gpus: number, isSpot: boolean): number {
  const { micro } = (isSpot ? price.spot : price.onDemand) ?? price.onDemand ?? price.spot ?? { micro: 0 };
  if (!divisible) return price.basis === "gpu" ? micro * capacity.gpus : micro;
  return (price.basis === "gpu" ? micro : Math.ceil(micro / capacity.gpus)) * gpus;
}

/** An allocation and the wish that it is for. */
interface Held extends Pick<AllocationRow, "tenant_id" | "offer" | "gpus" | "spot"> {
  readonly gpu: Intent["workload"]["resources"]["gpu"];
}

/** What one allocation counts in a resource, at one price of its offer. */
export function countOf(
  { gpus, spot, gpu }: Pick<Held, "gpus" | "spot"> & { readonly gpu: Part },
  resource: string,
  flavor: Flavor,
): number {
  const share = shareOf(gpu);
  if (resource === "money")
    return share < 1 && flavor.divisible
      ? Math.ceil(listPrice(flavor, 1, spot === 1) * share) * gpus
      : listPrice(flavor, gpus, spot === 1);
  const isOfIt = resource === "*" || resource === flavor.gpu.model || flavor.gpu.families.includes(resource);
  return isOfIt ? gpus * share : 0;
}

/** Everything that is not on its way back, or that was not before a true time. */
export function heldNow({ database }: World, sinceMs: number = Number.MAX_SAFE_INTEGER): Held[] {
  return database
    .rows<Omit<Held, "gpu"> & { spec: string }>(
      `select a.tenant_id, a.offer, a.gpus, a.spot, i.spec from allocations a join intents i on i.id = a.intent_id
       where a.released_ms is null and i.phase <> 'releasing'
       or a.state <> 'planned' and coalesce(a.released_ms, i.phase_ms) > ?`,
      sinceMs,
    )
    .map(({ spec, ...row }) => ({ ...row, gpu: (JSON.parse(spec) as Intent).workload.resources.gpu }));
}

/** What holds now, and what a decision that is written now may have been made on. */
const recentOf = <T extends { readonly sinceMs: number }>(all: readonly T[], nowMs: number): readonly T[] =>
  all.filter((_, index) => (all[index + 1]?.sinceMs ?? Number.POSITIVE_INFINITY) > nowMs - LATE_MS);

/** Quotas as they were stored, counted beside the service's own books. */
export interface QuotaCheck {
  /** Notes what quotas there are now. */
  note(world: World): void;
  /**
   * With every new placement its tenant stays within what it owns and may borrow, and if it borrows, its cohort within
   * what its members own and lend: in GPUs of all kinds, in those of a model, and in money at list price. Parts of GPUs
   * count as parts. What was decided may have been decided on quotas and prices of some minutes ago.
   */
  check(world: World, fresh: readonly Entry[]): void;
  /** Whether a tenant has used more than it owns of something lately. */
  borrows(world: World, tenant: string): boolean;
}

export function createQuotaCheck(): QuotaCheck {
  const versions = new Map<string, Version[]>();

  let changes = -1;

  const note = ({ database, time, swarm }: World): void => {
    // without an operation that changes them they are what they were
    if (versions.size > 0 && (swarm.weights.quota === 0 || database.changes() === changes)) return;
    changes = database.changes();
    for (const { id, quotas, cohort } of database.rows<Pick<TenantRow, "id" | "quotas" | "cohort">>(
      "select id, quotas, cohort from tenants",
    )) {
      const known = versions.get(id) ?? [];
      versions.set(id, known);
      const now = { sinceMs: time.nowMs(), cohort, quotas: JSON.parse(quotas) as Quota[] };
      const last = known.at(-1);
      if (last === undefined || JSON.stringify(last.quotas) !== quotas) known.push(now);
    }
  };
  const recent = (name: string, { time }: World): readonly Version[] =>
    recentOf(versions.get(name) ?? [], time.nowMs());
  /** GPUs or money of a tenant, at the lowest of recent prices. */
  const usedBy = (world: World, held: readonly Held[], name: string, resource: string): number =>
    held.reduce((sum, one) => {
      if (one.tenant_id !== name) return sum;
      const prices = recentOf(world.providers.sold(one.offer), world.time.nowMs());
      return sum + Math.min(...prices.map(({ flavor }) => countOf(one, resource, flavor)));
    }, 0);
  const checkOne = (world: World, held: readonly Held[], name: string): void => {
    const cohort = versions.get(name)?.[0]?.cohort ?? null;
    const family = [...versions.keys()].filter(
      (other) => other === name || (cohort !== null && versions.get(other)?.[0]?.cohort === cohort),
    );
    const resources = new Set(
      family.flatMap((member) => recent(member, world).flatMap(({ quotas }) => quotas.map(nameOf))),
    );
    for (const resource of resources) {
      const limits = new Map(
        family.map((member) => [member, recent(member, world).map((one) => limitsOf(one, resource))]),
      );
      // where nobody states a quota nothing is counted
      if ([...limits.values()].every((all) => all.includes(null))) continue;
      const has = usedBy(world, held, name, resource);
      const { nominal, borrowing, kept } = loosest(limits.get(name) ?? []);
      const most = cohort === null ? nominal : nominal + borrowing;
      check(has <= most, "quota", () => `${name} uses ${has} of ${resource}, and ${most} at most`);
      world.trace.mark(`quota counted: ${resource === "money" || resource === "*" ? resource : "a model"}`);
      if (cohort === null || has <= kept) continue;
      const lent = family.reduce((sum, member) => sum + loosest(limits.get(member) ?? []).lending, 0);
      const above = family.reduce(
        (sum, member) =>
          sum + Math.max(0, usedBy(world, held, member, resource) - loosest(limits.get(member) ?? []).kept),
        0,
      );
      check(
        above <= lent,
        "quota",
        () => `${cohort} uses ${above} of ${resource} with ${name}, and lends ${lent}`,
      );
    }
  };
  return {
    note,
    check(world, fresh) {
      const placed = fresh.filter(({ row }) => row.kind === "intent.placing");
      if (placed.length === 0) return;
      const held = heldNow(world);
      for (const name of new Set(placed.map(({ row }) => row.tenant_id))) checkOne(world, held, name);
    },
    borrows(world, tenant) {
      const held = heldNow(world, world.time.nowMs() - LATE_MS);
      return recent(tenant, world).some(({ quotas }) =>
        // who states nothing owns nothing
        ["*", "money", ...world.swarm.snapshot.offers.map(({ gpu }) => gpu.model)].some((resource) => {
          const { nominal } = quotas.find((one) => nameOf(one) === resource) ?? { nominal: 0 };
          const prices = (offer: string) => recentOf(world.providers.sold(offer), world.time.nowMs());
          const most = held.reduce(
            (sum, one) =>
              sum +
              (one.tenant_id === tenant
                ? Math.max(...prices(one.offer).map(({ flavor }) => countOf(one, resource, flavor)))
                : 0),
            0,
          );
          return most > nominal;
        }),
      );
    },
  };
}
