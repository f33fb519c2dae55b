import type { OutgoingHttp } from "../api/env.ts";
import type { Gates } from "./gates.ts";
import type { Rng } from "./random.ts";

/** One request that a receiver has got. */
export interface Received {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The rest of the world: receivers of what the service sends. */
export interface Network {
  /** The way out of a process. */
  connect(owner: object): OutgoingHttp;
}

export interface NetworkOptions {
  readonly gates: Gates;
  readonly rng: () => Rng;
  /** Probability that a request goes wrong. */
  readonly faults: () => number;
  /** Called when a request arrives, whatever becomes of the answer. */
  readonly onReceived: (request: Received) => void;
}

const trouble = ["unreached", "lost", "500", "302"] as const;

/** Makes a network whose receivers take everything that reaches them. */
export function createNetwork({ gates, rng, faults, onReceived }: NetworkOptions): Network {
  return {
    connect: (owner) => ({
      async send({ url, headers, body = "" }) {
        await gates.pass(owner, "http >");
        const kind = rng().chance(faults()) ? rng().pick(trouble) : "none";
        if (kind === "unreached") throw new Error("connection refused");
        if (kind === "500" || kind === "302") return { status: Number(kind), body: "" };
        onReceived({ url, headers, body });
        await gates.pass(owner, "http <");
        if (kind === "lost") throw new Error("no answer in time");
        return { status: 204, body: "" };
      },
    }),
  };
}
