import { type Command, Option } from "commander";
import { type CreateTokenFlags, createToken, listTokens, login, revokeToken } from "./access.ts";
import type { ServerFlags } from "./client.ts";
import { cancel, type GetFlags, get, type SubmitFlags, simulate, submit, watch } from "./intents.ts";
import { addWebhookCommands } from "./webhooks.ts";

/** Flags that name a server and a caller. */
export function serverFlags(command: Command): Command {
  return command
    .option("--server <url>", "the service (default: FLARE_SERVER, else the last flare login)")
    .option("--token-file <file>", "the token, - is standard input (default: FLARE_TOKEN, else flare login)")
    .option("--tenant <name>", "act for this tenant; for administrators");
}

/** Flags shared by the commands that talk to a server only. */
function server(command: Command): Command {
  return serverFlags(command).option("--json", "print JSON alone on standard output");
}

/** Registers the commands that talk to a server. */
export function addServerCommands(
  program: Command,
  run: (action: () => number | Promise<number>) => Promise<void>,
): void {
  program
    .command("login <url>")
    .description("try a token and keep it for a server, which becomes the default")
    .option("--token-file <file>", "the token, - is standard input (default: FLARE_TOKEN)")
    .action((url: string, flags: { tokenFile?: string }) => run(() => login(url, flags)));
  server(program.command("submit <intent>").description("send an intent to a server"))
    .option("--dry-run", "decide and store nothing")
    .option("--wait", "follow it until it runs or ends")
    .option(
      "--idempotency-key <key>",
      "send again safely: the same key is the same intent (default: a new one)",
    )
    .option("--strict", "unknown fields are errors (the default)", true)
    .option("--no-strict", "unknown fields are warnings")
    .action((file: string, flags: SubmitFlags) => run(() => submit(file, flags)));
  server(program.command("get [intent]").description("an intent by id or name, or the latest intents"))
    .option("--decision", "why it was decided that way")
    .option("--status <list>", "only these: pending,running,completed,failed,cancelled")
    .option("--phase <list>", "only these phases")
    .option("--limit <number>", "most intents of the list", "50")
    .action((name: string | undefined, flags: GetFlags) => run(() => get(name, flags)));
  server(
    program.command("watch <intent>").description("follow the events of an intent until it runs or ends"),
  )
    .option("--end", "until it has ended")
    .action((name: string, flags: ServerFlags & { end?: boolean }) => run(() => watch(name, flags)));
  server(program.command("cancel <intent>").description("end an intent and give back everything it holds"))
    .option("--wait", "until everything is given back")
    .action((name: string, flags: ServerFlags & { wait?: boolean }) => run(() => cancel(name, flags)));
  server(
    program
      .command("simulate <intents...>")
      .description("decide for many intents together on a server; nothing is stored"),
  )
    .option("--strict", "unknown fields are errors (the default)", true)
    .option("--no-strict", "unknown fields are warnings")
    .action((files: string[], flags: ServerFlags & { strict: boolean }) => run(() => simulate(files, flags)));
  addTokenCommands(program, run);
  addWebhookCommands(program, run, server);
}

function addTokenCommands(
  program: Command,
  run: (action: () => number | Promise<number>) => Promise<void>,
): void {
  const tokens = program.command("tokens").description("tokens of a server");
  server(tokens.command("list", { isDefault: true }).description("list tokens")).action(
    (flags: ServerFlags) => run(() => listTokens(flags)),
  );
  server(tokens.command("create <name>").description("create a token; its text is shown once"))
    .option("--permissions <list>", "separated by commas (default: intents:read,intents:write)")
    .addOption(new Option("--expires-in <time>", "such as 12h, 30d or 1y").default("90d"))
    .option("--out <file>", "write the token here (mode 0600) instead of printing it")
    .action((name: string, flags: CreateTokenFlags) => run(() => createToken(name, flags)));
  server(tokens.command("revoke <id>").description("end a token at once")).action(
    (id: string, flags: ServerFlags) => run(() => revokeToken(id, flags)),
  );
  for (const command of tokens.commands) command.exitOverride();
}
