import * as z from "zod";
import { findGpuModel } from "../../engine/catalog/gpus.ts";
import { parseDurationMs, quantityNano } from "../kubernetes/quantity.ts";
import { canonicalChoice, intentChoices, priorities } from "./choices.ts";
import { intentSchema } from "./intent-schema.ts";
import { elementOf, fieldsOf } from "./leaf.ts";
import { fromFlatForm, isFlatForm } from "./legacy.ts";
import { createNotes, isRecord, joinPath, type Notes, show } from "./notes.ts";

/** Another documented name of a field. */
interface Alias {
  /** Canonical name, or a path below the same object. */
  readonly to: string;
  readonly convert?: (value: unknown) => unknown;
}

const latency = (value: unknown): unknown => {
  if (typeof value !== "string") return value;
  try {
    return parseDurationMs(value);
  } catch {
    return value; // the schema refuses it and says what is accepted
  }
};

/**
 * Documented names besides the canonical ones, by the path of the object. Names that differ only in case, `_` or
 * `-` (the CRD's camelCase among them) need no entry.
 */
export const fieldAliases: Readonly<Record<string, Readonly<Record<string, Alias>>>> = {
  intent: { contraints: { to: "constraints" } },
  "intent.workload": { job: { to: "batch" }, storages: { to: "storage" }, environment: { to: "env" } },
  "intent.workload.resources.gpu": {
    memory: { to: "memory_min" },
    cores: { to: "cores_min" },
    clock_speed: { to: "clock_speed_min" },
    compute_capability_min: { to: "compute_capability" },
    fp32_tflops_min: { to: "fp32_tflops" },
    mig: { to: "multi_instance" },
    preemptible: { to: "interruptible" },
  },
  "intent.constraints": {
    max_hourly_rate: { to: "max_hourly_cost" },
    max_network_latency: { to: "max_latency_ms", convert: latency },
    max_latency: { to: "max_latency_ms", convert: latency },
    interruptible: { to: "preemptible" },
    spot: { to: "preemptible" },
  },
  "intent.constraints.energy": {
    renewable_only: { to: "renewable_energy_only" },
    max_pue: { to: "power_usage_effectiveness" },
    pue: { to: "power_usage_effectiveness" },
    efficiency_rating: { to: "energy_efficiency_rating" },
  },
  "intent.constraints.compliance": {
    hippa_compliant: { to: "hipaa_compliant" },
    gdpr: { to: "gdpr_compliant" },
    hipaa: { to: "hipaa_compliant" },
  },
  "intent.constraints.negotiation": {
    max_rounds: { to: "max_negotiation_rounds" },
    fallback: { to: "fallback_strategy" },
    fallback_strategies: { to: "fallback_strategy" },
  },
};

/** Fields in which the word `any` states nothing. */
const anyFields: ReadonlySet<string> = new Set([
  "intent.workload.resources.gpu.model",
  "intent.workload.resources.gpu.compute_capability",
  "intent.workload.resources.gpu.preferred_models[]",
  "intent.constraints.location",
  "intent.constraints.locations[]",
  "intent.constraints.availability_zone",
  "intent.constraints.providers[]",
  "intent.constraints.preferred_providers[]",
]);

const modelFields: ReadonlySet<string> = new Set([
  "intent.workload.resources.gpu.model",
  "intent.workload.resources.gpu.preferred_models[]",
  "intent.workload.batch.estimated_on",
]);

/** Lists that a single text may stand for. */
const listFields: ReadonlySet<string> = new Set([
  "intent.constraints.negotiation.fallback_strategy",
  "intent.constraints.providers",
  "intent.constraints.preferred_providers",
  "intent.constraints.locations",
  "intent.constraints.compliance.data_residency",
  "intent.constraints.compliance.certifications",
]);

/** Members of values that may be objects as well as texts. */
const leafFields: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  "intent.constraints.origin": { latitude: z.number(), longitude: z.number() },
};

const foldKey = (key: string): string => key.toLowerCase().replace(/[_-]/g, "");

