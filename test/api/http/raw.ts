import { connect } from "node:net";

/** What came back on a connection, and whether the other end hung up. */
export interface RawAnswer {
  readonly text: string;
  readonly closed: boolean;
  /** Statuses of all answers, in order. */
  readonly statuses: readonly number[];
}

/**
 * Sends bytes as they are over one connection and reads until the other end hangs up, or `until` says that there is
 * enough. Loopback alone.
 */
export function sendRaw(
  url: string,
  parts: readonly (string | Uint8Array)[],
  until: (text: string) => boolean = () => false,
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let text = "";
    let isDone = false;
    const done = (closed: boolean): void => {
      if (isDone) return;
      isDone = true;
      socket.destroy();
      resolve({
        text,
        closed,
        statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)),
      });
    };
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => {
      text += part;
      if (until(text)) done(false);
    });
    // a peer that refuses while we still write resets the connection: what it said before counts
    socket.on("error", () => done(true));
    socket.on("close", () => done(true));
    socket.on("connect", () => {
      for (const part of parts) socket.write(part);
    });
  });
}
