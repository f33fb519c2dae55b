import { randomBytes } from "node:crypto";
import type { Clock, Ids, OutgoingHttp, Random, Timers } from "../env.ts";

/** The machine's clocks. */
export const systemClock: Clock = { wallMs: () => Date.now(), monoMs: () => performance.now() };

/** Longest wait that the event loop knows; anything longer would run at once. */
const LONGEST_MS = 2 ** 31 - 1;

const timersThat = ({ keepAlive }: { readonly keepAlive: boolean }): Timers => ({
  after(delayMs, run) {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const restMs = leftMs - LONGEST_MS;
      timer = restMs > 0 ? setTimeout(wait, LONGEST_MS, restMs) : setTimeout(run, leftMs);
      if (!keepAlive) timer.unref();
    };
    wait(delayMs);
    return () => clearTimeout(timer);
  },
});

/** The event loop's timers; none keeps the process alive. */
export const systemTimers: Timers = timersThat({ keepAlive: false });

/** Timers for pauses that somebody waits for: a process that waits for a database that is not up yet has nothing else. */
export const waitingTimers: Timers = timersThat({ keepAlive: true });

/** Random bytes, drawn from the system in larger portions: asking it for a few at a time costs more than the bytes. */
function createRandom(): Random {
  let pool: Uint8Array = new Uint8Array(0);
  let at = 0;
  return {
    bytes(count) {
      if (at + count > pool.length) {
        pool = randomBytes(Math.max(4096, count));
        at = 0;
      }
      // a copy (a Buffer's own slice would be a view), and the pool forgets: a secret lies in one place only
      const bytes = Uint8Array.from(pool.subarray(at, at + count));
      pool.fill(0, at, at + count);
      at += count;
      return bytes;
    },
  };
}

export const systemRandom: Random = createRandom();

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** Ten digits of a time. */
function encodeTime(ms: number): string {
  let text = "";
  for (let left = ms, digit = 0; digit < 10; digit++, left = Math.floor(left / 32))
    text = `${alphabet[left % 32]}${text}`;
  return text;
}

function encodeTail(tail: Uint8Array): string {
  let text = "";
  for (const value of tail) text += alphabet[value];
  return text;
}

/**
 * Ids of ten characters of time and sixteen of chance (Crockford's base 32, as in ULID), lower case so that they can
 * name Kubernetes objects. Within one process they rise: inside a millisecond the last one is counted up.
 */
export function createIds(clock: Clock, random: Random): Ids {
  let lastMs = 0;
  let prefixMs = -1;
  let time = "";
  let tail = new Uint8Array(16);
  const next = (): string => {
    const now = clock.wallMs();
    if (now > lastMs) {
      lastMs = now;
      tail = Uint8Array.from(random.bytes(16), (byte) => byte & 31);
    } else {
      let index = 15;
      while (index >= 0 && tail[index] === 31) tail[index--] = 0;
      if (index >= 0) tail[index] = (tail[index] ?? 0) + 1;
      else lastMs++;
    }
    if (prefixMs !== lastMs) {
      prefixMs = lastMs;
      time = encodeTime(lastMs);
    }
    return time + encodeTail(tail);
  };
  return { next: (prefix) => `${prefix}-${next()}` };
}

/** HTTP through the platform's client. */
export const systemHttp: OutgoingHttp = {
  async send({ method, url, headers, body, timeoutMs, maxBytes }) {
    const answer = await fetch(url, {
      method,
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body }),
    });
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of answer.body ?? []) {
      parts.push(part);
      size += part.byteLength;
      if (size >= maxBytes) break;
    }
    return { status: answer.status, body: Buffer.concat(parts).subarray(0, maxBytes).toString("utf8") };
  },
};
