import { isIP } from "node:net";
import { fileURLToPath } from "node:url";
import { readScenario } from "../adapters/federation/scenario.ts";
import { type RunningService, serve } from "../api/serve.ts";
import type { SharedDatabase } from "../api/serve-storage.ts";
import { readSsoConfig } from "../api/sso/config.ts";
import { EngineError } from "../engine/model/errors.ts";
import { exitCodes, InputError } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { readSnapshots, readSource } from "./input.ts";
import { readStore, type StoreFlags } from "./store.ts";

/** Flags of `flare serve`. */
export interface ServeFlags extends StoreFlags {
  readonly host: string;
  readonly port: string;
  readonly data: string;
  readonly fixture: readonly string[];
  readonly adminTokenFile?: string;
  readonly logLevel: string;
  readonly eventSink?: string;
  readonly scenario?: string;
  readonly secretKeyFile?: string;
  readonly sso?: string;
  readonly lease: string;
  readonly webhookAllow: readonly string[];
  readonly webhookDeny: readonly string[];
  readonly webhookPort: readonly string[];
  readonly webhookHttp?: boolean;
}

const packaged = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

function readPort(text: string, flag: string): number {
  const port = Number(text);
  const least = flag === "--port" ? 0 : 1;
  if (!/^\d{1,5}$/.test(text) || port > 65535 || port < least)
    throw new InputError([
      `${flag} ${text}: accepted: ${least} to 65535${least === 0 ? ", where 0 takes any free port" : ""}`,
    ]);
  return port;
}

/** A document of a file, read by `read`; its problems name the file. */
function readDocument<T>(name: string, read: (document: unknown) => T): T {
  const { document } = readSource(name);
  try {
    return read(document);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new InputError(error.problems.map(({ path, message }) => `${name}: ${path}: ${message}`));
  }
}

function readUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InputError([`--event-sink ${text}: accepted: an http or https address`]);
}

function readNetworks(flag: string, networks: readonly string[]): readonly string[] {
  for (const network of networks) {
    const [address = "", prefix = ""] = network.split("/");
    const most = isIP(address) === 4 ? 32 : 128;
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > most)
      throw new InputError([`${flag} ${network}: accepted: ADDRESS/PREFIX such as 10.20.0.0/16`]);
  }
  return networks;
}

/** Where webhooks may go. */
function readOutside(flags: ServeFlags): NonNullable<Parameters<typeof serve>[0]["webhooks"]> {
  return {
    allowNetworks: readNetworks("--webhook-allow", flags.webhookAllow),
    denyNetworks: readNetworks("--webhook-deny", flags.webhookDeny),
    ports: flags.webhookPort.map((text) => readPort(text, "--webhook-port")),
    allowHttp: flags.webhookHttp === true,
  };
}

/** The database that replicas share, where one is named. */
function readShared(flags: ServeFlags): SharedDatabase | undefined {
  const url = readStore(flags);
  if (url === null) return undefined;
  const leaseMs = Number(flags.lease);
  if (!/^\d{1,6}$/.test(flags.lease) || leaseMs < 500 || leaseMs > 60_000)
    throw new InputError([`--lease ${flags.lease}: accepted: 500 to 60000 milliseconds`]);
  if (flags.scenario !== undefined)
    throw new InputError(["--scenario: accepted: without a shared store, where it happens in one process"]);
  if (flags.secretKeyFile === undefined)
    throw new InputError([
      "--secret-key-file: is needed with a shared store, the same for all replicas; make one with openssl rand -base64 32",
    ]);
  return { url, leaseMs };
}

/** What to do next, ready to be pasted. */
function firstSteps({ url, adminToken }: RunningService): string {
  const token = adminToken ?? "$FLARE_TOKEN";
  const shown = adminToken === null ? "" : `Admin token (shown once): ${adminToken}\n`;
  return `${shown}Submit an intent:
curl -sS -X POST ${url}/api/v1/intents -H "Authorization: Bearer ${token}" -H 'Content-Type: application/json' --data @${packaged("intents/inference-eu.json")}
`;
}

/** Resolves when the process is asked to end. */
function untilAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => resolve());
  });
}

/** `flare serve`: runs the service until it is asked to end. */
export async function serveCommand(flags: ServeFlags): Promise<number> {
  const fixture = flags.fixture.length > 0 ? flags.fixture : [packaged("clusters/europe.json")];
  const snapshot = readSnapshots(await readFixtures({ fixture }), { strict: true });
  const postgres = readShared(flags);
  const asked = untilAsked();
  let service: RunningService;
  try {
    service = await serve({
      host: flags.host,
      port: readPort(flags.port, "--port"),
      data: flags.data,
      ...(postgres === undefined ? {} : { postgres }),
      snapshot,
      logLevel: flags.logLevel,
      ...(flags.scenario === undefined ? {} : { scenario: readDocument(flags.scenario, readScenario) }),
      webhooks: readOutside(flags),
      ...(flags.sso === undefined ? {} : { sso: readDocument(flags.sso, readSsoConfig) }),
      ...(flags.secretKeyFile === undefined ? {} : { secretKeyFile: flags.secretKeyFile }),
      ...(flags.eventSink === undefined ? {} : { eventSink: readUrl(flags.eventSink) }),
      ...(flags.adminTokenFile === undefined ? {} : { adminTokenFile: flags.adminTokenFile }),
      onFatal(message) {
        process.stderr.write(`fatal: ${message}\n`);
        process.exit(1);
      },
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof InputError) throw error;
    throw new InputError([
      code === "EADDRINUSE" ? `${flags.host}:${flags.port} is in use` : (error as Error).message,
    ]);
  }
  process.stdout.write(
    `FLARE listens on ${service.url} (API page: ${service.url}/docs)\n${firstSteps(service)}`,
  );
  await asked;
  await service.close();
  return exitCodes.ok;
}
