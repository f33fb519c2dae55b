import { createConnection, type Socket } from "node:net";

/** One request ready to be sent, and what its answer is expected to start with. */
export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Requests per second over all connections; absent: as fast as answers come. */
  readonly rate?: number;
  /** The next request as bytes. */
  next(): Buffer;
  /** Sees every body that arrived with its status. */
  seen?(status: number, body: string): void;
}

export interface LoadResult {
  readonly answered: number;
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A request with the headers that a small client sends. */
export function request(method: string, path: string, token: string, body = "", headers = ""): Buffer {
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n${headers}${
      body === "" ? "" : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
    }\r\n${body}`,
  );
}

/** The first complete answer in a text, or null while it is not. */
function firstAnswer(text: string): { status: number; body: string; length: number } | null {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return null;
  const status = Number(text.slice(9, 12));
  const start = head + 4;
  const stated = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, head + 2))?.[1];
  if (stated !== undefined) {
    const length = start + Number(stated);
    return text.length < length ? null : { status, body: text.slice(start, length), length };
  }
  const end = text.indexOf("0\r\n\r\n", start);
  return end < 0 ? null : { status, body: text.slice(start, end), length: end + 5 };
}

const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;

/**
 * Sends requests over kept connections, one at a time on each. At a fixed rate latency counts from the moment a
 * request was due, so that a stall is felt by every request it delays. Bodies are taken for ASCII.
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { host, port, connections, seconds, rate, next, seen } = options;
  const started = performance.now();
  const endMs = started + seconds * 1000;
  const latencies: number[] = [];
  const statuses = new Map<number, number>();
  let sent = 0;

  const connection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket: Socket = createConnection({ host, port, noDelay: true });
      let text = "";
      let since = 0;
      const send = (): void => {
        const now = performance.now();
        const due = rate === undefined ? now : started + (sent++ / rate) * 1000;
        if (due >= endMs || now >= endMs) {
          socket.end();
          resolve();
          return;
        }
        since = due;
        const write = (): void => void socket.write(next());
        if (due > now) setTimeout(write, due - now);
        else write();
      };
      socket.setEncoding("latin1");
      socket.once("connect", send);
      socket.on("error", reject);
      socket.on("data", (part) => {
        text += String(part);
        const answer = firstAnswer(text);
        if (answer === null) return;
        text = text.slice(answer.length);
        latencies.push(performance.now() - since);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        seen?.(answer.status, answer.body);
        send();
      });
    });

  await Promise.all(Array.from({ length: connections }, connection));
  const took = (performance.now() - started) / 1000;
  const sorted = Float64Array.from(latencies).sort();
  return {
    answered: sorted.length,
    statuses,
    perSecond: sorted.length / took,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}
