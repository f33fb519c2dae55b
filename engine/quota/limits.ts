import { isOfClass } from "../model/flavor.ts";
import { inUnits, moneyResource, type Resource } from "../model/quota.ts";
import type { AmountOf, Limit } from "../model/terms.ts";
import type { Books } from "./books.ts";

const amountIn =
  (resource: Resource): AmountOf =>
  ({ flavor, gpus, billedMicro }) =>
    resource === moneyResource ? billedMicro : isOfClass(flavor, resource) ? gpus : 0;

/**
 * The quotas as limits on a batch of these tenants: one per tenant and resource, and one per cohort that two of them
 * share. Exact without lending limits; with them a cohort's limit is looser than the books, never tighter, so whoever
 * takes an assignment made under these limits asks the books again.
 */
export function limitsOf(books: Books, tenants: ReadonlySet<string>): Limit[] {
  const { nodes, index } = books.tree;
  const below = new Map<number, Set<string>>();
  for (const tenant of [...tenants].sort())
    for (let at = index.get(tenant) ?? -1; at >= 0; at = nodes[at]!.parent)
      below.set(at, (below.get(at) ?? new Set()).add(tenant));
  return [...below]
    .sort(([a], [b]) => a - b)
    .flatMap(([node, members]) => {
      const { name, root } = nodes[node]!;
      if (members.size < 2 && !members.has(name)) return [];
      return (books.tree.resources.get(root) ?? []).map(
        (resource): Limit => ({
          kind: resource === moneyResource ? "budget" : "quota",
          concerns: ({ tenant }) => members.has(tenant),
          left: inUnits(resource, books.room(node, resource)),
          amountOf: amountIn(resource),
        }),
      );
    });
}
