import * as z from "zod";
import { EngineError } from "../../engine/model/errors.ts";
import type { Money } from "../../engine/model/money.ts";
import {
  durationAccepts,
  moneyAccepts,
  parseDuration,
  parseMebibytes,
  parseMegahertz,
  parseMilli,
  parseMoney,
  quantityAccepts,
  type Rounding,
} from "../kubernetes/quantity.ts";
import { isRecord, joinPath, type Notes, problem, show } from "./notes.ts";

type Scalar = string | number;

/** A schema that reads one kind of value with a function that throws `EngineError`; its error says what is accepted. */
export function leaf<I, T>(input: z.ZodType<I, I>, accepts: string, read: (value: I) => T): z.ZodType<T, I> {
  return input.transform((value, context): T => {
    try {
      return read(value);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      context.addIssue({ code: "custom", message: accepts, params: { code: error.code } });
      return z.NEVER;
    }
  });
}

const scalar = (accepts: string): z.ZodType<Scalar, Scalar> =>
  z.union([z.string(), z.number()], { error: () => accepts });
const text = (accepts: string): z.ZodType<string, string> => z.string({ error: () => accepts });

/** Throws the problem of a leaf; the reader adds the path, the value and what is accepted. */
function refuse(code: "invalid_format" | "out_of_range" = "invalid_format"): never {
  throw new EngineError(code, "not accepted");
}

/** Cores as a quantity; whole thousandths. */
export function cpuLeaf(rounding: Rounding): z.ZodType<number, Scalar> {
  return leaf(scalar(quantityAccepts), quantityAccepts, (value) => parseMilli(String(value), rounding));
}

/** Bytes as a quantity; whole MiB. */
export function bytesLeaf(rounding: Rounding): z.ZodType<number, Scalar> {
  const accepts = 'a Kubernetes quantity of bytes such as "32Gi"';
  return leaf(scalar(accepts), accepts, (value) => parseMebibytes(String(value), rounding));
}

/** Hertz as a quantity; whole MHz. */
export function frequencyLeaf(rounding: Rounding): z.ZodType<number, Scalar> {
  const accepts = 'a frequency in Hz as a quantity such as "1.98G"';
  return leaf(scalar(accepts), accepts, (value) => parseMegahertz(String(value), rounding));
}

/** Money, also per hour. */
export const moneyLeaf: z.ZodType<Money, Scalar> = leaf(scalar(moneyAccepts), moneyAccepts, (value) =>
  parseMoney(value),
);

/** Seconds from a Go duration. */
export const durationLeaf: z.ZodType<number, string> = leaf(
  text(durationAccepts),
  durationAccepts,
  parseDuration,
);

/** What a point in time accepts. */
export const timeAccepts = 'a time in RFC 3339 such as "2026-12-24T18:00:00Z"';
const timeForm = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * RFC 3339 in any offset as UTC with whole seconds, so that text order is time order.
 *
 * @throws {EngineError} `invalid_format` when it is no such time
 */
