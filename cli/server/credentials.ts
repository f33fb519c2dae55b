import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import * as z from "zod";
import { InputError } from "../exit.ts";

/** Servers that `flare login` knows, and the one that is meant when none is named. */
export interface Credentials {
  readonly server: string;
  /** Token by server. */
  readonly tokens: Readonly<Record<string, string>>;
}

const schema = z.strictObject({ server: z.string(), tokens: z.record(z.string(), z.string()) });

/** Where credentials are kept. */
export function credentialsFile(): string {
  const base = process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config");
  return join(base, "flare", "credentials.json");
}

/** What was kept, or null before the first login. */
export function loadCredentials(): Credentials | null {
  const file = credentialsFile();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return null;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new InputError([`${file}: is not a file of flare login; run flare login again after removing it`]);
  }
}

/** Keeps a token for a server, which becomes the default; readable for the owner alone. */
export function saveCredentials(server: string, token: string): void {
  const file = credentialsFile();
  const { tokens } = loadCredentials() ?? { tokens: {} };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // written aside and moved, so that a crash leaves the old file or the new one
  const aside = `${file}.${process.pid}`;
  const content: Credentials = { server, tokens: { ...tokens, [server]: token } };
  writeFileSync(aside, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  chmodSync(aside, 0o600);
  renameSync(aside, file);
}
