import type { Clock } from "../env.ts";

/** How much somebody may ask for. A cheap request costs one unit. */
export interface Rate {
  readonly perSecond: number;
  /** Units that may be asked for at once. */
  readonly burst: number;
}

/** Rates of the service. */
export interface Rates {
  /** Of each token. */
  readonly token: Rate;
  /** Of failed authentication, per address: valid tokens from that address are never held back. */
  readonly failures: Rate;
}

/** Above what one machine stores durably, so that a token alone cannot take everything: the queue of the store guards the rest. */
export const defaultRates: Rates = {
  token: { perSecond: 5000, burst: 10_000 },
  failures: { perSecond: 10, burst: 50 },
};

/** What became of one request for units. */
export interface Taken {
  readonly isAllowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until everything is available again. */
  readonly resetSeconds: number;
  /** Seconds until the same is allowed, and the one cheap request that it comes with; 0 when it was. */
  readonly retrySeconds: number;
}

/** Forgets who asked for nothing lately once more than this many are known. */
const MOST_KEYS = 20_000;

/** Forgets keys without debt; when there are none, the one that asked first. */
function forgetSettled(paidAtMs: Map<string, number>, now: number): void {
  for (const [name, paid] of paidAtMs) if (paid <= now) paidAtMs.delete(name);
  const [oldest] = paidAtMs.keys();
  if (paidAtMs.size >= MOST_KEYS && oldest !== undefined) paidAtMs.delete(oldest);
}

/**
 * A limiter per key by the generic cell rate algorithm: one number per key, the time at which its debt is paid.
 * Units that are refused are not charged.
 */
export function createLimiter(
  rate: Rate,
  clock: Pick<Clock, "monoMs">,
): { take(key: string, units?: number): Taken } {
  const paidAtMs = new Map<string, number>();
  const unitMs = 1000 / rate.perSecond;
  const most = rate.burst * unitMs;
  return {
    take(key, units = 1) {
      const now = clock.monoMs();
      const before = Math.max(now, paidAtMs.get(key) ?? 0);
      const after = before + Math.min(units, rate.burst) * unitMs;
      const isAllowed = after - now <= most + 1e-6;
      const debt = (isAllowed ? after : before) - now;
      if (isAllowed) {
        if (paidAtMs.size >= MOST_KEYS && !paidAtMs.has(key)) forgetSettled(paidAtMs, now);
        paidAtMs.set(key, after);
      }
      return {
        isAllowed,
        limit: rate.burst,
        remaining: Math.max(0, Math.floor((most - debt) / unitMs)),
        resetSeconds: Math.ceil(debt / 1000),
        retrySeconds: isAllowed ? 0 : Math.max(1, Math.ceil((after + unitMs - now - most) / 1000)),
      };
    },
  };
}
