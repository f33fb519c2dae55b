import { isRecord, joinPath, type Notes, problem } from "./notes.ts";

/** Keys of `requirements` that describe one replica; everything else there is a constraint. */
const resourceKeys: ReadonlySet<string> = new Set(["gpu", "cpu", "memory"]);

/** Whether a document has the flat form `{name, objective, requirements, workload: {containers}}`. */
export function isFlatForm(document: unknown): boolean {
  if (!isRecord(document) || document["intent"] !== undefined) return false;
  const { workload } = document;
  return isRecord(document["requirements"]) || (isRecord(workload) && Array.isArray(workload["containers"]));
}

type Members = Record<string, unknown>;

/** The one container of the workload; more than one is a problem. */
function containerOf(workload: Members, notes: Notes): Members {
  const { containers } = workload;
  if (!Array.isArray(containers) || containers.length === 0) return {};
  if (containers.length > 1)
    notes.problems.push(problem("workload.containers", "invalid_format", containers.length, "one container"));
  const [first] = containers;
  if (isRecord(first)) return first;
  notes.problems.push(problem("workload.containers[0]", "invalid_format", first, "an object"));
  return {};
}

/** Kubernetes container ports as ports of an intent. */
function portsOf(container: Members): unknown {
  const { ports } = container;
  if (!Array.isArray(ports)) return ports;
  return ports.map((port: unknown) => {
    if (!isRecord(port) || port["containerPort"] === undefined) return port;
    const { containerPort, name: _, ...rest } = port;
    return { ...rest, port: containerPort };
  });
}

/** The container's own limits and requests, for what `requirements` does not state. */
function containerResources(container: Members): Members {
  const resources = isRecord(container["resources"]) ? container["resources"] : {};
  const limits = isRecord(resources["limits"]) ? resources["limits"] : {};
  const merged: Members = { ...limits, ...(isRecord(resources["requests"]) ? resources["requests"] : {}) };
  const gpuKey = Object.keys(merged).find((key) =>
    /^(nvidia\.com|amd\.com)\/gpu$|^gpu\.intel\.com\//.test(key),
  );
  return {
    ...(merged["cpu"] === undefined ? {} : { cpu: merged["cpu"] }),
    ...(merged["memory"] === undefined ? {} : { memory: merged["memory"] }),
    ...(gpuKey === undefined ? {} : { gpu: { count: Number(merged[gpuKey]) } }),
  };
}

/** Splits `requirements` into what one replica needs and what its place must satisfy. */
function split(requirements: Members): { resources: Members; constraints: Members } {
  const entries = Object.entries(requirements);
  return {
    resources: Object.fromEntries(entries.filter(([key]) => resourceKeys.has(key))),
    constraints: Object.fromEntries(entries.filter(([key]) => !resourceKeys.has(key))),
  };
}

/** Notes where each part of the flat form comes from, so that problems name it as written. */
function spell(notes: Notes, resources: Members): void {
  notes.spelled.set("intent.constraints", "requirements");
  for (const key of Object.keys(resources))
    notes.spelled.set(`intent.workload.resources.${key}`, `requirements.${key}`);
  notes.spelled.set("intent.workload.name", "name");
  for (const [field, source] of [
    ["image", "image"],
    ["commands", "command"],
    ["env", "env"],
    ["ports", "ports"],
  ] as const)
    notes.spelled.set(`intent.workload.${field}`, joinPath("workload.containers[0]", source));
  notes.spelled.set("intent", "");
}

/**
 * The intent document behind the flat form `{name, objective, requirements, workload: {type, replicas, containers}}`,
 * an earlier shape of the same request. Aliases inside are left for the canonicalizer.
 */
export function fromFlatForm(document: Readonly<Members>, notes: Notes): Members {
  const { name, requirements, constraints, workload, ...rest } = document;
  notes.warnings.push({
    path: "",
    code: "alias",
    message: "the flat form with requirements and containers is read as an intent",
  });
  const block = isRecord(workload) ? workload : {};
  const { containers: _, ...kept } = block;
  const container = containerOf(block, notes);
  const parts = split(isRecord(requirements) ? requirements : {});
  spell(notes, parts.resources);
  const command = [container["command"], container["args"]].flat().filter((part) => part !== undefined);
  const stated: Members = {
    name,
    image: container["image"],
    commands: command.length === 0 ? undefined : command,
    env: container["env"],
    ports: portsOf(container),
  };
  return {
    intent: {
      ...rest,
      workload: {
        ...Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined)),
        ...kept,
        resources: {
          ...containerResources(container),
          ...(isRecord(kept["resources"]) ? kept["resources"] : {}),
          ...parts.resources,
        },
      },
      constraints: { ...parts.constraints, ...(isRecord(constraints) ? constraints : {}) },
    },
  };
}
