import Table from "cli-table3";
import { exitCodes, InputError } from "../exit.ts";
import { requireWritable, writeSecret } from "../output.ts";
import { toText } from "../place.ts";
import { type Answer, connect, createClient, readToken, type ServerFlags } from "./client.ts";
import { credentialsFile, saveCredentials } from "./credentials.ts";

const print = (text: string): void => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);

/** `flare login`: tries a token and keeps it for the server, which becomes the default. */
export async function login(url: string, flags: { readonly tokenFile?: string }): Promise<number> {
  const token = flags.tokenFile === undefined ? process.env["FLARE_TOKEN"] : readToken(flags.tokenFile);
  if (token === undefined || token === "")
    throw new InputError(["no token; accepted: --token-file FILE (- is standard input), or FLARE_TOKEN"]);
  const client = createClient(url, token);
  const who = await client.call("GET", "/auth/verify");
  saveCredentials(client.url, token);
  print(
    `Logged in to ${client.url} as ${String(who["user"])} of ${String(who["tenant"])} until ${String(who["expires_at"])}\nKept in ${credentialsFile()}`,
  );
  return exitCodes.ok;
}

/** `flare tokens`: the tenant's tokens. */
export async function listTokens(flags: ServerFlags): Promise<number> {
  const answer = await connect(flags).call("GET", "/auth/tokens");
  if (flags.json === true) {
    print(toText(answer));
    return exitCodes.ok;
  }
  const table = new Table({
    head: ["id", "name", "status", "expires", "last used", "permissions"],
    style: { head: [], border: [] },
  });
  for (const one of answer["tokens"] as Answer[])
    table.push([
      String(one["token_id"]),
      String(one["name"]),
      String(one["status"]),
      String(one["expires_at"]),
      String(one["last_used"] ?? "never"),
      (one["permissions"] as string[]).join(" "),
    ]);
  print(table.toString());
  return exitCodes.ok;
}

export interface CreateTokenFlags extends ServerFlags {
  readonly permissions?: string;
  readonly expiresIn: string;
  readonly out?: string;
}

/** `flare tokens create`: the text is printed once, or written to a file for its owner alone. */
export async function createToken(name: string, flags: CreateTokenFlags): Promise<number> {
  if (flags.out !== undefined) requireWritable(flags.out);
  const answer = await connect(flags).call("POST", "/auth/tokens", {
    name,
    expires_in: flags.expiresIn,
    ...(flags.permissions === undefined ? {} : { permissions: flags.permissions.split(",") }),
  });
  const { token, ...shown } = answer;
  if (flags.out !== undefined) writeSecret(flags.out, String(token));
  if (flags.json === true) print(toText(flags.out === undefined ? answer : shown));
  else if (flags.out === undefined) print(String(token));
  else print(`${String(shown["token_id"])} written to ${flags.out}`);
  return exitCodes.ok;
}

/** `flare tokens revoke`. */
export async function revokeToken(id: string, flags: ServerFlags): Promise<number> {
  const answer = await connect(flags).call("DELETE", `/auth/tokens/${encodeURIComponent(id)}`);
  print(flags.json === true ? toText(answer) : `${id} revoked`);
  return exitCodes.ok;
}

const money = (one: { amount: number; currency: string } | null): string =>
  one === null ? "-" : `${one.amount.toFixed(2)} ${one.currency}`;

/** `flare offers --server`: what the server's federation sells now. */
export async function serverOffers(flags: ServerFlags): Promise<number> {
  const client = connect(flags);
  const all: Answer[] = [];
  let cursor: unknown = "";
  do {
    const page: Answer = await client.call(
      "GET",
      `/resources?limit=500${cursor === "" ? "" : `&cursor=${String(cursor)}`}`,
    );
    all.push(...(page["available_gpus"] as Answer[]));
    cursor = page["next_cursor"];
  } while (cursor !== null);
  if (flags.json === true) {
    print(toText({ available_gpus: all }));
    return exitCodes.ok;
  }
  const table = new Table({
    head: ["offer", "provider", "region", "GPU", "memory", "free", "on demand", "spot", "sold"],
    style: { head: [], border: [] },
  });
  for (const one of all)
    table.push([
      String(one["offer"]),
      String(one["provider"]),
      String(one["region"] ?? "-"),
      String(one["model"]),
      String(one["memory"] ?? "-"),
      `${String(one["free"])}/${String(one["count"])}`,
      money(one["on_demand"] as { amount: number; currency: string } | null),
      money(one["spot"] as { amount: number; currency: string } | null),
      one["sold"] === "gpu" ? "per GPU" : "whole",
    ]);
  print(table.toString());
  return exitCodes.ok;
}
