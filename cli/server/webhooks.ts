import Table from "cli-table3";
import { type Command, Option } from "commander";
import { exitCodes, InputError } from "../exit.ts";
import { requireWritable, writeSecret } from "../output.ts";
import { toText } from "../place.ts";
import { type Answer, connect, type ServerFlags } from "./client.ts";

const print = (text: string): void => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
const pathOf = (id: string): string => `/webhooks/${encodeURIComponent(id)}`;

function table(head: readonly string[], rows: readonly unknown[][]): string {
  const made = new Table({ head: [...head], style: { head: [], border: [] } });
  for (const row of rows) made.push(row.map((cell) => String(cell ?? "-")));
  return made.toString();
}

/** Shows an answer as JSON, or as a sentence of its own. */
function show(flags: ServerFlags, answer: Answer, sentence: string): number {
  print(flags.json === true ? toText(answer) : sentence);
  return exitCodes.ok;
}

/** `flare webhooks list`. */
async function list(flags: ServerFlags): Promise<number> {
  const answer = await connect(flags).call("GET", "/webhooks");
  const rows = (answer["webhooks"] as Answer[]).map((one) => [
    one["webhook_id"],
    one["url"],
    (one["events"] as string[]).join(" "),
    one["reason"] === null ? one["status"] : `${String(one["status"])}: ${String(one["reason"])}`,
    one["failing_since"],
    one["next_attempt_at"],
  ]);
  return show(flags, answer, table(["id", "address", "events", "status", "failing since", "next try"], rows));
}

interface CreateFlags extends ServerFlags {
  readonly events?: string;
  readonly description?: string;
  readonly out?: string;
}

/** The secret goes to a file for its owner alone, or to standard output. */
function showSecret(flags: ServerFlags & { readonly out?: string }, answer: Answer): number {
  const { secret, ...shown } = answer;
  if (flags.out !== undefined) writeSecret(flags.out, String(secret));
  const id = String(shown["webhook_id"]);
  return show(
    flags,
    flags.out === undefined ? answer : shown,
    flags.out === undefined ? `${id}\n${String(secret)}` : `${id}, its secret written to ${flags.out}`,
  );
}

/** `flare webhooks create`: the secret is printed once, or written to a file for its owner alone. */
async function create(url: string, flags: CreateFlags): Promise<number> {
  if (flags.out !== undefined) requireWritable(flags.out);
  const answer = await connect(flags).call("POST", "/webhooks", {
    url,
    ...(flags.events === undefined ? {} : { events: flags.events.split(",") }),
    ...(flags.description === undefined ? {} : { description: flags.description }),
  });
  return showSecret(flags, answer);
}

interface UpdateFlags extends ServerFlags {
  readonly url?: string;
  readonly events?: string;
  readonly description?: string;
  readonly enable?: boolean;
  readonly disable?: boolean;
}

/** `flare webhooks update`. */
async function update(id: string, flags: UpdateFlags): Promise<number> {
  const { url, events, description, enable, disable } = flags;
  if (enable === true && disable === true) throw new InputError(["--enable and --disable: accepted: one"]);
  const body = {
    ...(url === undefined ? {} : { url }),
    ...(events === undefined ? {} : { events: events.split(",") }),
    ...(description === undefined ? {} : { description }),
    ...(enable === true ? { status: "active" } : {}),
    ...(disable === true ? { status: "disabled" } : {}),
  };
  if (Object.keys(body).length === 0)
    throw new InputError([
      "nothing to change; accepted: --url, --events, --description, --enable, --disable",
    ]);
  const answer = await connect(flags).call("PATCH", pathOf(id), body);
  return show(flags, answer, `${id} is ${String(answer["status"])}`);
}

/** `flare webhooks rotate`. */
async function rotate(id: string, flags: ServerFlags & { overlap: string; out?: string }): Promise<number> {
  if (flags.out !== undefined) requireWritable(flags.out);
  return showSecret(
    flags,
    await connect(flags).call("POST", `${pathOf(id)}/rotate`, { overlap: flags.overlap }),
  );
}

const outcomeOf = (one: Answer): string =>
  one["error"] === null ? String(one["status"]) : `${String(one["status"])}: ${String(one["error"])}`;

/** `flare webhooks test`: exit code 4 when the message did not arrive. */
async function tryOut(id: string, flags: ServerFlags): Promise<number> {
  const answer = await connect(flags).call("POST", `${pathOf(id)}/test`);
  show(flags, answer, `${outcomeOf(answer)} after ${String(answer["duration_ms"])} ms`);
  return answer["status"] === "delivered" ? exitCodes.ok : exitCodes.assertionFailed;
}

