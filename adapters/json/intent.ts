import { findGpuModel } from "../../engine/catalog/gpus.ts";
import type { Intent, Objective } from "../../engine/model/intent.ts";
import { canonicalizeIntent } from "./canonical.ts";
import { type IntentDocument, intentSchema } from "./intent-schema.ts";
import { dropUnknown, readWith } from "./leaf.ts";
import { notEffective } from "./not-effective.ts";
import { createNotes, isRecord, type Notes, problem, show, sortWarnings, throwProblems } from "./notes.ts";

/** How an intent is read. */
export interface IntentOptions {
  /** Unknown fields are problems (default true) or, when false, warnings. */
  readonly strict?: boolean;
  /**
   * Tenant of the caller. A document that names another one is refused. Absent: the document's own, else `default`.
   */
  readonly tenant?: string;
}

const objectiveNames: Readonly<Record<string, Objective>> = {
  Cost_Minimization: "cost",
  Performance_Maximization: "performance",
  Latency_Minimization: "latency",
  Energy_Efficiency: "energy",
  Balanced_Optimization: "balanced",
};

/** The value at a dotted path of objects, or undefined. */
export function valueAtPath(document: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (value, key) => (isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined),
      document,
    );
}

function warnNotEffective(document: unknown, notes: Notes): void {
  for (const path of notEffective) {
    const value = valueAtPath(document, path);
    if (value !== undefined)
      notes.warnings.push({
        path,
        code: "not_effective",
        message: `${show(value)} is kept but changes no decision yet`,
      });
  }
}

/** Assumptions and oddities of an intent that was read. */
function warnOddities(document: unknown, intent: IntentDocument, notes: Notes): void {
  const { workload } = intent;
  const gpu = "intent.workload.resources.gpu";
  if (valueAtPath(document, gpu) === undefined)
    notes.warnings.push({
      path: gpu,
      code: "assumption",
      message: "not stated: one GPU of any kind is assumed",
    });
  const { shared, fractionMilli, migProfile } = workload.resources.gpu;
  if (shared === true && fractionMilli === undefined && migProfile === undefined)
    notes.warnings.push({
      path: `${gpu}.shared`,
      code: "assumption",
      message: "no fraction is stated: whole GPUs are taken, for this workload alone",
    });
  const models: [string, string | undefined][] = [
    [`${gpu}.model`, workload.resources.gpu.model],
    ...workload.resources.gpu.preferredModels.map((name, index): [string, string] => [
      `${gpu}.preferred_models[${index}]`,
      name,
    ]),
    ["intent.workload.batch.estimated_on", workload.batch?.estimatedOn],
  ];
  for (const [path, name] of models)
    if (name !== undefined && findGpuModel(name) === null)
      notes.warnings.push({
        path,
        code: "suspicious",
        message: `${show(name)} is not in the GPU catalog: only offers that spell it the same match`,
      });
  const other = workload.type === "service" ? "batch" : "scaling";
  if (valueAtPath(document, `intent.workload.${other}`) !== undefined)
    notes.warnings.push({
      path: `intent.workload.${other}`,
      code: "suspicious",
      message: `ignored: it has no meaning for type ${workload.type}`,
    });
  if (intent.sla.availabilityPercent !== undefined && !notEffective.includes("intent.sla.availability"))
    notes.warnings.push({
      path: "intent.sla.availability",
      code: "assumption",
      message: `${intent.sla.availabilityPercent}% filters offers that state a lower uptime; others are accepted`,
    });
}

function checkTenant(stated: string | undefined, caller: string | undefined, notes: Notes): string {
  if (stated !== undefined && caller !== undefined && stated !== caller)
    notes.problems.push(problem("intent.tenant", "conflicting_fields", stated, `${show(caller)}, or none`));
  return caller ?? stated ?? "default";
}

/**
 * Reads an intent in any documented spelling: the envelope `{"intent": {...}}`, or the bare body. All units are
 * converted, all aliases resolved and named in `warnings`, ordered by path.
 *
 * @throws {EngineError} with every problem found, each with its JSON path, the value and what is accepted
 */
export function readIntent(document: unknown, options: IntentOptions = {}): Intent {
  const notes = createNotes();
  const canonical = canonicalizeIntent(document, notes);
  const known = dropUnknown(intentSchema, canonical, "", options.strict ?? true, notes);
  const intent = readWith(intentSchema, known, "", notes);
  const tenant = checkTenant(intent?.tenant, options.tenant, notes);
  throwProblems(notes, "intent");
  if (intent === undefined) throw new Error("an intent without problems was not read");
  warnNotEffective(known, notes);
  warnOddities(known, intent, notes);
  const { weights, bidPerGpuHour, submittedAt } = intent;
  return {
    name: intent.workload.name,
    tenant,
    priority: intent.priority,
    objective: objectiveNames[intent.objective] ?? "balanced",
    workload: intent.workload,
    constraints: intent.constraints,
    sla: intent.sla,
    warnings: sortWarnings(notes.warnings),
    ...(weights === undefined ? {} : { weights }),
    ...(bidPerGpuHour === undefined ? {} : { bidPerGpuHour }),
    ...(submittedAt === undefined ? {} : { submittedAt }),
  };
}
