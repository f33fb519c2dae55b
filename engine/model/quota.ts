/** What a quota counts: a canonical GPU family, `*` for all GPUs, or `money` per hour at list price. */
export type Resource = string;

/** The resource of money quotas. No GPU family has this name. */
export const moneyResource: Resource = "money";

/** An amount as people count it: GPUs of thousandths, money as it is. */
export function inUnits(resource: Resource, amount: number): number {
  return resource === moneyResource ? amount : amount / 1000;
}

/**
 * Own figures of one tenant for one resource: thousandths of GPUs, or micro-units per hour for `money`. Integers, so that
 * parts of GPUs add up exactly.
 */
export interface Standing {
  readonly resource: Resource;
  /** What the tenant owns, without what it borrows. */
  readonly nominal: number;
  readonly used: number;
  /** What it may still take: its own, and what its cohorts lend now. */
  readonly available: number;
}

/** A quota that an intent exceeds: the tenant's own figures only, in GPUs to the thousandth, or micro-units per hour. */
export interface QuotaShort extends Standing {
  /** What the intent asks for on top of what is used. */
  readonly asked: number;
}