/** `flare webhooks replay`. */
async function replay(
  id: string,
  events: readonly string[],
  flags: ServerFlags & { since?: string },
): Promise<number> {
  const numbers = events.map((text) => {
    if (!/^(evt-)?\d{1,15}$/.test(text)) throw new InputError([`${text}: accepted: the number of an event`]);
    return Number(text.replace("evt-", ""));
  });
  if (numbers.length > 0 === (flags.since !== undefined))
    throw new InputError(["accepted: either numbers of events, or --since TIME"]);
  const answer = await connect(flags).call("POST", `${pathOf(id)}/replay`, {
    ...(numbers.length > 0 ? { events: numbers } : { since: flags.since }),
  });
  return show(flags, answer, `${String(answer["queued"])} events queued again`);
}

/** `flare webhooks deliveries`. */
async function deliveries(
  id: string,
  flags: ServerFlags & { status?: string; limit: string },
): Promise<number> {
  const query = new URLSearchParams({
    limit: flags.limit,
    ...(flags.status === undefined ? {} : { status: flags.status }),
  });
  const answer = await connect(flags).call("GET", `${pathOf(id)}/deliveries?${query}`);
  const rows = (answer["deliveries"] as Answer[]).map((one) => [
    one["message_id"],
    one["kind"],
    outcomeOf(one),
    one["attempts"],
    one["attempted_at"],
  ]);
  return show(flags, answer, table(["webhook-id", "kind", "status", "tries", "last try"], rows));
}

/** `flare webhooks delete`. */
async function remove(id: string, flags: ServerFlags): Promise<number> {
  return show(flags, await connect(flags).call("DELETE", pathOf(id)), `${id} deleted`);
}

/** Registers `flare webhooks`; `server` adds the flags that name a server and a caller. */
export function addWebhookCommands(
  program: Command,
  run: (action: () => number | Promise<number>) => Promise<void>,
  server: (command: Command) => Command,
): void {
  const webhooks = program.command("webhooks").description("addresses that a server posts events to");
  const eventsFlag = "filters separated by commas, such as intent.running,intent.failed (default: *)";
  server(webhooks.command("list", { isDefault: true }).description("list webhooks")).action(
    (flags: ServerFlags) => run(() => list(flags)),
  );
  server(webhooks.command("create <url>").description("post events to an address; the secret is shown once"))
    .option("--events <list>", eventsFlag)
    .option("--description <text>", "words of your own")
    .option("--out <file>", "write the secret here (mode 0600) instead of printing it")
    .action((url: string, flags: CreateFlags) => run(() => create(url, flags)));
  server(webhooks.command("update <id>").description("change a webhook, disable it, make it active again"))
    .option("--url <url>", "another address")
    .option("--events <list>", eventsFlag)
    .option("--description <text>", "words of your own")
    .option("--enable", "make it active; it goes on where it stopped")
    .option("--disable", "send nothing until it is made active")
    .action((id: string, flags: UpdateFlags) => run(() => update(id, flags)));
  server(webhooks.command("rotate <id>").description("a new secret, shown once; the old one signs beside it"))
    .addOption(new Option("--overlap <time>", "how long the old secret signs, up to 168h").default("24h"))
    .option("--out <file>", "write the secret here (mode 0600) instead of printing it")
    .action((id: string, flags: ServerFlags & { overlap: string; out?: string }) =>
      run(() => rotate(id, flags)),
    );
  server(
    webhooks.command("test <id>").description("send a test message now; exit code 4 if it fails"),
  ).action((id: string, flags: ServerFlags) => run(() => tryOut(id, flags)));
  server(webhooks.command("replay <id> [events...]").description("queue events of the past again"))
    .option("--since <time>", "all from this RFC 3339 time on, up to 1,000")
    .action((id: string, events: string[], flags: ServerFlags & { since?: string }) =>
      run(() => replay(id, events, flags)),
    );
  server(webhooks.command("deliveries <id>").description("messages to a webhook, newest first"))
    .addOption(new Option("--status <status>", "only these").choices(["pending", "delivered", "failed"]))
    .option("--limit <number>", "most of the list", "50")
    .action((id: string, flags: ServerFlags & { status?: string; limit: string }) =>
      run(() => deliveries(id, flags)),
    );
  server(webhooks.command("delete <id>").description("delete a webhook with its queue and its log")).action(
    (id: string, flags: ServerFlags) => run(() => remove(id, flags)),
  );
  for (const command of webhooks.commands) command.exitOverride();
}
