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

/** A text that ends like a hashed name: it gets a hash as well, so that no plain name is ever somebody's hashed one. */
const looksHashed = (text: string): boolean => /-[0-9a-f]{8}$/.test(text);

/** `text`, when it and the parts it was made of are labels; else what is left of it with the hash of the parts. */
function named(text: string, parts: readonly string[], isClear = true): string {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const isLabel = (part: string): boolean => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(part);
  const isPlain = isClear && plain === text && parts.every(isLabel);
  if (isPlain && plain.length <= LONGEST && !looksHashed(plain)) return plain;
  const hash = digest(parts.join("\u0000"), 8);
  return `${plain.slice(0, LONGEST - 9).replace(/-+$/, "")}-${hash}`.replace(/^-/, "x-");
}

/**
 * A DNS label of at most 63 characters from any parts: lower case, everything else becomes a hyphen. A name that had to
 * be changed or cut ends in eight digits of the hash of its parts. Of parts that vary only the last may hold hyphens,
 * since "a-b", "c" and "a", "b-c" give one name; `ownedLabel` is for the others.
 */
export function dnsLabel(...parts: readonly string[]): string {
  return named(parts.join("-"), parts);
}

/**
 * A DNS label for what belongs to somebody: a fixed prefix, owners, a name. Hyphens of owners are doubled, so that
 * "a-b" with "c" never shares a name with "a" and "b-c".
 */
export function ownedLabel(prefix: string | null, owner: string, name: string): string {
  const text = `${owner.replaceAll("-", "--")}-${name}`;
  return named(prefix === null ? text : `${prefix}-${text}`, [owner, name]);
}

/** The same where the owner must stand as it is: an owner with hyphens then always brings the hash. */
export function prefixedLabel(owner: string, name: string): string {
  return named(`${owner}-${name}`, [owner, name], !owner.includes("-"));
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
