import { flavorOf } from "../compile/catalog.ts";
import type { Limits, Scope } from "../compile/constraints/spec.ts";
import { heldMilli } from "../compile/devices.ts";
import { formatMicro } from "../model/money.ts";
import { inUnits, moneyResource, type QuotaShort, type Standing } from "../model/quota.ts";
import { amountsOf } from "../quota/demand.ts";
import { placeSingle } from "./single.ts";

/** What the intent would exceed where it would go without quotas: now, else when everything is free. */
function exceeded(standings: readonly Standing[], scope: Scope, k: number): QuotaShort[] | null {
  const { limits: _dropped, ...unlimited } = scope;
  const now = placeSingle(unlimited, k).shares;
  const shares =
    now.length > 0 ? now : placeSingle({ ...unlimited, usage: new Map(), asIfFree: true }, k).shares;
  if (shares.length === 0) return null;
  const { need, catalog } = scope;
  const amounts = amountsOf(
    standings.map(({ resource }) => resource),
    shares.map(({ candidate, replicas, billedMicro }) => ({
      flavor: flavorOf(catalog, candidate.row),
      milli: heldMilli(need, replicas, flavorOf(catalog, candidate.row)),
      micro: billedMicro,
    })),
  );
  return standings.flatMap((standing) => {
    const { resource, nominal, used, available } = standing;
    const asked = amounts.get(resource) ?? 0;
    if (asked <= available) return [];
    const show = (amount: number): number => inUnits(resource, amount);
    return [
      {
        resource,
        nominal: show(nominal),
        used: show(used),
        available: show(available),
        asked: show(asked),
      },
    ];
  });
}

function sentence({ resource, nominal, used, available, asked }: QuotaShort, currency: string): string {
  const show = (amount: number): string =>
    resource === moneyResource ? `${formatMicro(amount)} ${currency}/h` : `${amount}`;
  const what = resource === moneyResource ? "budget" : resource === "*" ? "GPUs" : resource;
  const borrowed = used > nominal ? `, ${show(used - nominal)} of it borrowed` : "";
  const left = available > 0 ? `${show(available)} left` : "nothing left to take or borrow";
  return `${what}: ${show(used)} of ${show(nominal)} in use${borrowed}, ${show(asked)} asked, ${left}`;
}

/**
 * What of its tenant's quotas keeps an intent out that would fit otherwise, or null. `isWaiting` when an unused cohort
 * would admit it; else no amount of waiting helps.
 */
export function overQuota(
  scope: Scope,
  limits: Limits,
  k: number,
): { readonly isWaiting: boolean; readonly message: string; readonly quota: readonly QuotaShort[] } | null {
  const short = exceeded(limits.now, scope, k);
  if (short === null || short.length === 0) return null;
  const never = exceeded(limits.ever, { ...scope, usage: new Map(), asIfFree: true }, k) ?? [];
  const { currency } = scope.catalog.snapshot;
  const isWaiting = never.length === 0;
  return {
    isWaiting,
    message: `${isWaiting ? "over quota now" : "above what its quota ever allows"}: ${short
      .map((one) => sentence(one, currency))
      .join("; ")}`,
    quota: short,
  };
}
