import type { Constraint, Predicate, Query } from "./query.ts";

/**
 * Texts of queries: equal texts are encoded equally. Names of constraints do not count. A bitmap counts by identity, for
 * its content is as long as the table, and whoever decides rows anew makes a new one.
 */
export class QueryKeys {
  readonly #bitmaps: WeakMap<Uint32Array, number> = new WeakMap();
  #next = 0;

  /** @param wantsAll every feasible row, see `writeJob` */
  of(queries: readonly Query[], wantsAll: boolean): string {
    let key = wantsAll ? "all" : "best";
    for (const { constraints, skip, terms, k, margin } of queries) {
      key += `\n${skip ?? ""};${k};${margin}`;
      for (const { column, weight } of terms) key += `;${column}*${weight}`;
      for (const constraint of constraints) key += this.ofConstraint(constraint);
    }
    return key;
  }

  ofConstraint({ predicates }: Constraint): string {
    let key = "|";
    for (const predicate of predicates) key += this.#ofPredicate(predicate);
    return key;
  }

  #ofPredicate(predicate: Predicate): string {
    switch (predicate.kind) {
      case "range": {
        const { column, min, max, unknown } = predicate;
        return `r${column},${min ?? ""},${max ?? ""},${unknown}`;
      }
      case "category":
        return `c${predicate.column},${predicate.allowed.join(",")},${predicate.unknown}`;
      case "flag":
        return `f${predicate.column},${predicate.value},${predicate.unknown}`;
      case "bitmap": {
        const { failed, unknown } = predicate;
        return `b${this.#numberOf(failed)},${unknown === undefined ? "" : this.#numberOf(unknown)}`;
      }
    }
  }

  #numberOf(bitmap: Uint32Array): number {
    let number = this.#bitmaps.get(bitmap);
    if (number === undefined) {
      number = this.#next++;
      this.#bitmaps.set(bitmap, number);
    }
    return number;
  }
}
