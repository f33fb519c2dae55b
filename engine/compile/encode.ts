import type { Constraint, Predicate, Query } from "../kernel/query.ts";
import type { Weights } from "../model/intent.ts";
import type { Catalog } from "./catalog.ts";
import { costConstraints } from "./constraints/cost.ts";
import { gpuConstraints, hostConstraints } from "./constraints/gpu.ts";
import { placeConstraints } from "./constraints/place.ts";
import { policyConstraints } from "./constraints/policy.ts";
import { quotaConstraints } from "./constraints/quota.ts";
import type { ConstraintSpec, Scope } from "./constraints/spec.ts";
import { timeConstraints } from "./constraints/time.ts";
import { scoreTerms } from "./score-columns.ts";

const specs: readonly ConstraintSpec[] = [
  ...placeConstraints,
  ...gpuConstraints,
  ...hostConstraints,
  ...costConstraints,
  ...quotaConstraints,
  ...timeConstraints,
  ...policyConstraints,
];

/** A query with the specs behind its constraints, index by index. */
export interface Encoded {
  readonly query: Query;
  readonly specs: readonly ConstraintSpec[];
  /** The query has the terms of a score; else all feasible rows score the same, and its answer has them all. */
  readonly isScored: boolean;
}

/** f32 rounding of a score of a few terms of at most ~25 each stays far below this. */
const MARGIN = 1e-3;

/** Encodes the stated constraints of a need, without its score. */
export function encode(scope: Scope, k: number): Encoded {
  const stated: { spec: ConstraintSpec; constraint: Constraint }[] = [];
  for (const spec of specs) {
    const predicates: readonly Predicate[] | null = spec.predicates(scope);
    if (predicates !== null) stated.push({ spec, constraint: { name: spec.name, predicates } });
  }
  return {
    query: {
      constraints: stated.map(({ constraint }) => constraint),
      ...(scope.need.spotAllowed ? {} : { skip: scope.catalog.columns.flag("extraSpot") }),
      terms: [],
      k,
      margin: MARGIN,
    },
    specs: stated.map(({ spec }) => spec),
    isScored: false,
  };
}

/** The same query with its score; null where some row does not tell a weighted criterion, which no column can hold. */
export function withScore({ catalog, need }: Scope, weights: Weights, encoded: Encoded): Encoded | null {
  const terms = scoreTerms(catalog, need, weights);
  return terms === null ? null : { ...encoded, query: { ...encoded.query, terms }, isScored: true };
}

/**
 * Which constraints each row of the universe fails, as sets of indices packed into two 32-bit words per row
 * (`words[2 * row]` holds constraints 0-31), built with one pass per constraint. For explanations, not for the hot
 * path. Rows outside the universe have all bits set.
 */
export function failureSets(catalog: Catalog, encoded: Encoded): Uint32Array {
  const words = new Uint32Array(catalog.options.count * 2);
  const { query } = encoded;
  const { skip: _, ...rest } = query;
  query.constraints.forEach((constraint, index) => {
    const bit = 1 << (index & 31);
    for (let at = index >> 5; at < words.length; at += 2) words[at]! |= bit;
    for (const row of catalog.table.feasible({ ...rest, constraints: [constraint], terms: [] }))
      words[row * 2 + (index >> 5)]! &= ~bit;
  });
  const universe = catalog.table.feasible({ ...query, constraints: [], terms: [] });
  let next = 0;
  for (let row = 0; row < catalog.options.count; row++) {
    if (row === universe[next]) next++;
    else words.fill(0xffffffff, row * 2, row * 2 + 2);
  }
  return words;
}
