import { Argument, Command, Option } from "commander";
import { type SchemaName, schemaNames } from "../adapters/json/schema.ts";
import { solverNames } from "../adapters/solver/choose.ts";
import { policyNames } from "../engine/pack/session.ts";
import { version } from "../engine/version.ts";
import { type AdviseFlags, adviseCommand } from "./advise.ts";
import { type AnnotateFlags, annotate } from "./annotate.ts";
import { type AssertFlags, assertIntent } from "./assert.ts";
import { type CompileFlags, compile } from "./compile.ts";
import { backupCommand, type DataFlags, restoreCommand, verifyCommand } from "./data.ts";
import { type DrillFlags, drill } from "./drill.ts";
import { InputError } from "./exit.ts";
import { explain } from "./explain.ts";
import { type ExportFlags, exportSolvers } from "./export.ts";
import { type GapFlags, gaps } from "./gaps.ts";
import { readTime } from "./input.ts";
import { offers } from "./offers.ts";
import { type PackFlags, pack, readSeed } from "./pack.ts";
import { type PlaceFlags, place } from "./place.ts";
import { queue } from "./queue.ts";
import { replay } from "./replay.ts";
import { schema } from "./schema.ts";
import { type ServeFlags, serveCommand } from "./serve.ts";
import { serverOffers } from "./server/access.ts";
import type { ServerFlags } from "./server/client.ts";
import { addServerCommands, serverFlags } from "./server/commands.ts";
import { queue as queueOnServer } from "./server/intents.ts";

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** A flag that may be given several times. */
const repeatable = (flags: string, description: string): Option =>
  new Option(flags, description)
    .argParser(collect as (value: string, previous: unknown) => unknown)
    .default([], "none");

/** Reader of a flag that is a positive whole number. */
const readCount =
  (flag: string) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d{1,15}$/.test(text) || value < 1)
      throw new InputError([`${flag}: ${text}; accepted: a positive whole number`]);
    return value;
  };

/** Flags shared by the commands that read a federation. */
function federation(command: Command): Command {
  return command
    .addOption(
      repeatable(
        "--fixture <file>",
        "a federation: a snapshot, a file of flare compile, kubectl get nodes -o json, FLUIDOS flavors (JSON or YAML), a price list (.csv) or generate:COUNT?seed=N; repeatable, - is standard input",
      ),
    )
    .addOption(
      repeatable(
        "--rate <currency=amount>",
        "worth of a foreign unit in the federation's currency; repeatable",
      ),
    )
    .addOption(
      new Option(
        "--memory-scope <scope>",
        "what memory and cores of FLUIDOS flavors count (default: by the catalog)",
      ).choices(["gpu", "node"]),
    )
    .option("--json", "print JSON alone on standard output")
    .option("--strict", "unknown fields are errors", true)
    .option("--no-strict", "unknown fields are warnings")
    .option("--at <time>", "plan as of this RFC 3339 time instead of the fixture's own", readTime);
}

const STORE =
  "PostgreSQL database that replicas share, postgres://user@host/database without a password (default: $FLARE_STORE, else SQLite)";

const STORE_FILE = "file that holds the address of the store, for one with a password";

const examples = `
Examples:
  flare place fixtures/intents/inference-eu.json --fixture fixtures/clusters/europe.json
  flare place fixtures/intents/quickstart.json --fixture fixtures/clusters/quickstart.json --json
  kubectl get nodes -o json | flare offers --fixture -
  flare assert intent.json --fixture fleet.json --provider-area EU --max-cost 5
  flare queue jobs/ --fixture fleet.json
  flare drill --fixture fleet.json --provider northwind

Exit codes: 0 all placed, 2 bad input, 3 some intent not placed, 4 assertion failed, 5 replay differs`;

/** Commands on the data folder of a service, which may be running. */
function dataCommands(
  program: Command,
  run: (action: () => number | Promise<number>) => Promise<void>,
): void {
  const data = (command: Command): Command =>
    command
      .option("--data <folder>", "where the database is kept (default: .flare)")
      .option("--store <url>", STORE)
      .option("--store-file <file>", STORE_FILE)
      .option("--json", "print JSON alone on standard output");
  data(
    program.command("verify").description("check the database: hash chains, state against events, anchors"),
  )
    .option("--anchors <file>", "anchors kept elsewhere (default: anchors.ndjson in the data folder)")
    .action((flags: DataFlags) => run(() => verifyCommand(flags)));
  data(program.command("backup").description("write a checked copy, also while the service runs"))
    .requiredOption("--to <file>", "the copy; its manifest is written beside it")
    .action((flags: DataFlags & { to: string }) => run(() => backupCommand(flags)));
  data(program.command("restore <file>").description("put a backup into a data folder that is not in use"))
    .option("--force", "replace the database that is there")
    .action((file: string, flags: DataFlags) => run(() => restoreCommand(file, flags)));
}

