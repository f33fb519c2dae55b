import { EngineError } from "../../engine/model/errors.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import {
  isCurrency,
  moneyAccepts,
  parseMebibytes,
  parseMegahertz,
  parseMoney,
} from "../kubernetes/quantity.ts";
import type { Annotation, AnnotationForm } from "./annotation.ts";
import { annotations } from "./annotation-table.ts";
import { canonicalChoice } from "./choices.ts";
import { completeOffer, createDraft, type OfferDraft, offerModel } from "./draft.ts";
import { parseCapability } from "./leaf.ts";
import { joinPath, type Notes, problem, show } from "./notes.ts";

/** Annotations that other software reads and no decision needs. */
const informative: ReadonlySet<string> = new Set([
  "nvidia.fluidos.eu/cuda-version",
  "nvidia.fluidos.eu/driver-version",
  "nvidia.fluidos.eu/mps-capable",
  "amd.fluidos.eu/rocm-version",
  "amd.fluidos.eu/driver-version",
  "amd.fluidos.eu/sriov-capable",
  "amd.fluidos.eu/gfx-architecture",
  "node.fluidos.eu/gpu",
]);

/** Prefixes under which an unknown key is a misspelling rather than somebody else's annotation. */
const namespaces =
  /^(gpu|location|cost|workload|network|provider|energy|compliance|security|performance|nvidia|amd)\.fluidos\.eu\//;

const bySpelling: ReadonlyMap<string, Annotation> = new Map(
  annotations.flatMap((entry) =>
    [entry.key, ...entry.aliases].map((key): [string, Annotation] => [key, entry]),
  ),
);

const currencyKey = "cost.fluidos.eu/currency";

/** `_` and `-` are one in the name of a key. */
const foldKey = (key: string): string => key.trim().toLowerCase().replaceAll("_", "-");

/** Throws `EngineError`; the caller adds what is accepted. */
function parseValue(form: AnnotationForm, text: string, currency: string): unknown {
  const refuse = (code: "invalid_format" | "out_of_range" = "invalid_format"): never => {
    throw new EngineError(code, `${show(text)} is not accepted`);
  };
  switch (form.kind) {
    case "choice": {
      const value = canonicalChoice(form.choice, text);
      return value === undefined ? refuse() : value;
    }
    case "boolean":
      return text === "true" ? true : text === "false" ? false : refuse();
    case "bytes": {
      const mib = parseMebibytes(text, "down");
      return mib >= 64 ? mib : refuse("out_of_range");
    }
    case "frequency":
      return parseMegahertz(text, "down");
    case "capability":
      return parseCapability(text);
    case "money":
      return parseMoney(text, currency);
    case "number": {
      const value = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
      if (Number.isNaN(value) || (form.whole === true && !Number.isInteger(value))) return refuse();
      return value < form.min || value > form.max ? refuse("out_of_range") : value;
    }
    case "list":
      return text
        .split(",")
        .map((entry) => entry.trim())
        .filter((entry) => entry !== "");
    case "word":
      return form.pattern.test(text) ? text : refuse();
  }
}

/** What the text of an annotation may be, for messages and documentation. */
export function annotationAccepts(form: AnnotationForm): string {
  switch (form.kind) {
    case "choice":
      return form.choice.values.join(", ");
    case "boolean":
      return '"true" or "false", lower case';
    case "bytes":
      return 'a quantity such as "80Gi", at least 64Mi';
    case "frequency":
      return 'a frequency in Hz such as "1.98G"';
    case "capability":
      return 'major.minor such as "9.0"';
    case "money":
      return moneyAccepts;
    case "number":
      return `a ${form.whole === true ? "whole number" : "number"} from ${form.min} to ${form.max}`;
    case "list":
      return "names separated by commas";
    case "word":
      return form.accepts;
  }
}

interface Found {
  readonly annotation: Annotation;
  readonly key: string;
  readonly text: string;
}

/** The annotations of the table, canonical spellings first, so that aliases are compared with them. */
function findAnnotations(stated: Readonly<Record<string, unknown>>, path: string, notes: Notes): Found[] {
  const found: Found[] = [];
  for (const key of Object.keys(stated).sort()) {
    const folded = foldKey(key);
    const annotation = bySpelling.get(folded);
    const value = stated[key];
    const at = joinPath(path, key);
    if (annotation === undefined) {
      if (namespaces.test(folded) && !informative.has(folded))
        notes.warnings.push({
          path: at,
          code: "unknown_field",
          message: `ignored: no annotation of that name (value ${show(value)})`,
        });
      continue;
    }
    if (!["string", "number", "boolean"].includes(typeof value)) {
      notes.problems.push(problem(at, "invalid_format", value, annotationAccepts(annotation.form)));
      continue;
    }
    if (key !== annotation.key && key !== annotation.key.replaceAll("-", "_"))
      notes.warnings.push({ path: at, code: "alias", message: `read as ${annotation.key}` });
    found.push({ annotation, key, text: String(value).trim() });
  }
  return found.sort((a, b) => Number(b.key === b.annotation.key) - Number(a.key === a.annotation.key));
}

/** Annotations in which several spellings add up instead of competing. */
const additive: ReadonlySet<string> = new Set([
  "nvidia.fluidos.eu/mig-capable",
  "provider.fluidos.eu/preemptible",
]);

const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Fills a draft from FLARE node annotations, any spelling. Problems name the annotation, its value and what is
 * accepted.
 *
 * @param path of the annotations object in its document
 */
