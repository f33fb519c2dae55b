import { readFileSync, writeFileSync } from "node:fs";
import type { Random } from "../env.ts";
import { KEY_BYTES } from "../hooks/secret-box.ts";

/**
 * The key that seals secrets, from a file with 32 bytes in base64. With `make` a missing file is written, mode 0600.
 *
 * @throws {Error} when the file cannot be read or holds something else
 */
export function readSecretKey(file: string, random: Random, make: boolean): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || !make) throw error;
    const key = random.bytes(KEY_BYTES);
    writeFileSync(file, `${Buffer.from(key).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
    return key;
  }
  const key = Buffer.from(text, "base64");
  if (key.length !== KEY_BYTES || key.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, ""))
    throw new Error(
      `${file}: accepted: ${KEY_BYTES} random bytes in base64, as openssl rand -base64 32 prints`,
    );
  return key;
}
