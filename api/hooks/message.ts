import { Webhook } from "standardwebhooks";
import { formatTime } from "../../engine/model/time.ts";
import type { Random } from "../env.ts";
import type { EventRow } from "../store/schema.ts";

const SECRET_BYTES = 32;

/** A new signing secret, `whsec_` and 32 bytes in base64. */
export const makeSigningSecret = (random: Random): string =>
  `whsec_${Buffer.from(random.bytes(SECRET_BYTES)).toString("base64")}`;

/** What is sent: an id that is the same in every try, and bytes that are, too. */
export interface Message {
  readonly id: string;
  readonly body: string;
}

/** The body that tells of an event: what happened to which intent and its state, never the intent's document. */
export function forgeBody(event: EventRow): string {
  const { seq, kind, subject_id, at_ms, payload } = event;
  const data = { ...(JSON.parse(payload) as object), seq, subject: subject_id };
  return JSON.stringify({ type: kind, timestamp: formatTime(at_ms), data });
}

/** A message that tells of nothing, for trying out a receiver. */
export function forgeTest(id: string, webhook: string, atMs: number): Message {
  const body = { type: "webhook.test", timestamp: formatTime(atMs), data: { subject: webhook } };
  return { id, body: JSON.stringify(body) };
}

/**
 * The headers that sign a message, Standard Webhooks 1.0; one signature for each secret, so that receivers with the old
 * or the new one accept it during a rotation.
 *
 * @param atMs time of this try: receivers refuse old ones
 */
export function signatureHeaders(
  message: Message,
  secrets: readonly string[],
  atMs: number,
): Record<string, string> {
  const seconds = Math.floor(atMs / 1000);
  // biome-ignore lint/style/noRestrictedGlobals: a time that came in, in the form that the library takes
  const at = new Date(seconds * 1000);
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": secrets
      .map((secret) => new Webhook(secret).sign(message.id, at, message.body))
      .join(" "),
  };
}
