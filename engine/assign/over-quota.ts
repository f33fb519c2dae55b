import { flavorOf } from "../compile/catalog.ts";
import { isEverWithin } from "../compile/constraints/quota.ts";
import type { Limits, Scope } from "../compile/constraints/spec.ts";
import { heldMilli } from "../compile/devices.ts";
import { formatMicro } from "../model/money.ts";
import { inUnits, moneyResource, type QuotaShort, type Standing } from "../model/quota.ts";
import { amountsOf } from "../quota/demand.ts";
import type { Share } from "./replicas.ts";
import { placeSingle, type SingleResult } from "./single.ts";

/** What these shares of an intent would exceed. */
function exceeded(
  standings: readonly Standing[],
  { need, catalog }: Scope,
  shares: readonly Share[],
): QuotaShort[] {
  if (shares.length === 0) return [];
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

/** True when what an intent was answered is what it would be answered without quotas: no option. */
const isForNothing = ({ encoded, answer }: SingleResult): boolean => {
  const quota = encoded.specs.findIndex(({ name }) => name === "quota");
  return answer.feasible === 0 && (quota < 0 || answer.sole[quota] === 0);
};

const withoutLimits = ({ limits: _dropped, ...scope }: Scope): Scope => scope;

/** Where an intent would go if everything were free: without its quotas, and within them. Found once, when asked for. */
export interface WhenFree {
  readonly unlimited: SingleResult;
  readonly limited: SingleResult;
}

export function whenFree(scope: Scope, k: number): WhenFree {
  const free: Scope = { ...scope, usage: new Map(), asIfFree: true };
  let unlimited: SingleResult | null = null;
  return {
    get unlimited() {
      unlimited ??= placeSingle(withoutLimits(free), k);
      return unlimited;
    },
    get limited() {
      return isEverWithin(free) ? this.unlimited : placeSingle(free, k);
    },
  };
}

/**
 * What of its tenant's quotas keeps an intent out that would fit otherwise, or null. `isWaiting` when an unused cohort
 * would admit it; else no amount of waiting helps.
 *
 * @param known what the intent was answered with its quotas, and where it would go if everything were free
 */
export function overQuota(
  scope: Scope,
  limits: Limits,
  k: number,
  { result, free }: { readonly result: SingleResult; readonly free: WhenFree },
): { readonly isWaiting: boolean; readonly message: string; readonly quota: readonly QuotaShort[] } | null {
  const now = isForNothing(result) ? [] : placeSingle(withoutLimits(scope), k).shares;
  const short = exceeded(limits.now, scope, now.length > 0 ? now : free.unlimited.shares);
  if (short.length === 0) return null;
  const never = exceeded(limits.ever, scope, free.unlimited.shares);
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
