import type { Resource, Standing } from "../model/quota.ts";
import type { QuotaTree } from "./tree.ts";

/** Amounts of resources, 0 or more, integers: thousandths of GPUs, micro-units per hour. */
export type Amounts = ReadonlyMap<Resource, number>;

/** What a node owns, keeps to itself and uses of one resource. */
interface Account {
  /** Its nominal quota and what its children lend it. */
  readonly quota: number;
  /** Of that, what it never lends. */
  readonly local: number;
  /** Most it may take from its parent on top of its quota; Infinity where nothing is stated. */
  readonly borrowing: number;
  used: number;
}

/**
 * Use of the quotas of all tenants, kept while a plan gives things away. A tenant takes from its own quota first;
 * only what exceeds the part it never lends is felt by its cohort, and so on upwards.
 *
 * @see https://kueue.sigs.k8s.io/docs/concepts/cohort/ for the same arithmetic of nominal, borrowing and lending
 */
export interface Books {
  readonly tree: QuotaTree;
  /** Resources that are counted for a tenant: everything its tree states a quota for. */
  resourcesOf(tenant: string): readonly Resource[];
  /** Books use by a tenant; a negative sign gives back. Tenants outside the trees are not limited. */
  enter(tenant: string, amounts: Amounts, sign: 1 | -1): void;
  /** Own figures of a tenant for everything that is counted for it. */
  standing(tenant: string): readonly Standing[];
  /** True when the tenant may take these amounts on top of what it uses. */
  admits(tenant: string, amounts: Amounts): boolean;
  /** True when the tenant stays within what it owns with these amounts: it borrows nothing then. */
  isWithinNominal(tenant: string, amounts: Amounts): boolean;
  /**
   * True when the tenant exceeds its quota, and so does every cohort above it below the first that it shares with
   * `other`: what it has too much comes from where `other` lends. Of a tenant itself: that it exceeds its quota.
   */
  borrowsFrom(tenant: string, other: string, resource: Resource): boolean;
  /** True when both share a root: what one lends, the other may borrow. */
  isSameTree(a: string, b: string): boolean;
  /** What the tenants below a node may take together at most, counting what each of them still owns. */
  room(node: number, resource: Resource): number;
  /** Tenants and cohorts of the tenant's trees with quota of a resource that they lend and do not use, most first. */
  lenders(tenant: string, resource: Resource): { readonly name: string; readonly amount: number }[];
  copy(): Books;
}

type Accounts = ReadonlyMap<Resource, readonly (Account | null)[]>;

/** Accounts of every resource, children before parents. */
function openAccounts({ nodes, resources }: QuotaTree): Accounts {
  const all = new Set([...resources.values()].flat());
  const accounts = new Map<Resource, (Account | null)[]>();
  for (const resource of [...all].sort()) {
    const own: (Account | null)[] = nodes.map(() => null);
    const open = (index: number): Account => {
      const { children, quotas, parent } = nodes[index]!;
      const stated = quotas.get(resource);
      const lent = children.reduce((sum, child) => {
        const below = open(child);
        return sum + below.quota - below.local;
      }, 0);
      const quota = (stated?.nominal ?? 0) + lent;
      const account: Account = {
        quota,
        local: parent < 0 ? 0 : Math.max(0, quota - (stated?.lending ?? quota)),
        borrowing: stated?.borrowing ?? Number.POSITIVE_INFINITY,
        used: 0,
      };
      own[index] = account;
      return account;
    };
    for (const [root, counted] of resources) if (counted.includes(resource)) open(root);
    accounts.set(resource, own);
  }
  return accounts;
}

/** Empty books of a tree. */
export function openBooks(tree: QuotaTree): Books {
  return booksOf(tree, openAccounts(tree));
}

const none: readonly Resource[] = [];

