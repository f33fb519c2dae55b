import { moneyResource, type Resource } from "../model/quota.ts";
import type { Quota, Tenant } from "../model/snapshot.ts";

/** One tenant or cohort in a tree; a cohort that nobody describes has no quotas of its own. */
interface Node {
  readonly name: string;
  readonly parent: number;
  readonly children: number[];
  readonly root: number;
  /** GPUs in thousandths. */
  readonly quotas: ReadonlyMap<Resource, Quota>;
  readonly weight: number;
}

/** What is wrong with an entry. */
export interface TenantProblem {
  /** For the tenant: names nobody else. */
  readonly own: string;
  /** For operators: names the entries concerned. */
  readonly detail: string;
}

/** Tenants and cohorts with their limits. Trees never share a node; entries that are broken are in `problems`. */
export interface QuotaTree {
  readonly nodes: readonly Node[];
  readonly index: ReadonlyMap<string, number>;
  /** Why the intents of a tenant cannot be planned, by the tenant's name. */
  readonly problems: ReadonlyMap<string, TenantProblem>;
  /** Per root: what is counted anywhere in its tree. */
  readonly resources: ReadonlyMap<number, readonly Resource[]>;
}

const resourceOf = (quota: Quota): Resource | undefined =>
  quota.money === true ? moneyResource : quota.gpuClass;

/** A quota as it is counted: GPUs in thousandths. */
function inThousandths(quota: Quota): Quota {
  if (quota.money === true) return quota;
  const { nominal, borrowing, lending } = quota;
  return {
    ...quota,
    nominal: nominal * 1000,
    ...(borrowing === undefined ? {} : { borrowing: borrowing * 1000 }),
    ...(lending === undefined ? {} : { lending: lending * 1000 }),
  };
}

const isAmount = (value: number | undefined): boolean =>
  value === undefined || (Number.isSafeInteger(value) && value >= 0);

/** The first thing wrong with an entry by itself, or null. */
function entryProblem(tenant: Tenant): string | null {
  if (tenant.problem !== undefined) return tenant.problem;
  if (!(tenant.weight > 0 && Number.isFinite(tenant.weight)))
    return `weight is ${tenant.weight}; accepted: above 0`;
  const seen = new Set<Resource>();
  for (const quota of tenant.quotas) {
    const resource = resourceOf(quota);
    if (resource === undefined || (quota.money === true && quota.gpuClass !== undefined))
      return "a quota states neither or both of gpu_class and money";
    if (seen.has(resource)) return `two quotas for ${resource}`;
    seen.add(resource);
    for (const name of ["nominal", "borrowing", "lending"] as const)
      if (!isAmount(quota[name])) return `${name} of ${resource} is ${quota[name]}; accepted: 0 or more`;
    if (quota.lending !== undefined && quota.lending > quota.nominal)
      return `lending of ${resource} is ${quota.lending}, above its nominal ${quota.nominal}`;
  }
  return null;
}

/** Names on the way up from an entry, itself first; `cycle` when the way comes back. */
function ancestry(
  name: string,
  entries: ReadonlyMap<string, Tenant>,
): { readonly path: string[]; readonly cycle: boolean } {
  const path = [name];
  for (let parent = entries.get(name)?.cohort; parent !== undefined; parent = entries.get(parent)?.cohort) {
    if (path.includes(parent)) return { path: [...path, parent], cycle: true };
    path.push(parent);
  }
  return { path, cycle: false };
}

/**
 * Builds the trees of tenants and cohorts. An entry is an inner node when another names it as its cohort; a cohort
 * without an entry only pools what its members lend. A broken entry takes everything below it along, because what
 * those may use is not known; the others are planned.
 */
export function createQuotaTree(tenants: readonly Tenant[]): QuotaTree {
  const entries = new Map<string, Tenant>();
  const own = new Map<string, string>();
  for (const tenant of tenants) {
    const problem = entries.has(tenant.name) ? "two entries have this name" : entryProblem(tenant);
    if (problem !== null) own.set(tenant.name, problem);
    entries.set(tenant.name, tenant);
  }
  const problems = new Map<string, TenantProblem>();
  const names = new Set<string>();
  for (const name of [...entries.keys()].sort()) {
    const { path, cycle } = ancestry(name, entries);
    const broken = path.find((one) => own.has(one));
    if (cycle)
      problems.set(name, {
        own: "its cohorts form a cycle",
        detail: `its cohorts form a cycle: ${path.join(" in ")}`,
      });
    else if (broken === name) problems.set(name, { own: own.get(name)!, detail: own.get(name)! });
    else if (broken !== undefined)
      problems.set(name, {
        own: "a cohort above it is not usable",
        detail: `cohort ${broken} above it: ${own.get(broken)}`,
      });
    else for (const one of path) names.add(one);
  }
  const nodes: Node[] = [];
  const index = new Map<string, number>();
  const add = (name: string): number => {
    const found = index.get(name);
    if (found !== undefined) return found;
    const entry = entries.get(name);
    const parent = entry?.cohort === undefined ? -1 : add(entry.cohort);
    const at = nodes.length;
    index.set(name, at);
    nodes.push({
      name,
      parent,
      children: [],
      root: parent < 0 ? at : nodes[parent]!.root,
      quotas: new Map((entry?.quotas ?? []).map((quota) => [resourceOf(quota)!, inThousandths(quota)])),
      weight: entry?.weight ?? 1,
    });
    if (parent >= 0) nodes[parent]!.children.push(at);
    return at;
  };
  for (const name of [...names].sort()) add(name);
  const found = new Map<number, Set<Resource>>();
  for (const { root, quotas } of nodes) {
    const set = found.get(root) ?? new Set();
    for (const resource of quotas.keys()) set.add(resource);
    found.set(root, set);
  }
  return {
    nodes,
    index,
    problems,
    resources: new Map([...found].map(([root, set]) => [root, [...set].sort()])),
  };
}
