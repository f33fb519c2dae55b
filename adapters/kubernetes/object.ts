import { createHash } from "node:crypto";

/** A Kubernetes object as it is written: plain JSON with the members every kind has. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

/** Longest name that is also valid as a label value and as a DNS label. */
const LONGEST = 63;

/** First `digits` hexadecimal digits of the SHA-256 of a text. */
export function digest(text: string, digits: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}

/**
 * A DNS label of at most 63 characters from any parts: lower case, everything else becomes a hyphen. A name that had to
 * be changed or cut ends in eight digits of the hash of its parts, so that two intents never share one.
 */
export function dnsLabel(...parts: readonly string[]): string {
  const text = parts.join("-");
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  // A hyphen inside a part makes "a-b","c" and "a","b-c" the same text; the hash tells them apart only when needed,
  // because callers put parts of fixed shape first.
  if (plain === text && plain.length <= LONGEST) return plain;
  const hash = digest(parts.join("\u0000"), 8);
  return `${plain.slice(0, LONGEST - 9).replace(/-+$/, "")}-${hash}`.replace(/^-/, "x-");
}

/**
 * Text that is valid as a label value: at most 63 of `[A-Za-z0-9._-]`, alphanumeric at both ends. A text that had to be
 * changed or cut ends in eight digits of its hash, so that what two intents own is never mixed up.
 */
export function labelValue(text: string): string {
  const trim = (value: string): string => value.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");
  const plain = trim(text.replace(/[^A-Za-z0-9._-]+/g, "-"));
  if (plain === text && plain.length <= LONGEST) return plain;
  return trim(`${trim(plain.slice(0, LONGEST - 9))}-${digest(text, 8)}`);
}

/** Labels by which everything written for an intent is found again. */
export function ownLabels(tenant: string, intent: string): Record<string, string> {
  return {
    "app.kubernetes.io/managed-by": "flare",
    "flare.io/tenant": labelValue(tenant),
    "flare.io/intent": labelValue(intent),
  };
}