/** `intent.workload.ports[3].port` is `intent.workload.ports[].port`. */
export const fieldPath = (path: string): string => path.replace(/\[\d+\]/g, "[]");

const stateNothing = Symbol("states nothing");

const aliasWarning = (notes: Notes, path: string, found: string, canonical: string): void => {
  notes.warnings.push({ path, code: "alias", message: `${found} is read as ${canonical}` });
};

/** Equal as JSON, or as quantities ("80Gi" and "81920Mi"). */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  try {
    if (JSON.stringify(a) === JSON.stringify(b)) return true;
    return quantityNano(String(a)) === quantityNano(String(b));
  } catch {
    return false;
  }
}

/** The canonical value of a leaf; `stateNothing` where "any" was written. */
function canonicalValue(value: unknown, path: string, at: string, notes: Notes): unknown {
  if (typeof value !== "string") return value;
  if (anyFields.has(at) && value.trim().toLowerCase() === "any") return stateNothing;
  const choice = intentChoices[at];
  let canonical: string | null | undefined;
  if (choice !== undefined) canonical = canonicalChoice(choice, value);
  else if (modelFields.has(at)) canonical = findGpuModel(value)?.name;
  else if (at === "intent.priority")
    canonical = Object.keys(priorities).find((name) => foldKey(name) === foldKey(value));
  if (canonical === null) return stateNothing;
  if (canonical === undefined || canonical === value) return value;
  aliasWarning(notes, path, show(value), show(canonical));
  return canonical;
}

/** Where a key of the object at `path` belongs, or null when it is canonical or unknown. */
function aliasOf(
  fields: Readonly<Record<string, unknown>>,
  path: string,
  key: string,
  type: unknown,
): Alias | null {
  if (Object.hasOwn(fields, key)) return null;
  const listed = fieldAliases[fieldPath(path)] ?? {};
  const folded = foldKey(key);
  if (fieldPath(path) === "intent.workload" && folded === "replicas")
    return { to: type === "batch" ? "batch.parallel_tasks" : "scaling.min_replicas" };
  const name = Object.keys(listed).find((alias) => foldKey(alias) === folded);
  if (name !== undefined) return listed[name] ?? null;
  const canonical = Object.keys(fields).find((field) => foldKey(field) === folded);
  return canonical === undefined ? null : { to: canonical };
}

type Entries = Map<string, unknown>;

/** Puts an aliased value at its canonical place below `target`; a different value there is a problem. */
function place(target: Entries, alias: Alias, value: unknown, path: string, key: string, notes: Notes): void {
  const [head = "", ...rest] = alias.to.split(".");
  const converted = alias.convert === undefined ? value : alias.convert(value);
  const canonicalPath = `${path}.${alias.to}`;
  aliasWarning(notes, joinPath(path, key), `field ${key}`, alias.to);
  const spell = (): void => {
    if (!notes.spelled.has(canonicalPath)) notes.spelled.set(canonicalPath, joinPath(path, key));
  };
  const existing = target.get(head);
  const inner = rest[0];
  if (inner === undefined) {
    if (existing === undefined) {
      spell();
      target.set(head, converted);
    } else if (isRecord(existing) && isRecord(converted))
      mergeBlocks(target, head, existing, converted, canonicalPath, notes);
    else if (!sameValue(existing, converted)) conflict(canonicalPath, key, existing, converted, notes);
    return;
  }
  if (existing !== undefined && !isRecord(existing)) return;
  const block = existing ?? {};
  if (block[inner] === undefined) {
    spell();
    target.set(head, { ...block, [inner]: converted });
  } else if (!sameValue(block[inner], converted))
    conflict(canonicalPath, key, block[inner], converted, notes);
}

/** Two spellings of a block are one only when they say the same. */
function mergeBlocks(
  target: Entries,
  head: string,
  existing: Record<string, unknown>,
  other: Record<string, unknown>,
  path: string,
  notes: Notes,
): void {
  if (sameValue(existing, other)) return;
  conflict(path, head, existing, other, notes);
  target.set(head, existing);
}

