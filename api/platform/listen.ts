import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { refuse } from "./refuse.ts";

/** A server that takes requests. */
export interface Listening {
  readonly url: string;
  /**
   * Takes no new connections, answers what it has received, and cuts whoever is not done after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

/** Milliseconds that one connection may take. */
export interface Patience {
  /** Until the headers have to be there. */
  readonly headersTimeout: number;
  /** Until the whole request has to be there. */
  readonly requestTimeout: number;
  /** How often the two are looked at. */
  readonly connectionsCheckingInterval: number;
}

/** Limits on what one connection may cost before a request is understood. */
export const limits: Patience & {
  readonly maxHeaderSize: number;
  readonly keepAliveTimeout: number;
  readonly insecureHTTPParser: false;
  readonly requireHostHeader: false;
} = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  insecureHTTPParser: false,
  /** The application says it in its own words. */
  requireHostHeader: false,
};

/**
 * Listens on an address; port 0 takes any free one.
 *
 * @throws {Error} with the system's code, such as `EADDRINUSE`
 */
export async function listen(
  fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>,
  host: string,
  port: number,
  patience: Patience = limits,
): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: (request, env) => fetch(request, env as HttpBindings),
    createServer,
    hostname: "localhost",
    serverOptions: { ...limits, ...patience },
  }) as Server;
  server.maxRequestsPerSocket = 10_000;
  // more than the application allows, so that it can say which limit was passed
  server.maxHeadersCount = 200;
  server.on("clientError", refuse);
  // to ask for another protocol is to ask for something that is not here
  server.on("upgrade", (_request, socket: Socket) => refuse(new Error("upgrade"), socket));
  let isClosing = false;
  const open = new Set<ServerResponse>();
  server.prependListener("request", (_request, response: ServerResponse) => {
    if (isClosing) response.shouldKeepAlive = false;
    open.add(response);
    response.once("close", () => open.delete(response));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    async close(graceMs) {
      isClosing = true;
      // answers under way tell their clients that the connection ends with them
      for (const response of open) if (!response.headersSent) response.shouldKeepAlive = false;
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      clearTimeout(cut);
    },
  };
}
