import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { InputError } from "../exit.ts";
import { unreadable } from "../input.ts";
import { loadCredentials } from "./credentials.ts";

/** Flags of commands that talk to a server. */
export interface ServerFlags {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly tenant?: string;
  readonly json?: boolean;
}

/** A JSON object from the server. */
export type Answer = Record<string, unknown>;

/** The server said no, with a problem. */
export class ProblemError extends InputError {
  readonly status: number;
  readonly problem: Answer;

  constructor(status: number, problem: Answer) {
    super(linesOf(status, problem));
    this.name = "ProblemError";
    this.status = status;
    this.problem = problem;
  }
}

interface Suggestion {
  readonly alternative: string;
  readonly cost_difference: string;
  readonly performance_impact: string;
}

function linesOf(status: number, problem: Answer): string[] {
  const code = typeof problem["error_code"] === "string" ? problem["error_code"] : `HTTP ${status}`;
  const errors = (problem["errors"] ?? []) as { path: string; message: string }[];
  const suggestions = (problem["suggestions"] ?? []) as Suggestion[];
  const told =
    errors.length > 0
      ? errors.map(({ path, message }) => `${path}: ${message}`)
      : [String(problem["message"] ?? "")];
  return [
    ...told.map((line) => `${code}: ${line}`),
    ...suggestions.map(
      ({ alternative, cost_difference, performance_impact }) =>
        `try ${alternative}: ${cost_difference}; ${performance_impact}`,
    ),
  ];
}

/** One event of a stream. */
export interface StreamEvent {
  readonly id: string;
  readonly kind: string;
  readonly at: string;
  readonly data: Answer;
}

/** A server with the caller's token. */
export interface Client {
  readonly url: string;
  /**
   * One request. Paths from the API's base.
   *
   * @throws {ProblemError} when the answer is a problem
   * @throws {InputError} when the server cannot be reached
   */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /**
   * Events of a path for as long as the caller takes them. A stream that broke, or that the server ended, as it does when
   * it is restarted, is resumed where it was.
   */
  events(path: string): AsyncGenerator<StreamEvent>;
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, "");

function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InputError([`--server ${text}: accepted: a URL such as http://127.0.0.1:8080`]);
  return withoutSlash(text);
}

/** A token from a file, or from standard input for `-`. */
export function readToken(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8").trim();
  } catch (error) {
    throw unreadable(file, error);
  }
}

/**
 * The server and token that flags, environment (`FLARE_SERVER`, `FLARE_TOKEN`) or `flare login` name, in this order.
 *
 * @throws {InputError} when none does
 */
export function connect(flags: ServerFlags): Client {
  const kept = loadCredentials();
  const named = flags.server ?? process.env["FLARE_SERVER"] ?? kept?.server;
  if (named === undefined)
    throw new InputError(["no server; accepted: --server URL, FLARE_SERVER, or flare login URL once"]);
  const url = checkUrl(named);
  const token =
    flags.tokenFile === undefined
      ? (process.env["FLARE_TOKEN"] ?? kept?.tokens[url])
      : readToken(flags.tokenFile);
  if (token === undefined)
    throw new InputError([
      `no token for ${url}; accepted: --token-file FILE, FLARE_TOKEN, or flare login ${url}`,
    ]);
  return createClient(url, token, flags.tenant);
}

/** A stream that ends this often without an event is given up; a restart takes a few seconds. */
const MOST_BREAKS = 10;
const RESUME_MS = 1000;

/** The events of a stream until it ends or breaks. */
async function* eventsIn(response: Response): AsyncGenerator<StreamEvent> {
  const found: StreamEvent[] = [];
  const parser = createParser({
    onEvent({ id = "", event = "", data }) {
      const { at, data: facts } = JSON.parse(data) as { at: string; data: Answer };
      found.push({ id, kind: event, at, data: facts });
    },
  });
  try {
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      parser.feed(text);
      yield* found.splice(0);
    }
  } catch (error) {
    // a connection that broke; anything else is ours
    if (!(error instanceof TypeError)) throw error;
  }
}

/**
 * A client of a server whose URL and token are known.
 *
 * @param resumeMs wait before a stream is resumed
 */
export function createClient(
  server: string,
  token: string,
  tenant?: string,
  resumeMs: number = RESUME_MS,
): Client {
  const url = checkUrl(server);
  const send = async (
    method: string,
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>>,
  ): Promise<Response> => {
    try {
      return await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(tenant === undefined ? {} : { "flare-tenant": tenant }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      const { cause } = error as Error & { cause?: { code?: string } };
      throw new InputError([`${url} cannot be reached (${cause?.code ?? (error as Error).message})`]);
    }
  };
  const read = async (response: Response): Promise<Answer> => {
    const text = await response.text();
    let body: Answer;
    try {
      body = JSON.parse(text) as Answer;
    } catch {
      throw new InputError([
        `${url}: answered ${response.status} with something that is not JSON; is it a FLARE service?`,
      ]);
    }
    if (!response.ok) throw new ProblemError(response.status, body);
    return body;
  };
  return {
    url,
    call: async (method, path, body, headers = {}) => read(await send(method, path, body, headers)),
    async *events(path) {
      let last = "";
      let wasOpen = false;
      for (let breaks = 0; breaks < MOST_BREAKS; breaks++) {
        if (wasOpen) await setTimeout(resumeMs);
        const headers = { accept: "text/event-stream", ...(last === "" ? {} : { "last-event-id": last }) };
        const response = await send("GET", path, undefined, headers).catch((error: unknown) => {
          if (!wasOpen) throw error;
          return null;
        });
        if (response === null || (wasOpen && response.status >= 500)) continue;
        if (!response.ok) await read(response);
        wasOpen = true;
        for await (const event of eventsIn(response)) {
          last = event.id;
          breaks = 0;
          yield event;
        }
      }
      throw new InputError([`${url}: the stream ended ${MOST_BREAKS} times in a row`]);
    },
  };
}
