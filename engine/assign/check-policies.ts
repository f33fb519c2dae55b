import { migGeometry, migMilli } from "../catalog/mig.ts";
import type { Placement } from "../model/decision.ts";
import { assert } from "../model/errors.ts";
import type { Eviction } from "../model/eviction.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Intent } from "../model/intent.ts";
import { convert } from "../model/money.ts";
import type { Holding, Quota, Snapshot, Tenant } from "../model/snapshot.ts";
import { parseTime } from "../model/time.ts";

/** A plan as the checker of the policies sees it. */
export interface PolicyCase {
  readonly placed: readonly { readonly intent: Intent; readonly placements: readonly Placement[] }[];
  readonly evictions: readonly Eviction[];
  /** Holdings that the plan ends: evicted ones, and what is left of displaced gangs. */
  readonly ended: readonly Holding[];
}

/** The offer with what ended holdings give back: an offer sold whole comes free when nobody is left on it. */
export function withoutHoldings(flavor: Flavor, snapshot: Snapshot, ended: readonly Holding[]): Flavor {
  const here = ended.filter(({ offer }) => offer === flavor.id);
  if (here.length === 0) return flavor;
  const capacity = { ...flavor.capacity };
  const left = snapshot.holdings.filter((one) => one.offer === flavor.id && !ended.includes(one));
  for (const { gpus, cpuMilli, memoryMib, replicas, fractionMilli, migProfile } of here) {
    // a part leaves its device to whatever else is on it
    const whole = fractionMilli === undefined && migProfile === undefined ? gpus : 0;
    capacity.gpusFree = Math.min(capacity.gpus, capacity.gpusFree + whole);
    if (capacity.cpuMilliFree !== undefined) capacity.cpuMilliFree += cpuMilli ?? 0;
    if (capacity.memoryMibFree !== undefined) capacity.memoryMibFree += memoryMib ?? 0;
    if (capacity.podsFree !== undefined) capacity.podsFree += replicas ?? 1;
  }
  if (!flavor.divisible && left.length === 0) capacity.gpusFree = capacity.gpus;
  return { ...flavor, capacity };
}

/** Use of one quota entry by name: what everything below it takes. */
type UsageOf = (tenant: string, quota: Quota) => number;

const counts = (flavor: Flavor | undefined, { gpuClass }: Quota): boolean =>
  gpuClass === "*" ||
  (flavor !== undefined && (flavor.gpu.model === gpuClass || flavor.gpu.families.includes(gpuClass ?? "")));

function priceOf(snapshot: Snapshot, flavor: Flavor | undefined, gpus: number, spot: boolean): number {
  if (flavor === undefined) return 0;
  const { onDemand, spot: spotPrice, basis } = flavor.price;
  const money = (spot ? spotPrice : onDemand) ?? onDemand ?? spotPrice;
  const price = money === undefined ? 0 : (convert(money, snapshot.currency, snapshot.rates) ?? 0);
  const total = flavor.capacity.gpus;
  if (!flavor.divisible) return basis === "gpu" ? price * total : price;
  return (basis === "gpu" ? price : Math.ceil(price / total)) * gpus;
}

interface Amount {
  readonly tenant: string;
  readonly flavor: Flavor | undefined;
  /** Thousandths of GPUs. */
  readonly milli: number;
  readonly micro: number;
}

/** Thousandths and price of `gpus` GPUs in an offer, or of as many parts of one. */
function amountIn(
  snapshot: Snapshot,
  flavor: Flavor | undefined,
  { gpus, spot, fractionMilli, migProfile }: Pick<Holding, "gpus" | "spot" | "fractionMilli" | "migProfile">,
): Pick<Amount, "flavor" | "milli" | "micro"> {
  const geometry = flavor === undefined ? null : migGeometry(flavor.gpu);
  const slice =
    migProfile === undefined ? undefined : geometry === null ? 1000 : migMilli(geometry, migProfile);
  const each = slice ?? Math.min(1000, fractionMilli ?? 1000);
  const micro = priceOf(snapshot, flavor, gpus, spot ?? false);
  const isShared = each < 1000 && flavor?.divisible === true;
  return {
    flavor,
    milli: each * gpus,
    micro: isShared ? Math.ceil((priceOf(snapshot, flavor, 1, spot ?? false) * each) / 1000) * gpus : micro,
  };
}

const usageOf =
  (amounts: readonly Amount[]): UsageOf =>
  (tenant, quota) =>
    amounts.reduce((sum, one) => {
      if (one.tenant !== tenant) return sum;
      if (quota.money === true) return sum + one.micro;
      return counts(one.flavor, quota) ? sum + one.milli / 1000 : sum;
    }, 0);

const key = ({ gpuClass, money }: Quota): string => (money === true ? "money" : (gpuClass ?? ""));

/** What a node of the cohort tree owns, keeps to itself and uses of one resource; recursive, straight from the entries. */
function nodeState(
  name: string,
  resource: Quota,
  tenants: readonly Tenant[],
  own: UsageOf,
): { readonly quota: number; readonly local: number; readonly used: number; readonly most: number } {
  const entry = tenants.find((tenant) => tenant.name === name);
  const stated = entry?.quotas.find((quota) => key(quota) === key(resource));
  let quota = stated?.nominal ?? 0;
  let used = own(name, resource);
  for (const child of tenants.filter(({ cohort }) => cohort === name)) {
    const below = nodeState(child.name, resource, tenants, own);
    quota += below.quota - below.local;
    used += Math.max(0, below.used - below.local);
  }
  const isRoot = entry?.cohort === undefined;
  return {
    quota,
    used,
    local: isRoot || stated?.lending === undefined ? 0 : Math.max(0, quota - stated.lending),
    most: isRoot ? quota : quota + (stated?.borrowing ?? Number.POSITIVE_INFINITY),
  };
}

