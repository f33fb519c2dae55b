import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import type { Env, Random } from "../env.ts";

/** Keeps secrets that have to be read again: sealed in the database, opened with a key that is not in it. */
export interface SecretBox {
  /** Names the key and tells nothing of it. */
  readonly keyId: string;
  /** `context` is where the text belongs; it opens nowhere else. */
  seal(text: string, context: string): string;
  /** Null: sealed with another key, for another context, or changed. */
  open(sealed: string, context: string): string | null;
}

/** Bytes of a key. */
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals with AES-256-GCM: `v1.<key id>.<nonce, text and tag in base64url>`. The nonce is random, which is safe for some
 * four billion texts of one key (NIST SP 800-38D, 8.3).
 *
 * @throws {RangeError} when the key is not of 32 bytes
 */
export function createSecretBox(key: Uint8Array, random: Random): SecretBox {
  if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, found ${key.length}`);
  // a key for this purpose alone, and a name of the key that tells nothing of it
  const own = createHmac("sha256", key).update("flare secret box").digest();
  const keyId = createHash("sha256").update(own).digest("hex").slice(0, 8);
  return {
    keyId,
    seal(text, context) {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", own, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(context));
      const sealed = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
      return `v1.${keyId}.${Buffer.concat(sealed).toString("base64url")}`;
    },
    open(sealed, context) {
      const [version, id, data = ""] = sealed.split(".");
      if (version !== "v1" || id !== keyId) return null;
      const bytes = Buffer.from(data, "base64url");
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return null;
      const decipher = createDecipheriv("aes-256-gcm", own, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString("utf8");
      } catch {
        return null;
      }
    },
  };
}

/**
 * Notes the first key that a database is used with, and says so when it is another one: after a restore without its key
 * file, or at a replica with a key of its own.
 */
export async function compareKey(
  { store, log }: Pick<Env, "store" | "log">,
  { keyId }: SecretBox,
): Promise<void> {
  const first = await store.system.secret({ name: "box", fresh: keyId });
  if (first !== keyId)
    log.error(
      { key: keyId, expected: first },
      "the secret key is not the one that this database began with: webhooks are not sent until they are rotated",
    );
}