/** Commands about what waits and what runs. */
function runningCommands(
  program: Command,
  run: (action: () => number | Promise<number>) => Promise<void>,
): void {
  serverFlags(
    federation(
      program
        .command("queue [intents...]")
        .description(
          "who waits: position, the start that is held, promised or estimated, and why; without intents, on a server",
        ),
    ),
  ).action((files: string[], flags: PlaceFlags & ServerFlags) =>
    run(() => (files.length === 0 ? queueOnServer(flags) : queue(files, flags))),
  );
  federation(
    program
      .command("drill [intents...]")
      .description(
        "what the loss of a provider (default: of each), a region or a model would do to what runs",
      ),
  )
    .option("--provider <name>", "everything of this provider is lost")
    .option("--region <name>", "everything in this region is lost")
    .option("--model <name>", "every GPU of this model or family is lost")
    .action((files: string[], flags: DrillFlags) => run(() => drill(files, flags)));
  federation(
    program
      .command("advise [intents...]")
      .description(
        "moves of running work that would pay: cheaper, right-sized, consolidated; nothing is moved",
      ),
  )
    .option("--horizon <hours>", "a move pays back within this (default 24)", readCount("--horizon"))
    .option("--least <percent>", "least saving worth a move (default 10)", readCount("--least"))
    .action((files: string[], flags: AdviseFlags) => run(() => adviseCommand(files, flags)));
}

