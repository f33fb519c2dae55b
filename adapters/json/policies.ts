import type { BidResult } from "../../engine/model/bid.ts";
import type { Decision } from "../../engine/model/decision.ts";
import type { Plan } from "../../engine/model/plan.ts";
import { moneyResource, type Resource } from "../../engine/model/quota.ts";
import { forgeAmount, type Json, type JsonObject } from "./amount.ts";

/** GPUs as a number, money as an amount. */
const amountOf = (resource: Resource, value: number, currency: string): Json =>
  resource === moneyResource ? forgeAmount(value, currency) : value;

const forgeBid = ({ offer, bidMicro, priceMicro, isWon }: BidResult, currency: string): JsonObject => ({
  offer,
  won: isWon,
  bid: forgeAmount(bidMicro, currency),
  price: forgeAmount(priceMicro, currency),
});

/** What quotas, bids and preemption mean for one intent: its tenant's own figures, others only as a number. */
export function forgePolicies({ quota, bid, preempts, evicted }: Decision, currency: string): JsonObject {
  return {
    ...(quota === undefined
      ? {}
      : {
          quota: quota.map(({ resource, nominal, used, available, asked }) => ({
            resource,
            nominal: amountOf(resource, nominal, currency),
            used: amountOf(resource, used, currency),
            available: amountOf(resource, available, currency),
            asked: amountOf(resource, asked, currency),
          })),
        }),
    ...(bid === undefined ? {} : { bid: forgeBid(bid, currency) }),
    ...(preempts === undefined ? {} : { preempts: { own: [...preempts.own], others: preempts.others } }),
    ...(evicted === undefined
      ? {}
      : {
          evicted: {
            cause: evicted.cause,
            from: [...evicted.from],
            lost_seconds: evicted.lostSeconds,
            restart_seconds: evicted.restartSeconds,
          },
        }),
  };
}

/** What a plan does about several tenants, for operators: evictions, lenders, shares, auctions. Empty parts absent. */
export function forgePlanPolicies(plan: Plan): JsonObject {
  const { currency } = plan;
  const parts: Record<string, readonly JsonObject[]> = {
    evictions: plan.evictions.map((one) => ({
      intent: one.intent,
      tenant: one.tenant,
      priority: one.priority,
      cause: one.cause,
      by: one.by,
      from: one.from.map(({ offer, gpus }) => ({ offer, gpus })),
      lost_seconds: one.lostSeconds,
      restart_seconds: one.restartSeconds,
      lost: forgeAmount(one.lostMicro, currency),
      outcome: one.outcome,
      to: [...one.to],
    })),
    preemptions: plan.preemptions.map((one) => ({
      intent: one.intent,
      victims: [...one.victims],
      lost: forgeAmount(one.lostMicro, currency),
      least: forgeAmount(one.leastMicro, currency),
    })),
    quotas: plan.quotas.map((one) => ({
      intent: one.intent,
      tenant: one.tenant,
      resource: one.resource,
      nominal: amountOf(one.resource, one.nominal, currency),
      used: amountOf(one.resource, one.used, currency),
      asked: amountOf(one.resource, one.asked, currency),
      lenders: one.lenders.map(({ name, amount }) => ({
        name,
        amount: amountOf(one.resource, amount, currency),
      })),
    })),
    shares: plan.shares.map((one) => ({
      tenant: one.tenant,
      weight: one.weight,
      entitled: forgeAmount(one.entitledMicro, currency),
      got: forgeAmount(one.gotMicro, currency),
      largest_job: forgeAmount(one.largestMicro, currency),
      backlogged: one.isBacklogged,
      from: one.from,
    })),
    clearings: plan.clearings.map((one) => ({
      offer: one.offer,
      free_gpus: one.gpusFree,
      list_price: forgeAmount(one.listMicro, currency),
      price: forgeAmount(one.priceMicro, currency),
      bids: one.bids,
      winners: [...one.winners],
    })),
  };
  return Object.fromEntries(Object.entries(parts).filter(([, list]) => list.length > 0));
}
