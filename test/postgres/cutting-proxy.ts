import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";

/** What becomes of the next commit that passes: cut before the server sees it, or before its answer comes back. */
export type Cut = "none" | "before" | "after";

/** Something between a client and a PostgreSQL server that loses connections at the worst moment. */
export interface CuttingProxy {
  /** The server's address, through here. */
  readonly url: string;
  cut: Cut;
  /** Refuses new connections. */
  isDown: boolean;
  /** Answers new connections as a server that lets nobody in. */
  isLocked: boolean;
  /** Connections that were cut. */
  readonly cuts: number;
  close(): Promise<void>;
}

/** What a server says to a role that may not log in: an error that is no loss of the connection. */
function refusal(): Buffer {
  const fields = ["SFATAL", "VFATAL", "C28000", "Mrole is not permitted to log in", ""]
    .map((text) => `${text}\0`)
    .join("");
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(4 + fields.length, 1);
  return Buffer.concat([head, Buffer.from(fields)]);
}

/** A proxy on a socket in `folder`, before the server whose socket lies in `serverFolder`, for one address there. */
export async function startCuttingProxy(
  folder: string,
  serverFolder: string,
  url: string,
): Promise<CuttingProxy> {
  const name = ".s.PGSQL.5432";
  const open = new Set<Socket>();
  const state = { cut: "none" as Cut, isDown: false, isLocked: false, cuts: 0 };
  const server = createServer((client) => {
    if (state.isDown) {
      client.destroy();
      return;
    }
    if (state.isLocked) {
      client.on("error", () => undefined).once("data", () => client.end(refusal()));
      return;
    }
    const upstream = dial(join(serverFolder, name));
    let isMuted = false;
    const end = (): void => {
      open.delete(client);
      client.destroy();
      upstream.destroy();
    };
    open.add(client);
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    client.on("data", (bytes) => {
      const { cut } = state;
      if (cut !== "none" && bytes.includes("commit\0")) {
        state.cut = "none";
        state.cuts++;
        if (cut === "before") {
          end();
          return;
        }
        isMuted = true;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      // the server has answered: it is done, and nobody will know
      if (isMuted) end();
      else client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, name), resolve));
  return {
    url: url.replace(encodeURIComponent(serverFolder), encodeURIComponent(folder)),
    get cut() {
      return state.cut;
    },
    set cut(value: Cut) {
      state.cut = value;
    },
    get isDown() {
      return state.isDown;
    },
    set isDown(value: boolean) {
      state.isDown = value;
    },
    get isLocked() {
      return state.isLocked;
    },
    set isLocked(value: boolean) {
      state.isLocked = value;
    },
    get cuts() {
      return state.cuts;
    },
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
