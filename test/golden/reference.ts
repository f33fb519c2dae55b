import { annotations } from "../../adapters/json/annotation-table.ts";
import { annotationAccepts } from "../../adapters/json/annotations.ts";
import { fieldAliases } from "../../adapters/json/canonical.ts";
import { intentChoices } from "../../adapters/json/choices.ts";
import type { JsonObject } from "../../adapters/json/decision.ts";
import { notEffective } from "../../adapters/json/not-effective.ts";
import { forgeJsonSchema } from "../../adapters/json/schema.ts";

/** What a field of an intent does. */
type Effect = "filter" | "preference" | "workload" | "planning" | "not yet";

/**
 * What each field does, by path; a path covers everything below it and the longest wins. "filter" excludes offers,
 * "preference" orders them, "planning" steers the plan (amount, order, time, relaxation), "workload" is passed on to
 * what runs, "not yet" is answered with a warning.
 */
const effects: Readonly<Record<string, Effect>> = {
  "intent.objective": "preference",
  "intent.weights": "preference",
  "intent.tenant": "planning",
  "intent.priority": "planning",
  "intent.bid": "planning",
  "intent.submitted_at": "planning",
  "intent.workload": "workload",
  "intent.workload.type": "planning",
  "intent.workload.kind": "preference",
  "intent.workload.deployment_strategy": "planning",
  "intent.workload.communication_pattern": "planning",
  "intent.workload.scaling.min_replicas": "planning",
  "intent.workload.batch.parallel_tasks": "planning",
  "intent.workload.batch.timeout": "planning",
  "intent.workload.batch.estimated_runtime": "planning",
  "intent.workload.batch.estimated_on": "planning",
  "intent.workload.batch.checkpoint_interval": "planning",
  "intent.workload.evictable": "planning",
  "intent.workload.min_runtime": "planning",
  "intent.workload.resources": "filter",
  "intent.workload.resources.gpu.preferred_models": "preference",
  "intent.workload.resources.gpu.fraction": "filter",
  "intent.constraints": "filter",
  "intent.constraints.preferred_providers": "preference",
  "intent.constraints.origin": "preference",
  "intent.constraints.spread": "planning",
  "intent.constraints.negotiation": "planning",
  "intent.constraints.security.firewall_rules": "workload",
  "intent.constraints.performance.gpu_utilization_target": "workload",
  "intent.constraints.performance.memory_utilization_target": "workload",
  "intent.sla": "filter",
  "intent.sla.max_interruption_time": "planning",
  "intent.sla.backup_strategy": "workload",
};

const covering = (paths: readonly string[], path: string): string | undefined =>
  paths
    .filter((entry) => path === entry || path.startsWith(`${entry}.`))
    .sort((a, b) => b.length - a.length)[0];

/** What the field at a path does, or undefined when the table does not say. */
export function effectOf(path: string): Effect | undefined {
  if (covering(notEffective, path) !== undefined) return "not yet";
  const entry = covering(Object.keys(effects), path);
  return entry === undefined ? undefined : effects[entry];
}

