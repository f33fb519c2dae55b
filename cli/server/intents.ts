import { randomUUID } from "node:crypto";
import Table from "cli-table3";
import { exitCodes, InputError } from "../exit.ts";
import { readSource } from "../input.ts";
import { toText } from "../place.ts";
import { renderDecision } from "../render/decision.ts";
import { type Answer, type Client, connect, ProblemError, type ServerFlags } from "./client.ts";
import { readDecision } from "./decision.ts";

export interface SubmitFlags extends ServerFlags {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly strict: boolean;
  readonly idempotencyKey?: string;
}

/** Phases after which nothing more is worth waiting for. */
const settled: ReadonlySet<unknown> = new Set(["running", "completed", "failed", "cancelled"]);
const ended: ReadonlySet<unknown> = new Set(["completed", "failed", "cancelled"]);

const line = (text: string): void => void process.stdout.write(`${text}\n`);

/** The id of an intent that is named by id, or by the name of its workload: the latest of that name. */
async function idOf(client: Client, name: string): Promise<string> {
  if (/^int-[0-9a-z]{26}$/.test(name)) return name;
  const { intents } = await client.call("GET", `/intents?limit=1&name=${encodeURIComponent(name)}`);
  const [found] = intents as { intent_id: string }[];
  if (found === undefined) throw new InputError([`${name}: there is no intent of that id or name`]);
  return found.intent_id;
}

function describe(intent: Answer): string {
  const reason = intent["reason"] === null ? "" : ` (${String(intent["reason"])})`;
  const lines = [
    `${String(intent["name"])}: ${String(intent["phase"])}${reason} ${String(intent["message"])}`,
    `  id        ${String(intent["intent_id"])}, version ${String(intent["version"])}`,
  ];
  for (const one of (intent["allocation"] ?? []) as Answer[])
    lines.push(
      `  on        ${String(one["offer"])} of ${String(one["provider"])}, ${String(one["gpus"])} GPU, ${(one["cost"] as { text: string }).text}, ${String(one["state"])}`,
    );
  if (typeof intent["service_url"] === "string") lines.push(`  answers   ${intent["service_url"]}`);
  if (typeof intent["current_cost"] === "string") lines.push(`  cost      ${intent["current_cost"]} so far`);
  if (typeof intent["estimated_start_time"] === "string")
    lines.push(`  start     ${intent["estimated_start_time"]}`);
  return lines.join("\n");
}

/** Follows an intent until `isEnough`; returns its last phase. */
async function follow(
  client: Client,
  id: string,
  isEnough: (phase: unknown) => boolean,
  show: (event: { at: string; kind: string; data: Answer }) => void,
): Promise<unknown> {
  let phase: unknown;
  for await (const event of client.events(`/intents/${id}/events`)) {
    show(event);
    phase = event.data["phase"] ?? phase;
    if (!isEnough(phase)) continue;
    // it may have been there before, and be elsewhere by now
    ({ phase } = await client.call("GET", `/intents/${id}`));
    if (isEnough(phase)) break;
  }
  return phase;
}

const codeOf = (phase: unknown): number =>
  phase === "running" || phase === "completed" ? exitCodes.ok : exitCodes.notPlaced;

const showEvent = ({ at, kind, data }: { at: string; kind: string; data: Answer }): void =>
  line(`${at}  ${kind.replace("intent.", "").padEnd(12)} ${String(data["message"] ?? "")}`.trimEnd());

/** A refusal with the decision behind it is an outcome to show, not an error to print. */
function showRefusal(error: unknown, isJson: boolean): number {
  const decision = error instanceof ProblemError ? error.problem["decision"] : undefined;
  if (!(error instanceof ProblemError) || decision === undefined) throw error;
  const read = readDecision(decision);
  line(isJson ? toText(error.problem).trimEnd() : renderDecision(read.decision, read.currency));
  return exitCodes.notPlaced;
}

/** `flare submit`: sends an intent; with `--dry-run` only asks what would be decided, with `--wait` until it runs. */
export async function submit(file: string, flags: SubmitFlags): Promise<number> {
  const client = connect(flags);
  const { document } = readSource(file);
  const query = `strict=${flags.strict}${flags.dryRun === true ? "&dry_run=true&tradeoffs=true" : ""}`;
  let answer: Answer;
  try {
    answer = await client.call("POST", `/intents?${query}`, document, {
      "idempotency-key": flags.idempotencyKey ?? randomUUID(),
    });
  } catch (error) {
    return showRefusal(error, flags.json === true);
  }
  if (flags.dryRun === true) {
    const { decision, currency } = readDecision(answer["decision"]);
    line(flags.json === true ? toText(answer).trimEnd() : renderDecision(decision, currency));
    return decision.outcome === "placed" ? exitCodes.ok : exitCodes.notPlaced;
  }
  const id = String(answer["intent_id"]);
  if (flags.wait !== true) {
    line(
      flags.json === true
        ? toText(answer).trimEnd()
        : `${id} accepted, about ${String(answer["estimated_cost"] ?? "unknown cost")}`,
    );
    return exitCodes.ok;
  }
  const isJson = flags.json === true;
  if (!isJson) line(`${id} accepted`);
  const phase = await follow(client, id, (one) => settled.has(one), isJson ? () => {} : showEvent);
  const intent = await client.call("GET", `/intents/${id}`);
  line(isJson ? toText(intent).trimEnd() : describe(intent));
  return codeOf(phase);
}