export function draftFromAnnotations(
  draft: OfferDraft,
  stated: Readonly<Record<string, unknown>>,
  path: string,
  notes: Notes,
): void {
  const found = findAnnotations(stated, path, notes);
  const currency = found.find(({ annotation }) => annotation.key === currencyKey)?.text ?? "EUR";
  if (!isCurrency(currency))
    notes.problems.push(
      problem(joinPath(path, currencyKey), "invalid_format", currency, "an ISO 4217 code such as EUR"),
    );
  const seen = new Map<string, { readonly value: unknown; readonly key: string }>();
  for (const { annotation, key, text } of found) {
    let value: unknown;
    try {
      value = parseValue(annotation.form, text, isCurrency(currency) ? currency : "EUR");
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (annotation.key === `gpu.fluidos.eu/topology` && text.toLowerCase() === "custom") continue;
      notes.problems.push(problem(joinPath(path, key), error.code, text, annotationAccepts(annotation.form)));
      continue;
    }
    const before = seen.get(annotation.key);
    if (before !== undefined && !additive.has(annotation.key) && !equal(before.value, value)) {
      notes.problems.push({
        path: joinPath(path, key),
        code: "conflicting_fields",
        message: `found ${show(text)}, but ${before.key} says otherwise; accepted: one of them, or equal values`,
      });
      continue;
    }
    seen.set(annotation.key, { value, key });
    if (value !== null) annotation.store(draft, value as never);
  }
  settleModel(draft, path, notes);
  settleCoordinates(draft, path, notes);
  warnBandwidth(found, path, notes);
}

function settleModel(draft: OfferDraft, path: string, notes: Notes): void {
  const text = draft.gpu.model;
  if (text === undefined) return;
  const name = offerModel(text, draft.gpu.vendor);
  const at = joinPath(path, "gpu.fluidos.eu/model");
  if (name === null) {
    notes.problems.push(problem(at, "invalid_format", text, 'a model with its vendor such as "nvidia-h100"'));
    return;
  }
  if (name !== text)
    notes.warnings.push({ path: at, code: "alias", message: `${show(text)} is read as ${show(name)}` });
  draft.gpu.model = name;
}

function settleCoordinates(draft: OfferDraft, path: string, notes: Notes): void {
  const point = draft.coordinates as { latitude?: number; longitude?: number } | undefined;
  if (point === undefined || (point.latitude !== undefined && point.longitude !== undefined)) return;
  const missing = point.latitude === undefined ? "latitude" : "longitude";
  notes.problems.push(
    problem(
      joinPath(path, `location.fluidos.eu/${missing}`),
      "missing_field",
      undefined,
      "degrees, since the other is given",
    ),
  );
}

function warnBandwidth(found: readonly Found[], path: string, notes: Notes): void {
  if (found.some(({ annotation }) => annotation.key === "gpu.fluidos.eu/interconnect-gbytes-per-second"))
    return;
  for (const { annotation, key, text } of found)
    if (annotation.key === "gpu.fluidos.eu/interconnect-bandwidth-gbps" && Number(text) >= 300)
      notes.warnings.push({
        path: joinPath(path, key),
        code: "suspicious",
        message: `${text} is taken for GB/s, since no such link is that slow in Gbit/s`,
      });
}

/** What no catalog can fill: model, count, region and price. */
function requireStated(draft: OfferDraft, path: string, notes: Notes): void {
  const missing = (value: unknown, key: string): void => {
    const annotation = bySpelling.get(key);
    if (value !== undefined || annotation === undefined) return;
    const at = joinPath(path, key);
    if (notes.problems.some((entry) => entry.path === at)) return; // stated, and refused already
    notes.problems.push(problem(at, "missing_field", undefined, annotationAccepts(annotation.form)));
  };
  missing(draft.gpu.model, "gpu.fluidos.eu/model");
  missing(draft.count, "gpu.fluidos.eu/count");
  missing(draft.region, "location.fluidos.eu/region");
  missing(draft.rate, "cost.fluidos.eu/hourly-rate");
}

/**
 * An offer from FLARE node annotations. Null when it is broken; `notes` says what is wrong.
 *
 * @param id of the offer; for a Kubernetes node its name
 * @param path of the annotations in their document, for messages
 * @param amend states what else is known (free GPUs, CPU, origin) before the catalogs fill the rest
 */
export function readAnnotations(
  id: string,
  stated: Readonly<Record<string, unknown>>,
  path: string,
  notes: Notes,
  amend?: (draft: OfferDraft) => void,
): Flavor | null {
  const draft = createDraft(id);
  const before = notes.problems.length;
  draftFromAnnotations(draft, stated, path, notes);
  amend?.(draft);
  requireStated(draft, path, notes);
  if (notes.problems.length > before) return null;
  return completeOffer(draft, path, notes);
}

/** The written spelling of an annotation, or null when there is none of that name. */
export function canonicalAnnotation(key: string): string | null {
  return bySpelling.get(foldKey(key))?.key ?? null;
}

/**
 * Stated annotations over derived ones: a derived one gives way to the same annotation in any spelling.
 */
export function mergeAnnotations(
  derived: Readonly<Record<string, string>>,
  stated: Readonly<Record<string, string>>,
): Record<string, string> {
  const canonical = (key: string): string => canonicalAnnotation(key) ?? key;
  const own = new Set(Object.keys(stated).map(canonical));
  const rest = Object.entries(derived).filter(([key]) => !own.has(canonical(key)));
  return { ...Object.fromEntries(rest), ...stated };
}

/**
 * The annotations that say what an offer says, in the spelling that is written, ordered by key. Reading them back
 * gives the same offer.
 */
export function forgeAnnotations(flavor: Flavor): Record<string, string> {
  const entries = annotations
    .map(({ key, tell }): [string, string | undefined] => [key, tell(flavor)])
    .filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