export function canonicalTime(value: string): string {
  const match = timeForm.exec(value.trim());
  if (match === null || !isCalendarDay(`${match[1]}-${match[2]}-${match[3]}`)) return refuse();
  const millis = Date.parse(value.trim().replace(" ", "T").toUpperCase());
  if (Number.isNaN(millis)) return refuse();
  return `${new Date(Math.floor(millis / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** Whether `YYYY-MM-DD` names a day that exists. */
export function isCalendarDay(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const day = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value);
}

/** A point in time, UTC. */
export const timeLeaf: z.ZodType<string, string> = leaf(text(timeAccepts), timeAccepts, canonicalTime);

const dayAccepts = 'a date such as "2026-12-24"';

/** A calendar day. */
export const dayLeaf: z.ZodType<string, string> = leaf(text(dayAccepts), dayAccepts, (value) =>
  isCalendarDay(value) ? value : refuse(),
);

const minuteAccepts = 'a time of day "HH:MM" from 00:00 to 23:59';

/** Minutes after midnight. */
export const minuteLeaf: z.ZodType<number, string> = leaf(text(minuteAccepts), minuteAccepts, (value) => {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(value);
  return match === null ? refuse() : Number(match[1]) * 60 + Number(match[2]);
});

const zoneAccepts = 'an IANA time zone such as "Europe/Berlin"';

/** A time zone that this runtime knows. */
export const timezoneLeaf: z.ZodType<string, string> = leaf(text(zoneAccepts), zoneAccepts, (value) => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: value });
  } catch {
    return refuse();
  }
  return value;
});

const capabilityAccepts = 'a compute capability such as "8.0" or 8.9';

/** `major * 100 + minor`: "8.9" is 809. */
export const capabilityLeaf: z.ZodType<number, Scalar> = leaf(
  scalar(capabilityAccepts),
  capabilityAccepts,
  (value) => parseCapability(String(value)),
);

/**
 * "8.9" as 809.
 *
 * @throws {EngineError} `invalid_format` when it is not of the form major.minor
 */
export function parseCapability(value: string): number {
  const match = /^(\d{1,2})(?:\.(\d{1,2}))?$/.exec(value.trim());
  if (match === null) throw new EngineError("invalid_format", `"${value}" is not ${capabilityAccepts}`);
  return Number(match[1]) * 100 + Number(match[2] ?? "0");
}

/** 809 as "8.9". */
export function formatCapability(capability: number): string {
  return `${Math.floor(capability / 100)}.${capability % 100}`;
}

const carbonAccepts = 'grams or kilograms per hour such as "50g CO2/h" or "1.5kg CO2/h"';

/** Grams of CO2 per hour. */
export const carbonLeaf: z.ZodType<number, Scalar> = leaf(scalar(carbonAccepts), carbonAccepts, (value) => {
  const match = /^(\d+(?:\.\d+)?)\s*(g|kg)?\s*(?:CO2e?(?:q)?)?\s*(?:\/\s*h(?:our)?)?$/i.exec(
    String(value).trim(),
  );
  if (match === null) return refuse();
  return Number(match[1]) * (match[2]?.toLowerCase() === "kg" ? 1000 : 1);
});

const bandwidthAccepts = 'a bandwidth such as "10Gbps" or "500Mbps", or a number of Gbit/s';

/** Gbit/s. */
export const bandwidthLeaf: z.ZodType<number, Scalar> = leaf(
  scalar(bandwidthAccepts),
  bandwidthAccepts,
  (value) => {
    const match = /^(\d+(?:\.\d+)?)\s*(?:([kKMGT])(?:bps|bit\/s|b\/s))?$/.exec(String(value).trim());
    if (match === null) return refuse();
    const scale = { k: 1e6, K: 1e6, M: 1e3, G: 1, T: 1e-3 }[match[2] ?? "G"] ?? 1;
    return Number(match[1]) / scale;
  },
);

const percentAccepts = 'a percentage from 0 to 100 such as "99.9%" or 99.9';

/** 0..100. */
export const percentLeaf: z.ZodType<number, Scalar> = leaf(
  scalar(percentAccepts),
  percentAccepts,
  (value) => {
    const match = /^(\d+(?:\.\d+)?)\s*%?$/.exec(String(value).trim());
    if (match === null) return refuse();
    return Number(match[1]) > 100 ? refuse("out_of_range") : Number(match[1]);
  },
);

const fractionAccepts = "a share of one GPU from 0.001 to 1 in steps of 0.001";

/** Thousandths, 1..1000. */
export const milliLeaf: z.ZodType<number, number> = leaf(
  z.number({ error: () => fractionAccepts }),
  fractionAccepts,
  (value) => {
    const milli = Math.round(value * 1000);
    if (milli < 1 || milli > 1000) return refuse("out_of_range");
    return Math.abs(milli - value * 1000) < 1e-9 ? milli : refuse();
  },
);

/** Text that matches a form. */
export function textLeaf(form: RegExp, accepts: string): z.ZodType<string, string> {
  return leaf(text(accepts), accepts, (value) => (form.test(value) ? value : refuse()));
}

/** Any text with at least one visible character. */
export const wordLeaf: z.ZodType<string, string> = textLeaf(/\S/, "a text that is not empty");

interface Issue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly inclusive?: boolean;
  readonly origin?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

const expectedText: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

function acceptedBy(issue: Issue): string {
  if (issue.code === "invalid_type") {
    if (!issue.message.startsWith("Invalid input")) return issue.message;
    return expectedText[issue.expected ?? ""] ?? String(issue.expected);
  }
  if (issue.code === "invalid_value") return (issue.values ?? []).map(String).join(", ");
  const items = issue.origin === "array" ? " entries" : issue.origin === "string" ? " characters" : "";
  if (issue.code === "too_small")
    return `${issue.inclusive ? "at least" : "more than"} ${issue.minimum}${items}`;
  if (issue.code === "too_big")
    return `${issue.inclusive ? "at most" : "less than"} ${issue.maximum}${items}`;
  return issue.message;
}

const valueAt = (document: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return typeof key === "number" ? value[key] : undefined;
    return isRecord(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined;
  }, document);

/**
 * Reads a document with a schema; problems carry path, value and what is accepted.
 *
 * @param base path of `document` in the whole input
 * @returns undefined when a problem was recorded
 */
export function readWith<T>(
  schema: z.ZodType<T>,
  document: unknown,
  base: string,
  notes: Notes,
): T | undefined {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  for (const issue of result.error.issues as readonly Issue[]) {
    const path = issue.path.reduce<string>(joinPath, base);
    const value = valueAt(document, issue.path);
    const stated = issue.params?.["code"];
    const code =
      value === undefined
        ? "missing_field"
        : stated === "out_of_range" || issue.code === "too_small" || issue.code === "too_big"
          ? "out_of_range"
          : stated === "conflicting_fields"
            ? "conflicting_fields"
            : "invalid_format";
    notes.problems.push(problem(path, code, value, acceptedBy(issue)));
  }
  return undefined;
}

interface Shaped {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly element?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
}

const definition = (schema: z.ZodType): Shaped => schema._zod.def as unknown as Shaped;

/** What a schema is without optional, default and transform wrappers. */
interface Form {
  readonly fields: Readonly<Record<string, z.ZodType>> | null;
  readonly element: z.ZodType | null;
}

/** Asked for every value of every document, and the same for ever. */
const forms = new WeakMap<z.ZodType, Form>();

function formOf(schema: z.ZodType): Form {
  const known = forms.get(schema);
  if (known !== undefined) return known;
  let bare = definition(schema);
  for (let inner = bare.innerType ?? bare.in; inner !== undefined; inner = bare.innerType ?? bare.in)
    bare = definition(inner);
  const form = { fields: bare.shape ?? null, element: bare.type === "array" ? (bare.element ?? null) : null };
  forms.set(schema, form);
  return form;
}

/** The fields of an object schema, or null for any other schema. */
export function fieldsOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null {
  return formOf(schema).fields;
}

/** The element of an array schema, or null for any other schema. */
export function elementOf(schema: z.ZodType): z.ZodType | null {
  return formOf(schema).element;
}

/**
 * A copy of the document without the fields that the schema does not know. Each is a problem when `strict`, else a
 * warning; nothing is dropped silently.
 */
export function dropUnknown(
  schema: z.ZodType,
  document: unknown,
  base: string,
  strict: boolean,
  notes: Notes,
): unknown {
  const element = elementOf(schema);
  if (element !== null && Array.isArray(document))
    return document.map((entry, index) => dropUnknown(element, entry, joinPath(base, index), strict, notes));
  const fields = fieldsOf(schema);
  if (fields === null || !isRecord(document)) return document;
  const kept: Record<string, unknown> = {};
  let changed = false;
  for (const [key, value] of Object.entries(document)) {
    const path = joinPath(base, key);
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (field !== undefined) {
      kept[key] = typeof value === "object" ? dropUnknown(field, value, path, strict, notes) : value;
      changed ||= kept[key] !== value;
      continue;
    }
    changed = true;
    const message = `unknown field (value ${show(value)}); accepted here: ${Object.keys(fields).join(", ")}`;
    if (strict) notes.problems.push({ path, code: "unknown_field", message });
    else notes.warnings.push({ path, code: "unknown_field", message: `ignored: ${message}` });
  }
  return changed ? kept : document;
}