export interface GetFlags extends ServerFlags {
  readonly decision?: boolean;
  readonly status?: string;
  readonly phase?: string;
  readonly limit: string;
}

function listTable(intents: readonly Answer[]): string {
  const table = new Table({
    head: ["id", "name", "status", "phase", "priority", "since", "message"],
    style: { head: [], border: [] },
  });
  for (const one of intents)
    table.push(
      [
        one["intent_id"],
        one["name"],
        one["status"],
        one["phase"],
        one["priority"],
        one["updated_at"],
        one["message"],
      ].map(String),
    );
  return table.toString();
}

async function list(
  client: Client,
  flags: ServerFlags,
  query: Readonly<Record<string, string>>,
): Promise<number> {
  const answer = await client.call("GET", `/intents?${new URLSearchParams(query)}`);
  line(flags.json === true ? toText(answer).trimEnd() : listTable(answer["intents"] as Answer[]));
  return exitCodes.ok;
}

/** `flare get`: one intent, or the latest ones. */
export async function get(name: string | undefined, flags: GetFlags): Promise<number> {
  const client = connect(flags);
  if (name === undefined)
    return list(client, flags, {
      limit: flags.limit,
      ...(flags.status === undefined ? {} : { status: flags.status }),
      ...(flags.phase === undefined ? {} : { phase: flags.phase }),
    });
  const id = await idOf(client, name);
  const answer = await client.call("GET", `/intents/${id}${flags.decision === true ? "/decision" : ""}`);
  if (flags.json === true) line(toText(answer).trimEnd());
  else if (flags.decision === true) {
    const { decision, currency } = readDecision(answer);
    line(renderDecision(decision, currency));
  } else line(describe(answer));
  return exitCodes.ok;
}

/** `flare queue`: what waits for its turn. */
export function queue(flags: ServerFlags): Promise<number> {
  return list(connect(flags), flags, { phase: "queued,waiting,preempted", limit: "500" });
}

/** `flare watch`: events of an intent until it runs, or with `--end` until it has ended. */
export async function watch(name: string, flags: ServerFlags & { readonly end?: boolean }): Promise<number> {
  const client = connect(flags);
  const isEnough = (phase: unknown): boolean => (flags.end === true ? ended : settled).has(phase);
  const show = flags.json === true ? (event: object) => line(JSON.stringify(event)) : showEvent;
  return codeOf(await follow(client, await idOf(client, name), isEnough, show));
}

/** `flare cancel`: ends an intent and gives everything back; with `--wait` until it is given back. */
export async function cancel(
  name: string,
  flags: ServerFlags & { readonly wait?: boolean },
): Promise<number> {
  const client = connect(flags);
  const id = await idOf(client, name);
  const answer = await client.call("DELETE", `/intents/${id}`);
  if (flags.wait === true && !ended.has(answer["phase"]))
    await follow(
      client,
      id,
      (phase) => ended.has(phase),
      () => {},
    );
  const after = flags.wait === true ? await client.call("GET", `/intents/${id}`) : answer;
  line(
    flags.json === true
      ? toText(after).trimEnd()
      : `${id} ${String(after["phase"])}: ${String(after["message"])}`,
  );
  return exitCodes.ok;
}

/** `flare simulate`: decides for many intents together on the server's federation; nothing is stored. */
export async function simulate(
  files: readonly string[],
  flags: ServerFlags & { readonly strict: boolean },
): Promise<number> {
  const client = connect(flags);
  const intents = files.map((file) => readSource(file).document);
  const answer = await client.call("POST", `/simulate?strict=${flags.strict}`, { intents });
  const decisions = answer["decisions"] as Answer[];
  if (flags.json === true) line(toText(answer).trimEnd());
  else
    line(
      decisions
        .map((one) => readDecision(one))
        .map(({ decision, currency }) => renderDecision(decision, currency))
        .join("\n\n"),
    );
  return answer["placed"] === decisions.length ? exitCodes.ok : exitCodes.notPlaced;
}
