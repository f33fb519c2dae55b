import { type Catalog, offerIndexOf } from "../compile/catalog.ts";
import { needOf } from "../compile/need.ts";
import type { Eviction } from "../model/eviction.ts";
import type { Flavor } from "../model/flavor.ts";
import type { Holding } from "../model/snapshot.ts";
import type { Running } from "../model/terms.ts";
import { latencyMs } from "../score/latency.ts";
import { carbonGramsPerGpuHour } from "../score/performance.ts";
import { checkPlacements, type Placed, withReleased } from "./check-placements.ts";
import { checkPolicies, withoutHoldings } from "./check-policies.ts";

/** A finished plan, before it is told to anybody. */
export interface Finished {
  readonly placed: readonly Placed[];
  readonly evictions: readonly Eviction[];
  /** Holdings of displaced work that end besides the evicted ones. */
  readonly ended: readonly Holding[];
  /** Running work that a caller's own terms released. */
  readonly released: readonly Running[];
}

/**
 * Recounts a plan: placements against offers, quotas and evictions against the rules.
 *
 * @throws {Error} a broken invariant: a bug in this package
 */
export function checkPlan(catalog: Catalog, { placed, evictions, ended, released }: Finished): void {
  const { snapshot } = catalog;
  const gone = new Set(evictions.map(({ intent }) => intent));
  const over = [...ended, ...snapshot.holdings.filter(({ intent }) => gone.has(intent))];
  const find = (id: string): Flavor | undefined => snapshot.offers[offerIndexOf(snapshot, id)];
  checkPlacements(
    snapshot,
    placed,
    (id) => {
      const flavor = find(id);
      return flavor && withReleased(withoutHoldings(flavor, snapshot, over), released);
    },
    (intent, flavor) => ({
      latencyMs: latencyMs(flavor, needOf(catalog, intent).origin),
      carbonGramsPerGpuHour: carbonGramsPerGpuHour(flavor),
    }),
  );
  checkPolicies(snapshot, find, { placed, evictions, ended: over });
}
