import { hash, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Random } from "../env.ts";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The parts of a token that is well formed. */
export interface ParsedToken {
  /** Public: names the token in lists and finds its row. */
  readonly id: string;
  readonly secret: string;
}

/** Even draws from 62 characters: bytes from 248 up are left out, because they would favor the first eight. */
function draw(random: Random, length: number): string {
  let text = "";
  while (text.length < length)
    for (const byte of random.bytes(length))
      if (byte < 248 && text.length < length) text += alphabet[byte % 62];
  return text;
}

function checksum(text: string): string {
  let left = crc32(text);
  let digits = "";
  for (let index = 0; index < 6; index++, left = Math.floor(left / 62))
    digits = `${alphabet[left % 62]}${digits}`;
  return digits;
}

/**
 * A new token, `flr_<id>_<secret>_<checksum>`: the prefix is for secret scanners, the checksum drops typing errors
 * without a look into the store, 43 characters of 62 are 256 bits.
 */
export function makeToken(random: Random): ParsedToken & { readonly text: string } {
  const id = draw(random, 12);
  const secret = draw(random, 43);
  const body = `flr_${id}_${secret}`;
  return { id, secret, text: `${body}_${checksum(body)}` };
}

/** The parts of a token, or null when it is not one of ours. */
export function parseToken(text: string): ParsedToken | null {
  const match = /^(flr_([0-9A-Za-z]{12})_([0-9A-Za-z]{43}))_([0-9A-Za-z]{6})$/.exec(text);
  if (match === null) return null;
  const [, body = "", id = "", secret = "", sum] = match;
  return checksum(body) === sum ? { id, secret } : null;
}

/** What is stored instead of a secret: SHA-256, hex. The secret is random, so nothing slower is needed. */
export function hashSecret(secret: string): string {
  return hash("sha256", secret, "hex");
}

/** Compares a secret with a stored hash in constant time. */
export function matchesHash(secret: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(secret), "hex"), Buffer.from(hash, "hex"));
}