function booksOf(tree: QuotaTree, accounts: Accounts): Books {
  const { nodes, index, resources } = tree;
  const accountOf = (node: number, resource: Resource): Account => accounts.get(resource)![node]!;

  const available = (node: number, resource: Resource): number => {
    const account = accountOf(node, resource);
    const { parent } = nodes[node]!;
    if (parent < 0) return account.quota - account.used;
    const own = Math.max(0, account.local - account.used);
    const stored = account.quota - account.local;
    const taken = Math.max(0, account.used - account.local);
    // what a node keeps to itself is its own even where a cohort has run over
    return own + Math.max(0, Math.min(available(parent, resource), stored - taken + account.borrowing));
  };
  const add = (node: number, resource: Resource, amount: number): void => {
    for (let at = node, rest = amount; at >= 0 && rest !== 0; at = nodes[at]!.parent) {
      const account = accountOf(at, resource);
      const before = Math.max(0, account.used - account.local);
      account.used += rest;
      rest = Math.max(0, account.used - account.local) - before;
    }
  };
  const resourcesOf = (tenant: string): readonly Resource[] => {
    const node = index.get(tenant);
    return node === undefined ? none : (resources.get(nodes[node]!.root) ?? none);
  };
  const nominalOf = (node: number, resource: Resource): number =>
    nodes[node]!.quotas.get(resource)?.nominal ?? 0;
  const slackBelow = (node: number, resource: Resource): number =>
    nodes[node]!.children.reduce((sum, child) => {
      const { local, used } = accountOf(child, resource);
      return sum + Math.max(0, local - used) + slackBelow(child, resource);
    }, 0);
  const wayUp = (node: number): number[] => {
    const path: number[] = [];
    for (let at = node; at >= 0; at = nodes[at]!.parent) path.push(at);
    return path;
  };

  const books: Books = {
    tree,
    resourcesOf,
    enter(tenant, amounts, sign) {
      const node = index.get(tenant);
      if (node === undefined) return;
      for (const resource of resourcesOf(tenant)) {
        const amount = amounts.get(resource) ?? 0;
        if (amount !== 0) add(node, resource, sign * amount);
      }
    },
    standing(tenant) {
      const node = index.get(tenant);
      if (node === undefined) return [];
      return resourcesOf(tenant).map((resource) => ({
        resource,
        nominal: nominalOf(node, resource),
        used: accountOf(node, resource).used,
        available: Math.max(0, available(node, resource)),
      }));
    },
    admits: (tenant, amounts) => {
      const node = index.get(tenant);
      if (node === undefined) return true;
      return resourcesOf(tenant).every((resource) => {
        const amount = amounts.get(resource) ?? 0;
        return amount === 0 || amount <= available(node, resource);
      });
    },
    isWithinNominal(tenant, amounts) {
      const node = index.get(tenant);
      if (node === undefined) return false;
      return resourcesOf(tenant).every((resource) => {
        const amount = amounts.get(resource) ?? 0;
        return amount === 0 || accountOf(node, resource).used + amount <= nominalOf(node, resource);
      });
    },
    borrowsFrom(tenant, other, resource) {
      const from = index.get(tenant);
      const to = index.get(other);
      if (from === undefined || to === undefined || !resourcesOf(tenant).includes(resource)) return false;
      if (from === to) return accountOf(from, resource).used > accountOf(from, resource).quota;
      if (nodes[from]!.root !== nodes[to]!.root || !resourcesOf(tenant).includes(resource)) return false;
      const shared = new Set(wayUp(to));
      if (shared.has(from)) return false;
      return wayUp(from)
        .filter((node) => !shared.has(node))
        .every((node) => accountOf(node, resource).used > accountOf(node, resource).quota);
    },
    isSameTree(a, b) {
      const one = index.get(a);
      const other = index.get(b);
      return one !== undefined && other !== undefined && nodes[one]!.root === nodes[other]!.root;
    },
    room: (node, resource) => Math.max(0, available(node, resource)) + slackBelow(node, resource),
    lenders(tenant, resource) {
      const node = index.get(tenant);
      if (node === undefined || !resourcesOf(tenant).includes(resource)) return [];
      const { root } = nodes[node]!;
      return nodes
        .flatMap((one, at) => {
          if (one.root !== root || at === node || !one.quotas.has(resource)) return [];
          const { nominal, lending } = one.quotas.get(resource)!;
          // an inner node's use is its members': what it owns itself is lent first
          const used = one.children.length > 0 ? 0 : accountOf(at, resource).used;
          const amount = Math.min(lending ?? nominal, Math.max(0, nominal - used));
          return amount > 0 ? [{ name: one.name, amount }] : [];
        })
        .sort((a, b) => b.amount - a.amount || (a.name < b.name ? -1 : 1));
    },
    copy: () =>
      booksOf(
        tree,
        new Map(
          [...accounts].map(([resource, own]) => [
            resource,
            own.map((account) => (account === null ? null : { ...account })),
          ]),
        ),
      ),
  };
  return books;
}