/** Nodes from a tenant up to its root; null where the way comes back to itself. */
function wayUp(name: string, tenants: readonly Tenant[]): string[] | null {
  const path = [name];
  for (let at = tenants.find((one) => one.name === name)?.cohort; at !== undefined; ) {
    if (path.includes(at)) return null;
    path.push(at);
    const next: string = at;
    at = tenants.find((one) => one.name === next)?.cohort;
  }
  return path;
}

/** Entries that mean something, with everything above them: the others bind nobody, their intents are refused. */
function soundTenants(tenants: readonly Tenant[]): Tenant[] {
  const isAmount = (value: number | undefined): boolean =>
    value === undefined || (Number.isSafeInteger(value) && value >= 0);
  const isSound = ({ name, weight, quotas, problem }: Tenant): boolean =>
    problem === undefined &&
    weight > 0 &&
    Number.isFinite(weight) &&
    tenants.filter((one) => one.name === name).length === 1 &&
    new Set(quotas.map(key)).size === quotas.length &&
    quotas.every(
      (quota) =>
        (quota.money === true) !== (quota.gpuClass !== undefined) &&
        [quota.nominal, quota.borrowing, quota.lending].every(isAmount) &&
        (quota.lending ?? 0) <= quota.nominal,
    );
  const broken = new Set(tenants.filter((tenant) => !isSound(tenant)).map(({ name }) => name));
  return tenants.filter(({ name }) => wayUp(name, tenants)?.every((node) => !broken.has(node)) === true);
}

/** Everything that the tree of a tenant states a quota for. */
function resourcesOf(root: string, tenants: readonly Tenant[]): Quota[] {
  const found = new Map<string, Quota>();
  for (const tenant of tenants)
    if (wayUp(tenant.name, tenants)!.at(-1) === root)
      for (const quota of tenant.quotas) found.set(key(quota), quota);
  return [...found.values()];
}

function checkQuotas(
  snapshot: Snapshot,
  find: (offer: string) => Flavor | undefined,
  plan: PolicyCase,
): void {
  const tenants = soundTenants(snapshot.tenants);
  const added = plan.placed.filter(({ placements }) => placements.length > 0);
  for (const { intent } of added)
    assert(
      tenants.some(({ name }) => name === intent.tenant) ||
        !snapshot.tenants.some(({ name }) => name === intent.tenant),
      `${intent.name} is placed although the quotas of ${intent.tenant} mean nothing`,
    );
  const concerned = [...new Set(added.map(({ intent }) => intent.tenant))].filter((name) =>
    tenants.some((tenant) => tenant.name === name),
  );
  if (concerned.length === 0) return;
  const held = (holdings: readonly Holding[]): Amount[] =>
    holdings.map((one) => ({ tenant: one.tenant, ...amountIn(snapshot, find(one.offer), one) }));
  const given = added.flatMap(({ intent, placements }) =>
    placements.map(({ offer, gpus, spot }): Amount => {
      const { fractionMilli, migProfile } = intent.workload.resources.gpu;
      const part = {
        ...(fractionMilli === undefined ? {} : { fractionMilli }),
        ...(migProfile === undefined ? {} : { migProfile }),
      };
      return { tenant: intent.tenant, ...amountIn(snapshot, find(offer), { gpus, spot, ...part }) };
    }),
  );
  const before = usageOf(held(snapshot.holdings));
  const after = usageOf([...held(snapshot.holdings.filter((one) => !plan.ended.includes(one))), ...given]);
  for (const tenant of concerned) {
    const path = wayUp(tenant, tenants)!;
    for (const resource of resourcesOf(path.at(-1)!, tenants))
      for (const node of path) {
        const then = nodeState(node, resource, tenants, after);
        const now = nodeState(node, resource, tenants, before);
        // what ran over its quota before may go on, but not grow
        assert(
          then.used <= Math.max(then.most, now.used) + 1e-6,
          `${tenant}: ${node} uses ${then.used} of ${then.most} ${key(resource)}`,
        );
      }
  }
}

function checkEviction(snapshot: Snapshot, eviction: Eviction, plan: PolicyCase): void {
  const by = plan.placed.find(({ intent }) => intent.name === eviction.by);
  const who = `${eviction.intent} evicted for ${eviction.by}`;
  assert(by !== undefined && by.placements.length > 0, `${who}, which is not placed`);
  const holdings = snapshot.holdings.filter(({ intent }) => intent === eviction.intent);
  assert(holdings.length > 0, `${who}, but does not run`);
  const atMs = parseTime(snapshot.at);
  for (const { since, minRuntimeSeconds, evictable, priority, tenant } of holdings) {
    assert(
      atMs - parseTime(since) >= (minRuntimeSeconds ?? 0) * 1000,
      `${who} before its guaranteed ${minRuntimeSeconds} s`,
    );
    if (eviction.cause === "priority")
      assert(evictable && priority < by.intent.priority, `${who} at priority ${priority}`);
    else assert(tenant !== by.intent.tenant, `${who} of the same tenant`);
  }
}

/**
 * Recounts what a plan does to quotas and to running work, straight from its inputs: no quota is exceeded that was
 * not, nobody is evicted against the rules or for nothing. Shares no code with the quota books or the assigners.
 *
 * @param find the snapshot's offer with an id
 * @throws {Error} a broken invariant: a bug in this package
 */
export function checkPolicies(
  snapshot: Snapshot,
  find: (offer: string) => Flavor | undefined,
  plan: PolicyCase,
): void {
  checkQuotas(snapshot, find, plan);
  for (const eviction of plan.evictions) checkEviction(snapshot, eviction, plan);
}
