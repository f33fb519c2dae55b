import type { Context } from "hono";

interface Connected {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } };
}

/**
 * Address of the other end of the connection; `local` for requests that came through none. Headers that proxies add
 * are not believed: anybody can send them.
 */
export function peerOf(http: Context): string {
  return (http.env as Connected | undefined)?.incoming?.socket?.remoteAddress ?? "local";
}

/** True for requests from this machine. */
export function isLoopback(http: Context): boolean {
  return /^(local|::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(peerOf(http));
}
