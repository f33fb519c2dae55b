import type { Predicate } from "../../kernel/query.ts";
import { isOfClass } from "../../model/flavor.ts";
import { moneyResource, type Standing } from "../../model/quota.ts";
import { type Catalog, flavorOf } from "../catalog.ts";
import { heldMilli } from "../devices.ts";
import { billedByGpu, billedMicro } from "../need.ts";
import { changed } from "./forms.ts";
import { bitmapOf, type ConstraintSpec, type Scope } from "./spec.ts";

/** What binds in this scope; `asIfFree` asks what would bind if nobody used anything. */
const standingsOf = ({ limits, asIfFree }: Scope): readonly Standing[] =>
  (asIfFree ? limits?.ever : limits?.now) ?? [];

/** Rows per GPU class, computed once per catalogue. */
const classRows = new WeakMap<Catalog, Map<string, Uint32Array>>();

function rowsOfClass(catalog: Catalog, gpuClass: string): Uint32Array {
  const known = classRows.get(catalog) ?? new Map<string, Uint32Array>();
  classRows.set(catalog, known);
  let rows = known.get(gpuClass);
  if (rows === undefined) {
    rows = bitmapOf(catalog.options.count, (row) => isOfClass(flavorOf(catalog, row), gpuClass));
    known.set(gpuClass, rows);
  }
  return rows;
}

/**
 * What the tenant's quotas still allow. A gang must fit in the quota of an option as a whole, wherever its replicas
 * end up; tasks that may run in waves need room for one.
 */
const quota: ConstraintSpec = {
  name: "quota",
  predicates: (scope) => {
    const { catalog, need } = scope;
    const predicates: Predicate[] = [];
    for (const { resource, available } of standingsOf(scope))
      if (resource === moneyResource) {
        const { options } = catalog;
        const failed = bitmapOf(
          options.count,
          (row) => billedMicro(catalog, need, row, need.together) > available,
        );
        predicates.push({ kind: "bitmap", failed });
      } else if (need.part !== undefined) {
        // a MIG slice is another share of each model
        const fails = (row: number): boolean => {
          const flavor = flavorOf(catalog, row);
          return isOfClass(flavor, resource) && available < heldMilli(need, need.together, flavor);
        };
        predicates.push({ kind: "bitmap", failed: bitmapOf(catalog.options.count, fails) });
      } else if (available < heldMilli(need, need.together, undefined))
        predicates.push({ kind: "bitmap", failed: rowsOfClass(catalog, resource) });
    return predicates.length === 0 ? null : predicates;
  },
  relax: (scope, rows) => {
    const { catalog, need } = scope;
    if (need.part !== undefined) return null;
    const most = (row: number): number => {
      let gpus = need.gpus;
      for (const { resource, available } of standingsOf(scope))
        if (resource === moneyResource) {
          const unit = catalog.options.unitMicro[row]!;
          gpus = Math.min(gpus, unit > 0 ? Math.floor(available / (unit * need.together)) : gpus);
        } else if (isOfClass(flavorOf(catalog, row), resource))
          gpus = Math.min(gpus, Math.floor(available / 1000 / need.together));
      return gpus;
    };
    const to = rows.reduce((best, row) => Math.max(best, most(row)), 0);
    if (to < 1 || to >= need.gpus) return null;
    return changed(need.intent, ["workload", "resources", "gpu", "count"], to, {
      path: "workload.resources.gpu.count",
      from: need.gpus,
      to,
    });
  },
};

/** True when all of the need is within the quotas wherever it goes, would nobody use anything. */
export function isEverWithin(scope: Scope): boolean {
  const { need } = scope;
  return need.together === need.replicas && quota.predicates({ ...scope, asIfFree: true }) === null;
}

/** Replicas that the tenant's quotas allow on the option of a row. */
export function quotaSlots(scope: Scope, row: number): number {
  const { catalog, need } = scope;
  let slots = Number.POSITIVE_INFINITY;
  for (const { resource, available } of standingsOf(scope))
    if (resource === moneyResource) {
      const unit = catalog.options.unitMicro[row]!;
      if (unit > 0) slots = Math.min(slots, Math.floor(available / billedByGpu(catalog, need, row, 1)));
      else if (catalog.options.wholeMicro[row]! > available) slots = 0;
    } else if (isOfClass(flavorOf(catalog, row), resource))
      slots = Math.min(slots, Math.floor(available / heldMilli(need, 1, flavorOf(catalog, row))));
  return slots;
}

/** Quotas of the intent's tenant. */
export const quotaConstraints: readonly ConstraintSpec[] = [quota];
