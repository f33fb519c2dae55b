import { Resolver, lookup as systemLookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Agent, buildConnector, request as send } from "undici";
import type { OutgoingHttp } from "../env.ts";
import type { AddressPolicy } from "./addresses.ts";

/** How long one name server may take, of two tries. */
const RESOLVE_MS = 2000;

/** All addresses of a host name, in the order to try them. */
export type Resolve = (host: string) => Promise<readonly string[]>;

const resolveBySystem: Resolve = async (host) =>
  (await systemLookup(host, { all: true, verbatim: true })).map(({ address }) => address);

const isUnknown = (error: unknown): boolean =>
  ["ENOTFOUND", "ENODATA", "ECONNREFUSED"].includes((error as { code?: string }).code ?? "");

/**
 * Resolves by asking name servers. The system's own call waits in one of four threads that file access shares: a few
 * names whose servers keep silent would hold up everything. It is asked only for what no server knows: names of the hosts
 * file.
 *
 * @param servers addresses, port included where it is not 53; default the system's
 */
export function resolveByServers(
  servers?: readonly string[],
  timeoutMs: number = RESOLVE_MS,
  otherwise: Resolve = resolveBySystem,
): Resolve {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  return async (host) => {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = answers.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    if (found.length > 0) return found;
    const errors = answers.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    if (errors.every(isUnknown)) return otherwise(host);
    throw errors.find((error) => !isUnknown(error));
  };
}

export interface GuardOptions {
  readonly addresses: AddressPolicy;
  /** Ports that may be reached; default 443 and 8443. */
  readonly ports?: readonly number[];
  /** Plain `http:` is refused unless this is true; for development. */
  readonly allowHttp?: boolean;
  readonly resolve?: Resolve;
}

/** An outgoing request that policy refuses; it was not sent. */
export class RefusedTarget extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RefusedTarget";
  }
}

const MAX_URL = 2048;

/**
 * The URL of an outgoing request, if its text alone may be sent to. Hosts in odd notations (`0x7f.1`, `2130706433`,
 * full-width digits) arrive here as plain addresses, because `URL` normalizes them.
 *
 * @throws {RefusedTarget} naming the rule that refuses it
 */
export function parseTarget(text: string, options: GuardOptions): URL {
  if (text.length > MAX_URL) throw new RefusedTarget(`URL is longer than ${MAX_URL} characters`);
  if (!URL.canParse(text)) throw new RefusedTarget("not an absolute URL; accepted: https://host/path");
  const url = new URL(text);
  if (url.protocol !== "https:" && !(options.allowHttp === true && url.protocol === "http:"))
    throw new RefusedTarget(`scheme ${url.protocol} is not allowed; accepted: https:`);
  if (url.username !== "" || url.password !== "") throw new RefusedTarget("user information in the URL");
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const ports = options.ports ?? [443, 8443];
  if (!ports.includes(port))
    throw new RefusedTarget(`port ${port} is not allowed; accepted: ${ports.join(", ")}`);
  const host = hostOf(url);
  if (isIP(host) !== 0) {
    const reason = options.addresses.refuse(host);
    if (reason !== null) throw new RefusedTarget(`address ${host} is not allowed: ${reason}`);
  } else if (!host.includes(".") || host.endsWith("."))
    throw new RefusedTarget(`host ${host} is not a full domain name`);
  return url;
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, "$1");

/**
 * Connections to allowed addresses only: what `createGuardedHttp` says, for callers that bring a client of their own.
 * They have to pass every URL through `parseTarget` first, because a connection does not know its scheme.
 *
 * @param mostBytes largest answer; without it the caller cuts
 */
export function createGuardedAgent(
  { addresses, resolve = resolveByServers() }: GuardOptions,
  mostBytes?: number,
): Agent {
  const connect = buildConnector({ timeout: 10_000 });
  return new Agent({
    ...(mostBytes === undefined ? {} : { maxResponseSize: mostBytes }),
    // One connection per request: a pooled one would outlive its check.
    pipelining: 0,
    connect: (target, done) => {
      void (async () => {
        const host = target.hostname.replace(/^\[(.*)\]$/, "$1");
        const found = isIP(host) === 0 ? await resolve(host) : [host];
        if (found.length === 0) throw new RefusedTarget(`host ${host} has no address`);
        for (const address of found) {
          const reason = addresses.refuse(address);
          if (reason !== null)
            throw new RefusedTarget(`host ${host} has address ${address}, which is not allowed: ${reason}`);
        }
        return { host, address: found[0] as string };
      })().then(
        ({ host, address }) =>
          connect(
            { ...target, hostname: address, servername: isIP(host) === 0 ? host : "" },
            (error, socket) => {
              if (error !== null) return done(error, null);
              const peer = socket.remoteAddress ?? "";
              const reason = addresses.refuse(peer);
              if (reason === null) return done(null, socket);
              socket.destroy();
              done(new RefusedTarget(`connected to ${peer}, which is not allowed: ${reason}`), null);
            },
          ),
        (error: unknown) => done(error as Error, null),
      );
    },
  });
}

/** Outgoing HTTP that can be ended. */
export interface GuardedHttp extends OutgoingHttp {
  /** Cuts off what is under way. */
  close(): Promise<void>;
}

/**
 * Outgoing HTTP that reaches public addresses only (server-side request forgery): the name is resolved once, every
 * address it has must be allowed, the connection goes to the checked address, and the peer is checked again once
 * connected, so a name that changes between check and use gains nothing. Redirects are answers, never followed; proxies
 * of the environment are not used.
 *
 * @see OWASP API Security 2023, API7
 */
export function createGuardedHttp(options: GuardOptions): GuardedHttp {
  const agent = createGuardedAgent(options);
  return {
    async send({ method, url, headers, body, timeoutMs, maxBytes }) {
      const target = parseTarget(url, options);
      const answer = await send(target, {
        method: method as "POST",
        headers: { ...headers, connection: "close" },
        dispatcher: agent,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body }),
      });
      const parts: Uint8Array[] = [];
      let size = 0;
      // Leaving the loop destroys the body: an endless answer is cut off, not drained.
      for await (const part of answer.body as AsyncIterable<Uint8Array>) {
        parts.push(part);
        size += part.byteLength;
        if (size >= maxBytes) break;
      }
      return { status: answer.statusCode, body: Buffer.concat(parts).subarray(0, maxBytes).toString("utf8") };
    },
    close: () => agent.destroy(),
  };
}
