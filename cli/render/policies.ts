import colors from "picocolors";
import type { Decision } from "../../engine/model/decision.ts";
import { formatMicro, type Micro } from "../../engine/model/money.ts";
import type { Plan } from "../../engine/model/plan.ts";
import { moneyResource, type Resource } from "../../engine/model/quota.ts";
import { price, table } from "./table.ts";

const amount = (resource: Resource, value: number, currency: string): string =>
  resource === moneyResource ? price(value, currency) : `${value}`;

const money = (micro: Micro, currency: string): string =>
  `${formatMicro(Math.round(micro / 1000) * 1000)} ${currency}`;

const span = (seconds: number): string =>
  seconds < 120
    ? `${seconds} s`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

const resourceName = (resource: Resource): string =>
  resource === moneyResource ? "budget" : resource === "*" ? "all GPUs" : resource;

/** What quotas, bids and preemption mean for one intent: nothing of other tenants but a number. */
export function policyLines({ quota, bid, preempts, evicted }: Decision, currency: string): string[] {
  const lines = (quota ?? []).map(
    ({ resource, nominal, used, available, asked }) =>
      `quota of ${resourceName(resource)}: ${amount(resource, used, currency)} of ${amount(resource, nominal, currency)} in use, ${amount(resource, asked, currency)} asked, ${amount(resource, available, currency)} left`,
  );
  if (bid !== undefined)
    lines.push(
      `bid for ${bid.offer}: ${bid.isWon ? "won" : "lost"} with ${money(bid.bidMicro, currency)}, price ${money(bid.priceMicro, currency)} per GPU-hour`,
    );
  if (preempts !== undefined) {
    const others = preempts.others === 0 ? [] : [`${preempts.others} of other tenants`];
    lines.push(`makes way for it: ${[...preempts.own, ...others].join(", ")}`);
  }
  if (evicted !== undefined)
    lines.push(
      `evicted from ${evicted.from.join(", ")} (${evicted.cause}): ${span(evicted.lostSeconds)} of work lost, ${span(evicted.restartSeconds)} to restart`,
    );
  return lines;
}

const section = (title: string, head: readonly string[], rows: readonly (readonly string[])[]): string[] =>
  rows.length === 0 ? [] : [`${colors.bold(title)}\n${table(head, rows)}`];

/** What a plan does about several tenants, for the operator: evictions, lenders, shares, auctions. */
export function renderPolicies(plan: Plan): string[] {
  const { currency } = plan;
  return [
    ...section(
      "Evictions",
      ["intent", "tenant", "from", "for", "because of", "lost", "goes on"],
      plan.evictions.map((one) => [
        one.intent,
        one.tenant,
        one.from.map(({ offer }) => offer).join(", "),
        one.by,
        one.cause,
        `${span(one.lostSeconds)} + ${span(one.restartSeconds)}, ${money(one.lostMicro, currency)}`,
        one.outcome === "placed" ? one.to.join(", ") : one.outcome === "unknown" ? "queues" : one.outcome,
      ]),
    ),
    ...section(
      "Quotas in the way",
      ["intent", "tenant", "of", "in use", "owned", "asked", "could lend"],
      plan.quotas.map(({ intent, tenant, resource, used, nominal, asked, lenders }) => [
        intent,
        tenant,
        resourceName(resource),
        amount(resource, used, currency),
        amount(resource, nominal, currency),
        amount(resource, asked, currency),
        lenders.map((one) => `${one.name} ${amount(resource, one.amount, currency)}`).join(", ") || "nobody",
      ]),
    ),
    ...section(
      "Shares",
      ["tenant", "weight", "entitled to", "gets", "largest job"],
      plan.shares.map((one) => [
        one.tenant,
        `${one.weight}`,
        price(one.entitledMicro, currency),
        price(one.gotMicro, currency),
        price(one.largestMicro, currency),
      ]),
    ),
    ...section(
      "Auctions",
      ["offer", "free GPUs", "bids", "list price", "price", "winners"],
      plan.clearings.map((one) => [
        one.offer,
        `${one.gpusFree}`,
        `${one.bids}`,
        price(one.listMicro, currency),
        price(one.priceMicro, currency),
        one.winners.join(", ") || "-",
      ]),
    ),
  ];
}
