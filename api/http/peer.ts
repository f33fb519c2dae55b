import type { Context } from "hono";

/** What the application sees of the server's request; absent where requests come through no server. */
interface Incoming {
  readonly socket?: { readonly remoteAddress?: string };
  readonly rawHeaders?: readonly string[];
  readonly headers?: { readonly host?: string };
  readonly httpVersion?: string;
}

/** The server's own view of a request. */
export function incomingOf(http: Context): Incoming | undefined {
  return (http.env as { readonly incoming?: Incoming } | undefined)?.incoming;
}

/**
 * Address of the other end of the connection; `local` for requests that came through none. Headers that proxies add
 * are not believed: anybody can send them.
 */
export function peerOf(http: Context): string {
  return incomingOf(http)?.socket?.remoteAddress ?? "local";
}

/** True for requests from this machine. */
export function isLoopback(http: Context): boolean {
  return /^(local|::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(peerOf(http));
}