function conflict(path: string, key: string, value: unknown, other: unknown, notes: Notes): void {
  notes.problems.push({
    path,
    code: "conflicting_fields",
    message: `found ${show(value)} and, spelled ${key}, ${show(other)}; accepted: one of them, or equal values`,
  });
}

function walkList(element: z.ZodType, value: unknown, path: string, at: string, notes: Notes): unknown {
  const list = typeof value === "string" && listFields.has(at) ? [value] : value;
  if (!Array.isArray(list)) return list;
  const kept = list
    .map((entry, index) => walk(element, entry, joinPath(path, index), `${at}[]`, notes))
    .filter((entry) => entry !== stateNothing);
  return kept.length === 0 && list.length > 0 ? stateNothing : kept;
}

/** @param at the path as a field, see `fieldPath` */
function walk(schema: z.ZodType, value: unknown, path: string, at: string, notes: Notes): unknown {
  const element = elementOf(schema);
  if (element !== null) return walkList(element, value, path, at, notes);
  const fields = fieldsOf(schema) ?? (isRecord(value) ? leafFields[at] : undefined) ?? null;
  if (fields === null) return canonicalValue(environmentText(value, at), path, at, notes);
  if (!isRecord(value)) return value;
  const type =
    at === "intent.workload"
      ? canonicalValue(value["type"], "intent.workload.type", "intent.workload.type", createNotes())
      : undefined;
  const aliased: [string, Alias][] = [];
  for (const key of Object.keys(value)) {
    const alias = value[key] === null ? null : aliasOf(fields, path, key, type);
    if (alias !== null) aliased.push([key, alias]);
  }
  const entries = aliased.length === 0 ? Object.entries(value) : [...resolved(value, aliased, path, notes)];
  const canonical: Record<string, unknown> = {};
  for (const [key, member] of entries) {
    if (member === null) continue; // states nothing
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const read =
      field === undefined
        ? member
        : walk(field, member, joinPath(path, key), at === "" ? key : `${at}.${key}`, notes);
    if (read !== stateNothing) setOwn(canonical, key, read);
  }
  return canonical;
}

/** Sets a member of a document's object, whatever its name: `__proto__` is one like any other. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  else target[key] = value;
}

/** The members of an object, those with another spelling at their canonical places. */
function resolved(
  value: Readonly<Record<string, unknown>>,
  aliased: readonly (readonly [string, Alias])[],
  path: string,
  notes: Notes,
): Entries {
  const spelled = new Set(aliased.map(([key]) => key));
  const entries: Entries = new Map(
    Object.entries(value).filter(([key, member]) => member !== null && !spelled.has(key)),
  );
  for (const [key, alias] of aliased) place(entries, alias, value[key], path, key, notes);
  return entries;
}

/** `{name, value}` of an environment entry as `NAME=value`. */
function environmentText(value: unknown, at: string): unknown {
  if (at !== "intent.workload.env[]" || !isRecord(value)) return value;
  const { name, value: text } = value;
  return typeof name === "string" && ["string", "number", "boolean"].includes(typeof text)
    ? `${name}=${text}`
    : value;
}

/**
 * The canonical JSON form of an intent: one spelling per field and value, the envelope present, "any" and null left
 * out. Applying it twice changes nothing. Each alias used is a warning; two spellings with different values are a
 * problem. Values are not checked here.
 */
export function canonicalizeIntent(document: unknown, notes: Notes): unknown {
  let body = document;
  if (isRecord(body) && isFlatForm(body)) body = fromFlatForm(body, notes);
  else if (
    isRecord(body) &&
    body["intent"] === undefined &&
    (Object.hasOwn(body, "workload") || Object.hasOwn(body, "objective"))
  ) {
    notes.warnings.push({
      path: "",
      code: "alias",
      message: 'a body without {"intent": ...} is read as the intent',
    });
    notes.spelled.set("intent", "");
    body = { intent: body };
  }
  return walk(intentSchema, body, "", "", notes);
}
