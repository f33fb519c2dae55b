import type { Constraint, Query } from "../kernel/query.ts";
import type { Weights } from "../model/intent.ts";
import type { ConstraintName } from "../model/reason.ts";
import type { Catalog } from "./catalog.ts";
import { costConstraints } from "./constraints/cost.ts";
import { gpuConstraints, hostConstraints } from "./constraints/gpu.ts";
import { placeConstraints } from "./constraints/place.ts";
import { policyConstraints } from "./constraints/policy.ts";
import { quotaConstraints } from "./constraints/quota.ts";
import type { ConstraintSpec, Scope } from "./constraints/spec.ts";
import { timeConstraints } from "./constraints/time.ts";
import type { Need } from "./need.ts";
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

/**
 * Constraints that look at more than a need: at what a plan has given away, quotas, what others hold. All others say the
 * same of a need whenever they are asked.
 */
const beyondNeed: ReadonlySet<ConstraintName> = new Set<ConstraintName>([
  "offer.available",
  "gpu.count",
  "cpu",
  "memory",
  "offer.pods",
  "deadline",
  "quota",
  "offer.calendar",
  "offer.spot_cooldown",
  "spot_policy",
]);

interface OfNeed {
  readonly catalog: Catalog;
  /** Per spec: null where the need does not state it, or where it looks at more. */
  readonly constraints: readonly (Constraint | null)[];
}

const ofNeeds = new WeakMap<Need, OfNeed>();

function constraintOf(spec: ConstraintSpec, scope: Scope): Constraint | null {
  const predicates = spec.predicates(scope);
  return predicates === null ? null : { name: spec.name, predicates };
}

/** What the constraints of a need say that look at nothing else; found once. */
function ofNeed(scope: Scope): OfNeed["constraints"] {
  const { catalog, need } = scope;
  let known = ofNeeds.get(need);
  if (known === undefined || known.catalog !== catalog) {
    const constraints = specs.map((spec) => (beyondNeed.has(spec.name) ? null : constraintOf(spec, scope)));
    known = { catalog, constraints };
    ofNeeds.set(need, known);
  }
  return known.constraints;
}

const looksBeyond = specs.map(({ name }) => beyondNeed.has(name));

/** Encodes the stated constraints of a need, without its score. */
export function encode(scope: Scope, k: number): Encoded {
  const constraints: Constraint[] = [];
  const stated: ConstraintSpec[] = [];
  const known = ofNeed(scope);
  for (let index = 0; index < specs.length; index++) {
    const spec = specs[index]!;
    const constraint = looksBeyond[index] === true ? constraintOf(spec, scope) : known[index]!;
    if (constraint === null) continue;
    constraints.push(constraint);
    stated.push(spec);
  }
  return {
    query: {
      constraints,
      ...(scope.need.spotAllowed ? {} : { skip: scope.catalog.columns.flag("extraSpot") }),
      terms: [],
      k,
      margin: MARGIN,
    },
    specs: stated,
    isScored: false,
  };
}

/** The same query with its score; null where some row does not tell a weighted criterion, which no column can hold. */
export function withScore({ catalog, need }: Scope, weights: Weights, encoded: Encoded): Encoded | null {
  const terms = scoreTerms(catalog, need, weights);
  return terms === null ? null : { ...encoded, query: { ...encoded.query, terms }, isScored: true };
}

const allRows = { terms: [], k: 1, margin: 0 } as const;

/** Sets or clears the bits of rows. */
function setBits(bits: Uint32Array, rows: Uint32Array, isSet: boolean): void {
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index]!;
    if (isSet) bits[row >> 5]! |= 1 << (row & 31);
    else bits[row >> 5]! &= ~(1 << (row & 31));
  }
}

/** Bitmap of the rows of a catalogue that fail a constraint. */
export function failingRows({ table, options }: Catalog, constraint: Constraint): Uint32Array {
  const failing = new Uint32Array((options.count + 31) >> 5);
  if (constraint.predicates.every((predicate) => predicate.kind === "bitmap")) {
    for (const { failed } of constraint.predicates as readonly { readonly failed: Uint32Array }[])
      for (let word = 0; word < failed.length; word++) failing[word]! |= failed[word]!;
    return failing;
  }
  failing.fill(0xffffffff);
  setBits(failing, table.feasible({ ...allRows, constraints: [constraint] }), false);
  return failing;
}

/** Rows that fail just these constraints, by index of the constraint. */
export interface Blocked {
  readonly by: readonly number[];
  readonly rows: number[];
}

/**
 * The rows of a query's universe that fail one constraint or two, by which; in order of their first rows. Counted for 32
 * rows at a time: bits of `once`, `twice` and `often` say that a row fails at least as many.
 */
export function blockedRows(catalog: Catalog, { query }: Encoded): Blocked[] {
  const { constraints, terms: _, ...rest } = query;
  const failing = constraints.map((constraint) => failingRows(catalog, constraint));
  const universe = new Uint32Array((catalog.options.count + 31) >> 5);
  setBits(universe, catalog.table.feasible({ ...rest, ...allRows, constraints: [] }), true);
  const blocked = new Map<number, Blocked>();
  for (let word = 0; word < universe.length; word++) {
    let once = 0;
    let twice = 0;
    let often = 0;
    for (const bits of failing) {
      const fails = bits[word]!;
      often |= twice & fails;
      twice |= once & fails;
      once |= fails;
    }
    for (let left = once & ~often & universe[word]!; left !== 0; left &= left - 1) {
      const bit = 31 - Math.clz32(left & -left);
      const by: number[] = [];
      for (let index = 0; index < failing.length; index++)
        if ((failing[index]![word]! >>> bit) & 1) by.push(index);
      const key = by[0]! * constraints.length + (by[1] ?? by[0]!);
      const known = blocked.get(key);
      if (known === undefined) blocked.set(key, { by, rows: [word * 32 + bit] });
      else known.rows.push(word * 32 + bit);
    }
  }
  return [...blocked.values()];
}