interface Field {
  readonly path: string;
  readonly name: string;
  readonly schema: JsonObject;
  readonly required: boolean;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The object that a field holds, itself or as the entry of a list; null for plain values. */
function objectOf(schema: JsonObject): JsonObject | null {
  if (isObject(schema["properties"])) return schema;
  const { items } = schema;
  return isObject(items) && isObject(items["properties"]) ? items : null;
}

/** The fields of an object schema. */
function fieldsOf(schema: JsonObject, base: string): Field[] {
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  return Object.entries(schema["properties"] as JsonObject).map(([name, field]) => ({
    path: `${base}.${name}`,
    name,
    schema: field as JsonObject,
    required: required.includes(name),
  }));
}

/** Every field of the intent schema, depth first; lists of objects as their entries. */
export function intentFields(): Field[] {
  const walk = (schema: JsonObject, base: string): Field[] =>
    fieldsOf(schema, base).flatMap((field) => {
      const inner = objectOf(field.schema);
      return inner === null ? [field] : [field, ...walk(inner, field.path)];
    });
  const root = (forgeJsonSchema("intent")["properties"] as JsonObject)["intent"] as JsonObject;
  return walk(root, "intent");
}

function typeOf(schema: JsonObject): string {
  if (Array.isArray(schema["enum"])) return schema["enum"].map((value) => `\`${value}\``).join(", ");
  if (Array.isArray(schema["anyOf"]))
    return schema["anyOf"].map((part) => typeOf(part as JsonObject)).join(" or ");
  const { type, items } = schema;
  if (type === "array") return `list of ${isObject(items) ? typeOf(items) : "values"}`;
  if (Array.isArray(type)) return type.join(" or ");
  const bounds = [
    schema["minimum"] === undefined ? "" : `from ${schema["minimum"]}`,
    schema["maximum"] === undefined ? "" : `to ${schema["maximum"]}`,
  ]
    .filter((text) => text !== "")
    .join(" ");
  return `${type}${bounds === "" ? "" : ` ${bounds}`}`;
}

/** Other spellings of a field and of its values. */
function alsoAccepted(path: string): string {
  const at = path.lastIndexOf(".");
  const names = Object.entries(fieldAliases[path.slice(0, at)] ?? {})
    .filter(([, alias]) => alias.to === path.slice(at + 1))
    .map(([name]) => `\`${name}\``);
  const choice = intentChoices[path] ?? intentChoices[`${path}[]`];
  const values = [...Object.keys(choice?.aliases ?? {}), ...(choice?.any === true ? ["any"] : [])].map(
    (value) => `"${value}"`,
  );
  return [...names, ...values].join(", ");
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

function table(fields: readonly Field[]): string {
  const rows = fields.map(
    ({ path, name, schema, required }) =>
      `| \`${name}\`${required ? " (required)" : ""} | ${cell(typeOf(schema))} | ${effectOf(path) ?? "?"} | ${cell(String(schema["description"] ?? ""))} | ${alsoAccepted(path)} |`,
  );
  return ["| field | type | effect | meaning | also accepted |", "|---|---|---|---|---|", ...rows].join("\n");
}

/** The tables of the intent reference, one per object. */
export function intentTables(): string {
  const all = intentFields();
  const sections = [
    { title: "intent", fields: all.filter(({ path }) => path.split(".").length === 2) },
    ...all
      .filter(({ schema }) => objectOf(schema) !== null)
      .map(({ path, schema }) => ({
        title: path + (schema["type"] === "array" ? "[]" : ""),
        fields: fieldsOf(objectOf(schema) as JsonObject, path),
      })),
  ];
  return sections.map(({ title, fields }) => `### \`${title}\`\n\n${table(fields)}\n`).join("\n");
}

/** The table of the annotation reference. */
export function annotationTable(): string {
  const rows = annotations.map(({ key, aliases, form, description, required, ours }) => {
    const marks = [required === true ? "required" : "", ours === true ? "ours" : ""].filter(
      (mark) => mark !== "",
    );
    return `| \`${key}\`${marks.length === 0 ? "" : ` (${marks.join(", ")})`} | ${cell(annotationAccepts(form))} | ${cell(description)} | ${aliases.map((alias) => `\`${alias}\``).join(", ")} |`;
  });
  return ["| annotation | value | meaning | also read as |", "|---|---|---|---|", ...rows].join("\n");
}

/** Replaces what lies between the markers of a document. */
export function fill(document: string, name: string, text: string): string {
  const [open, close] = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`];
  const start = document.indexOf(open);
  const end = document.indexOf(close);
  if (start < 0 || end < start) throw new Error(`the document lacks the markers of ${name}`);
  return `${document.slice(0, start + open.length)}\n\n${text.trim()}\n\n${document.slice(end)}`;
}

/** The JSON code blocks of a Markdown document, with the word after `json` that says what they are. */
export function jsonBlocks(document: string): { readonly kind: string; readonly text: string }[] {
  return [...document.matchAll(/```json ?([a-z-]*)\n([\s\S]*?)```/g)].map((match) => ({
    kind: match[1] ?? "",
    text: match[2] ?? "",
  }));
}
