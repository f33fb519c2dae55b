import type { Env, OutgoingHttp } from "../env.ts";
import type { WebhookRow } from "../store/schema.ts";
import type { Attempt } from "../store/webhooks.ts";
import { type Message, signatureHeaders } from "./message.ts";
import type { SecretBox } from "./secret-box.ts";

/** What webhooks are sent with. */
export interface HookTools {
  readonly box: SecretBox;
  /** Reaches only what the operator allows; redirects are answers. */
  readonly http: OutgoingHttp;
  /** Why nothing may be sent to an address, by its text alone; null: it may. */
  readonly refuse: (url: string) => string | null;
}

/** A try whose receiver says that it is gone for good. */
export const GONE = 410;

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 64 * 1024;
/** What of an answer its tenant sees. */
const MOST_SHOWN = 200;

const shown = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\uFFFD]/gu, " ")
    .slice(0, MOST_SHOWN)
    .toWellFormed();

/** Codes of names that lead nowhere. */
const unresolved: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "ENODATA",
  "EAI_AGAIN",
  "ETIMEOUT",
  "ESERVFAIL",
  "EREFUSED",
]);

/** What went wrong, in words of ours: errors of the network can name hosts and addresses inside. */
function reasonOf(error: unknown): string {
  const { name, code, cause } = error as { name?: string; code?: string; cause?: { code?: string } };
  if (name === "RefusedTarget") return "address not allowed";
  if (name === "TimeoutError" || name === "AbortError" || code === "UND_ERR_CONNECT_TIMEOUT")
    return "no answer in time";
  const known = code ?? cause?.code ?? "";
  if (/^(CERT_|ERR_TLS|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_SSL)/.test(known)) return "TLS failed";
  return unresolved.has(known) ? "host not found" : "connection failed";
}

/** The secrets that sign now, newest first; empty when none opens. */
function secretsOf(webhook: WebhookRow, box: SecretBox, nowMs: number): string[] {
  const { id, secret, previous, previous_until_ms } = webhook;
  const isOverlap = previous !== null && previous_until_ms !== null && nowMs < previous_until_ms;
  return [secret, ...(isOverlap ? [previous] : [])].flatMap((sealed) => box.open(sealed, id) ?? []);
}

/** Sends one message to one webhook, once. Never throws: what goes wrong is how the try ended. */
export async function sendOnce(
  env: Pick<Env, "clock" | "log">,
  tools: HookTools,
  webhook: WebhookRow,
  message: Message,
): Promise<Attempt> {
  const { clock, log } = env;
  const startMs = clock.monoMs();
  const ended = (status: number | null, error: string | null, answer: string | null): Attempt => ({
    atMs: clock.wallMs(),
    status,
    error,
    answer,
    durationMs: Math.round(clock.monoMs() - startMs),
  });
  const secrets = secretsOf(webhook, tools.box, clock.wallMs());
  if (secrets.length === 0) {
    log.error({ webhook: webhook.id }, "the key that opens a webhook's secret is another one");
    return ended(null, "secret cannot be opened; rotate it", null);
  }
  try {
    const { status, body } = await tools.http.send({
      method: "POST",
      url: webhook.url,
      headers: {
        "content-type": "application/json",
        "user-agent": "flare-webhooks/1",
        ...signatureHeaders(message, secrets, clock.wallMs()),
      },
      body: message.body,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MOST_BYTES,
    });
    if (status >= 200 && status < 300) return ended(status, null, null);
    const isRedirect = status >= 300 && status < 400;
    return ended(status, isRedirect ? "redirects are not followed" : `answered ${status}`, shown(body));
  } catch (error) {
    log.debug({ webhook: webhook.id, error: String(error) }, "a message could not be delivered");
    return ended(null, reasonOf(error), null);
  }
}