/** The command line. \`done\` receives the exit code of the command that ran. */
export function createProgram(done: (code: number) => void): Command {
  const program = new Command("flare")
    .description("Places intents on a federation of GPUs and says why.")
    .version(version)
    .addHelpText("after", examples)
    .exitOverride();
  const run = (action: () => number | Promise<number>): Promise<void> => Promise.resolve(action()).then(done);

  federation(
    program
      .command("place <intents...>")
      .description("decide where intents run; several, or a folder of them, are one batch"),
  )
    .option("--tradeoffs", "add the cheapest, fastest, closest, greenest and most balanced options")
    .option("--plan-b", "add where each would go if a provider it is placed at died")
    .option("--save <file>", "write inputs and plan for flare replay")
    .addOption(
      new Option("--solver <name>", "who helps with a contended batch").choices(solverNames).default("auto"),
    )
    .option("--deadline <ms>", "time for the solver of a batch (default 2000)", readCount("--deadline"))
    .option(
      "--work <units>",
      "own search in counted work, 40 million are about a second",
      readCount("--work"),
    )
    .option("--seed <number>", "seed of random choices (default 1)", readCount("--seed"))
    .option("--moves", "running intents of the batch may move where that pays within a day")
    .option("--dump <folder>", "write a contended batch as MPS with its assignment and bound")
    .action((files: string[], flags: PlaceFlags) => run(() => place(files, flags)));
  federation(
    program
      .command("explain <intent>")
      .description("decide, with trade-offs and the objects that would be written"),
  )
    .option("--plan-b", "add where it would go if a provider it is placed at died")
    .addOption(new Option("--yaml", "print the objects alone, as YAML").conflicts(["json", "release"]))
    .addOption(
      new Option("--release", "print the commands that delete the objects again, in their order").conflicts(
        "json",
      ),
    )
    .action((file: string, flags: PlaceFlags) => run(() => explain(file, flags)));
  federation(program.command("offers").description("list what a federation or a server sells"))
    .option("--server <url>", "ask this service instead of reading fixtures")
    .option("--token-file <file>", "token for the service, - is standard input")
    .action((flags: PlaceFlags & ServerFlags) =>
      run(() => (flags.server === undefined ? offers(flags) : serverOffers(flags))),
    );
  federation(
    program
      .command("compile")
      .description("read and check a federation once; the file that is written is a fixture that opens fast"),
  )
    .requiredOption("--out <file>", "where to write it")
    .action((flags: CompileFlags) => run(() => compile(flags)));
  program
    .command("replay <plan>")
    .description("run a saved plan again and compare the bytes")
    .option("--json", "print the new plan")
    .action((file: string, flags: { json?: boolean }) => run(() => replay(file, flags)));
  federation(program.command("assert <intent>").description("check claims about where an intent would run"))
    .option("--outcome <outcome>", "placed (default), waiting or refused")
    .option("--offer <id>", "the chosen offer")
    .option("--provider <name>", "the chosen provider")
    .option("--provider-area <place>", "area, country or region the offer lies in")
    .option("--gpu-model <model>", "model or family of the GPUs")
    .option("--max-cost <amount>", "most per hour, in the federation's currency")
    .option("--spot", "placed on spot")
    .option("--no-spot", "placed on demand")
    .action((file: string, flags: AssertFlags) => run(() => assertIntent(file, flags)));
  program
    .command("annotate [nodes]")
    .description(
      "turn vendor labels and DRA devices of nodes into annotations; - (default) is standard input",
    )
    .addOption(
      new Option("-o, --output <form>", "what to print: kubectl patch lines, patches as JSON, or the nodes")
        .choices(["kubectl", "json", "nodes"])
        .default("kubectl"),
    )
    .option("--slices <file>", "DRA devices: kubectl get resourceslices -o json")
    .option("--migrate", "also move facts in labels and old spellings to the current annotations")
    .option("--label", "also set the labels by which FLUIDOS selects nodes with resources and GPUs")
    .action((file: string | undefined, flags: AnnotateFlags) => run(() => annotate(file ?? "-", flags)));
  program
    .command("export <intents...>")
    .description(
      "write the FLUIDOS Solvers of intents, as advice: FLUIDOS takes the first candidate that fits",
    )
    .addOption(
      new Option("--dialect <dialect>", "fork: GPU filters, find and buy; main: find candidates only")
        .choices(["fork", "main"])
        .default("fork"),
    )
    .option("--architecture <name>", "CPU architecture the images need, such as amd64")
    .option("--json", "print a JSON list instead of YAML documents")
    .option("--strict", "unknown fields are errors", true)
    .option("--no-strict", "unknown fields are warnings")
    .action((files: string[], flags: ExportFlags) => run(() => exportSolvers(files, flags)));
  program
    .command("serve")
    .description("run the service: REST API, store, control loop and an in-process federation")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <number>", "port to listen on, 0 for any", "8080")
    .option("--data <folder>", "where the database is kept, or what a replica keeps for itself", ".flare")
    .option("--store <url>", STORE)
    .option("--store-file <file>", STORE_FILE)
    .option(
      "--lease <ms>",
      "with a shared store: a leader that shows no sign for this long is replaced",
      "3000",
    )
    .addOption(
      new Option(
        "--fixture <file>",
        "what the in-process federation sells; repeatable (default: a small European one)",
      )
        .argParser(collect as (value: string, previous: unknown) => unknown)
        .default([], "packaged"),
    )
    .option(
      "--admin-token-file <file>",
      "write the first admin token here (mode 0600) instead of printing it",
    )
    .addOption(
      new Option("--log-level <level>", "least important messages to log, on standard error")
        .choices(["debug", "info", "warn", "error", "silent"])
        .default("info"),
    )
    .option("--scenario <file>", "what goes wrong in the in-process federation, and when")
    .option("--event-sink <url>", "post every event here, at least once")
    .option("--sso <file>", "single sign-on: issuers, and what their groups may do, as YAML or JSON")
    .option(
      "--secret-key-file <file>",
      "key that seals secrets in the database, 32 bytes in base64 (default: secrets.key in the data folder)",
    )
    .addOption(
      repeatable(
        "--webhook-allow <network>",
        "private network that webhooks may reach, such as 10.20.0.0/16; repeatable",
      ),
    )
    .addOption(
      repeatable("--webhook-deny <network>", "network that webhooks never reach, such as the cluster's"),
    )
    .addOption(repeatable("--webhook-port <number>", "port that webhooks may reach besides 443 and 8443"))
    .option("--webhook-http", "webhooks may go by plain http, for development")
    .action((flags: ServeFlags) => run(() => serveCommand(flags)));
  runningCommands(program, run);
  dataCommands(program, run);
  addServerCommands(program, run);
  federation(
    program
      .command("gaps <intents...>")
      .description("annotations that offers lack to be considered by intents"),
  )
    .option("--provider <name>", "only the offers of this provider")
    .action((files: string[], flags: GapFlags) => run(() => gaps(files, flags)));
  program
    .command("schema")
    .description("print the JSON Schema of a document that is read")
    .addArgument(new Argument("<document>", "which one").choices(schemaNames))
    .action((name: SchemaName) => run(() => schema(name)));
  packing(program, run);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Adds the command that packs pods onto the GPUs of nodes. */
function packing(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("pack")
    .description("share the GPUs of nodes among pods, one by one in their order")
    .addOption(
      new Option("--policy <name>", "how nodes and devices are chosen").choices(policyNames).default("flare"),
    )
    .option("--nodes <file>", "CSV: sn,cpu_milli,memory_mib,gpu,model")
    .option("--pods <file>", "CSV in order of arrival: name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec")
    .option("--trace <file>", "CSV of pods like those to come, for their distribution (flare, fgd)")
    .option("--seed <number>", "seed of everything drawn", readSeed, 1)
    .option("--out <file>", "where to write pod,node,gpus; standard output when absent")
    .option("--online", "speak line by line on standard input and output instead of files")
    .action((flags: PackFlags) => run(() => pack(flags)));
}
