import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalizeIntent } from "../../../adapters/json/canonical.ts";
import { readIntent } from "../../../adapters/json/intent.ts";
import { forgeIntent } from "../../../adapters/json/intent-forge.ts";
import { createNotes } from "../../../adapters/json/notes.ts";
import { EngineError, type InputProblem } from "../../../engine/model/errors.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { intentDocuments } from "./intent-samples.ts";

/** Cases per property: with the other fuzz tests more than 10,000 at each run; FLARE_FUZZ=10000 for as many each. */
const numRuns = Number(process.env["FLARE_FUZZ"] ?? 1000);

const workload = {
  type: "service",
  name: "chat",
  image: "registry.local/chat:1",
  resources: { gpu: { count: 1 } },
};

/** A small valid document with one value replaced at a dotted path; undefined removes it. */
function withValue(path: string, value: unknown, type = "service"): object {
  const document: Record<string, unknown> = structuredClone({
    intent: { objective: "Cost_Minimization", workload: { ...workload, type } },
  });
  const keys = path.split(".");
  let target = document;
  for (const key of keys.slice(0, -1)) {
    target[key] ??= {};
    target = target[key] as Record<string, unknown>;
  }
  const last = keys.at(-1)!;
  if (value === undefined) delete target[last];
  else target[last] = value;
  return document;
}

const withoutWarnings = (intent: Intent): Intent => ({ ...intent, warnings: [] });

function problemsOf(document: unknown, options = {}): readonly InputProblem[] {
  try {
    readIntent(document, options);
  } catch (error) {
    if (error instanceof EngineError) return error.problems;
    throw error;
  }
  return [];
}

test("every document of the schema is accepted, strictly", () => {
  fc.assert(
    fc.property(intentDocuments, (document) => {
      expect(problemsOf(document)).toEqual([]);
    }),
    { numRuns },
  );
});

test("canonicalizing twice is canonicalizing once, and the second time warns of nothing", () => {
  fc.assert(
    fc.property(intentDocuments, (document) => {
      const once = canonicalizeIntent(document, createNotes());
      const notes = createNotes();
      expect(canonicalizeIntent(once, notes)).toEqual(once);
      expect(notes).toEqual(createNotes());
    }),
    { numRuns },
  );
});

test("an intent written and read again is the same intent", () => {
  fc.assert(
    fc.property(intentDocuments, (document) => {
      const intent = withoutWarnings(readIntent(document));
      expect(withoutWarnings(readIntent(forgeIntent(intent)))).toEqual(intent);
    }),
    { numRuns },
  );
});

const gpu = "intent.workload.resources.gpu";
const constraint = "intent.constraints";

/** Spelling that is documented somewhere, and the canonical one. */
const spellings: readonly (readonly [string, unknown, string, unknown, string?])[] = [
  ["intent.workload.type", "job", "intent.workload.type", "batch"],
  ["intent.workload.type", "deployment", "intent.workload.type", "service"],
  ["intent.workload.type", "Service", "intent.workload.type", "service"],
  ["intent.workload.job", { parallel_tasks: 2 }, "intent.workload.batch", { parallel_tasks: 2 }, "batch"],
  ["intent.workload.replicas", 3, "intent.workload.scaling.min_replicas", 3],
  ["intent.workload.replicas", 3, "intent.workload.batch.parallel_tasks", 3, "batch"],
  ["intent.workload.env", [{ name: "A", value: "b=c" }], "intent.workload.env", ["A=b=c"]],
  ["intent.workload.deployment_strategy", "flexibile", "intent.workload.deployment_strategy", "flexible"],
  ["intent.workload.deploymentStrategy", "Flexible", "intent.workload.deployment_strategy", "flexible"],
  [
    "intent.workload.communication_pattern",
    "All_Reduce",
    "intent.workload.communication_pattern",
    "all-reduce",
  ],
  [`${gpu}.memory`, "70Gi", `${gpu}.memory_min`, "70Gi"],
  [`${gpu}.memoryMin`, "70Gi", `${gpu}.memory_min`, "71680Mi"],
  [`${gpu}.cores`, 6912, `${gpu}.cores_min`, 6912],
  [`${gpu}.clock_speed`, "1.5G", `${gpu}.clock_speed_min`, "1500M"],
  [`${gpu}.tier`, "economy", `${gpu}.tier`, "budget"],
  [`${gpu}.tier`, "any", `${gpu}.tier`, undefined],
  [`${gpu}.model`, "any", `${gpu}.model`, undefined],
  [`${gpu}.model`, "h100", `${gpu}.model`, "nvidia-h100"],
  [`${gpu}.model`, "nvidia-a6000", `${gpu}.model`, "nvidia-rtx-a6000"],
  [`${gpu}.model`, "amd-rx-7900xtx", `${gpu}.model`, "amd-rx7900xtx"],
  [`${gpu}.architecture`, "Ada_Lovelace", `${gpu}.architecture`, "ada-lovelace"],
  [`${gpu}.architecture`, "any", `${gpu}.architecture`, undefined],
  [`${gpu}.interconnect`, "infinity_fabric", `${gpu}.interconnect`, "infinity-fabric"],
  [`${gpu}.interconnect`, "NVLink", `${gpu}.interconnect`, "nvlink"],
  [`${gpu}.topology`, "DGX", `${gpu}.topology`, "nvswitch"],
  [`${gpu}.topology`, "HGX", `${gpu}.topology`, "nvswitch"],
  [`${gpu}.topology`, "NvSwitch", `${gpu}.topology`, "nvswitch"],
  [`${gpu}.compute_capability`, "any", `${gpu}.compute_capability`, undefined],
  [`${gpu}.compute_capability`, 8.9, `${gpu}.compute_capability`, "8.9"],
  [`${constraint}.max_hourly_rate`, "5 EUR", `${constraint}.max_hourly_cost`, "5 EUR"],
  [`${constraint}.max_hourly_cost`, 5, `${constraint}.max_hourly_cost`, "5 EUR"],
  [`${constraint}.max_hourly_cost`, "5", `${constraint}.max_hourly_cost`, "5 EUR"],
  [`${constraint}.max_hourly_cost`, "5 EUR/hour", `${constraint}.max_hourly_cost`, "5.00 EUR"],
  [`${constraint}.max_network_latency`, "50ms", `${constraint}.max_latency_ms`, 50],
  [`${constraint}.preEmptible`, true, `${constraint}.preemptible`, true],
  [`${constraint}.location`, "eu", `${constraint}.location`, "EU"],
  [`${constraint}.location`, "any", `${constraint}.location`, undefined],
  [`${constraint}.location`, "Germany", `${constraint}.location`, "DE"],
  [`${constraint}.locations`, ["EU"], `${constraint}.location`, "EU"],
  [`${constraint}.providers`, ["AWS", "GCP"], `${constraint}.providers`, ["gcp", "aws"]],
  [`${constraint}.deadline`, "2026-12-24T19:00:00+01:00", `${constraint}.deadline`, "2026-12-24T18:00:00Z"],
  [
    `${constraint}.energy.max_carbon_footprint`,
    "1.5kg CO2/h",
    `${constraint}.energy.max_carbon_footprint`,
    "1500g CO2/h",
  ],
  [
    `${constraint}.performance.min_network_bandwidth`,
    "10Gbps",
    `${constraint}.performance.min_network_bandwidth`,
    10,
  ],
  [
    `${constraint}.security.network_isolation`,
    "Private",
    `${constraint}.security.network_isolation`,
    "private",
  ],
  [`${constraint}.compliance.hippaCompliant`, true, `${constraint}.compliance.hipaa_compliant`, true],
  [`${constraint}.compliance.certifications`, ["SOC 2"], `${constraint}.compliance.certifications`, ["SOC2"]],
  [
    `${constraint}.negotiation.fallback_strategy`,
    "spot",
    `${constraint}.negotiation.fallback_strategy`,
    ["spot"],
  ],
  ["intent.contraints", { preemptible: true }, "intent.constraints", { preemptible: true }],
  ["intent.sla.availability", "99.9%", "intent.sla.availability", 99.9],
  ["intent.priority", "High", "intent.priority", 700],
  ["intent.priority", "normal", "intent.priority", undefined],
  ["intent.objective", "CostMinimization", "intent.objective", "Cost_Minimization"],
  ["intent.objective", "performance", "intent.objective", "Performance_Maximization"],
  ["intent.objective", "LATENCY_MINIMIZATION", "intent.objective", "Latency_Minimization"],
  ["intent.objective", "energy_efficiency", "intent.objective", "Energy_Efficiency"],
  ["intent.objective", "BalancedOptimization", "intent.objective", "Balanced_Optimization"],
];

test.for(spellings)("%s %j is read as %s %j", ([path, value, canonicalPath, canonical, type]) => {
  const read = readIntent(withValue(path, value, type));
  const same = readIntent(withValue(canonicalPath, canonical, type));
  expect(withoutWarnings(read)).toEqual(withoutWarnings(same));
});

test("each alias used is named in the warnings, a canonical document has none", () => {
  const document = withValue(`${constraint}.max_hourly_rate`, "5 EUR");
  expect(readIntent(document).warnings).toEqual([
    {
      path: "intent.constraints.max_hourly_rate",
      code: "alias",
      message: "field max_hourly_rate is read as max_hourly_cost",
    },
  ]);
  expect(readIntent(withValue(`${constraint}.max_hourly_cost`, "5 EUR")).warnings).toEqual([]);
});

test("the bare body is accepted with a warning, and problems keep its own paths", () => {
  const body = { objective: "Cost_Minimization", workload };
  expect(withoutWarnings(readIntent(body))).toEqual(withoutWarnings(readIntent({ intent: body })));
  expect(readIntent(body).warnings).toMatchObject([{ code: "alias", path: "" }]);
  expect(problemsOf({ ...body, objective: "x" })).toMatchObject([{ path: "objective" }]);
});

test("two spellings with different values are refused, with equal values they are one", () => {
  const both = (memory: string): object => withValue(gpu, { memory, memory_min: "80Gi" });
  expect(problemsOf(both("70Gi"))).toMatchObject([
    { path: `${gpu}.memory_min`, code: "conflicting_fields", message: expect.stringContaining('"70Gi"') },
  ]);
  expect(readIntent(both("81920Mi")).workload.resources.gpu.memoryMibMin).toBe(81920);
});

test("the blocks job and batch together are refused when they differ", () => {
  const document = withValue("intent.workload", {
    ...workload,
    type: "job",
    job: { max_retries: 1 },
    batch: { max_retries: 2 },
  });
  expect(problemsOf(document)).toMatchObject([{ path: "intent.workload.batch", code: "conflicting_fields" }]);
});

/** One broken value, the path that the problem names, its code, and a part of what is accepted. */
const broken: readonly (readonly [string, unknown, string, string])[] = [
  ["intent.objective", undefined, "missing_field", "Cost_Minimization"],
  ["intent.objective", "Cheapest", "invalid_format", "Cost_Minimization, Performance_Maximization"],
  ["intent.workload", undefined, "missing_field", "an object"],
  ["intent.workload.name", undefined, "missing_field", "lower-case"],
  ["intent.workload.name", "Chat Service", "invalid_format", "lower-case"],
  ["intent.workload.name", "x".repeat(64), "invalid_format", "63"],
  ["intent.workload.image", "", "invalid_format", "not empty"],
  ["intent.workload.type", "cron", "invalid_format", "service, batch"],
  ["intent.workload.resources", undefined, "missing_field", "an object"],
  ["intent.workload.resources.cpu", "four", "invalid_format", "quantity"],
  ["intent.workload.resources.cpu", "-1", "out_of_range", "quantity"],
  ["intent.workload.resources.memory", "32GB", "invalid_format", "32Gi"],
  [`${gpu}.count`, -1, "out_of_range", "at least 1"],
  [`${gpu}.count`, 0, "out_of_range", "at least 1"],
  [`${gpu}.count`, 1.5, "invalid_format", "whole number"],
  [`${gpu}.count`, "2", "invalid_format", "whole number"],
  [`${gpu}.memory_min`, "70Gib", "invalid_format", "quantity"],
  [`${gpu}.tier`, "luxury", "invalid_format", "premium, standard"],
  [`${gpu}.architecture`, "hoper", "invalid_format", "hopper"],
  [`${gpu}.compute_capability`, "eight", "invalid_format", "8.0"],
  [`${gpu}.multi_gpu_efficiency`, 1.1, "out_of_range", "at most 1"],
  [`${gpu}.fraction`, 0.5, "conflicting_fields", "shared: true"],
  [`${gpu}.mig_profile`, "big", "invalid_format", "1g.10gb"],
  [`${gpu}.shared`, "yes", "invalid_format", "true or false"],
  ["intent.workload.env", ["novalue"], "invalid_format", "KEY=value"],
  ["intent.workload.ports", [{ port: 70000 }], "out_of_range", "65535"],
  ["intent.workload.scaling.min_replicas", 0, "out_of_range", "at least 1"],
  ["intent.workload.scaling", { min_replicas: 5, max_replicas: 2 }, "conflicting_fields", "min_replicas"],
  [`${constraint}.max_hourly_cost`, "five", "invalid_format", "5.50 EUR"],
  [`${constraint}.max_hourly_cost`, "5 XQZ", "invalid_format", "EUR"],
  [`${constraint}.max_hourly_cost`, -5, "out_of_range", "EUR"],
  [`${constraint}.max_hourly_cost`, "5 USD/month", "invalid_format", "EUR/hour"],
  [`${constraint}.max_hourly_cost`, "1.0000001", "invalid_format", "six decimal places"],
  [`${constraint}.location`, "Atlantis", "invalid_format", "europe"],
  [`${constraint}.max_latency_ms`, -1, "out_of_range", "at least 0"],
  [`${constraint}.deadline`, "tomorrow", "invalid_format", "RFC 3339"],
  [`${constraint}.deadline`, "2026-02-30T00:00:00Z", "invalid_format", "RFC 3339"],
  [`${constraint}.origin`, "mars-1", "invalid_format", "eu-central-1"],
  [`${constraint}.spread`, { by: "rack", min_domains: 2 }, "invalid_format", "region, zone, provider"],
  [`${constraint}.availability.window_start`, "24:00", "invalid_format", "23:59"],
  [`${constraint}.availability.timezone`, "Mars/Olympus", "invalid_format", "Europe/Berlin"],
  [`${constraint}.availability.days_of_week`, ["Someday"], "invalid_format", "Mon, Tue"],
  [`${constraint}.energy.max_carbon_footprint`, "much", "invalid_format", "50g CO2/h"],
  [`${constraint}.energy.power_usage_effectiveness`, 0.9, "out_of_range", "at least 1"],
  [`${constraint}.performance.min_network_bandwidth`, "10GB", "invalid_format", "10Gbps"],
  [`${constraint}.negotiation.fallback_strategy`, ["pray"], "invalid_format", "lower_tier"],
  ["intent.sla.availability", "101%", "out_of_range", "0 to 100"],
  ["intent.sla.max_interruption_time", "soon", "invalid_format", "1h30m"],
  ["intent.priority", 1001, "out_of_range", "at most 1000"],
  ["intent.priority", "urgent", "invalid_format", "0 to 1000"],
  ["intent.weights", { cost: 0 }, "invalid_format", "above 0"],
  ["intent.bid", {}, "missing_field", "EUR"],
];

test.for(broken)("%s of %j is refused by path, with what is accepted", ([path, value, code, accepts]) => {
  const found = problemsOf(withValue(path, value)).filter((entry) => entry.path.startsWith(path));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ code, message: expect.stringContaining(accepts) });
});

test("a problem names the field as the document spells it", () => {
  expect(problemsOf(withValue(`${gpu}.memory`, "lots"))).toMatchObject([{ path: `${gpu}.memory` }]);
  expect(problemsOf(withValue(`${constraint}.max_hourly_rate`, "x"))).toMatchObject([
    { path: `${constraint}.max_hourly_rate` },
  ]);
});

test("all problems are reported at once, ordered by path", () => {
  const document = withValue(gpu, { count: -1, memory_min: "x", foo: 1 });
  expect(problemsOf(document).map((entry) => entry.path)).toEqual([
    `${gpu}.count`,
    `${gpu}.foo`,
    `${gpu}.memory_min`,
  ]);
});

test("an unknown field is an error when strict and a warning when lenient", () => {
  const document = withValue(`${gpu}.color`, "red");
  expect(problemsOf(document)).toMatchObject([{ path: `${gpu}.color`, code: "unknown_field" }]);
  expect(readIntent(document, { strict: false }).warnings).toMatchObject([
    { path: `${gpu}.color`, code: "unknown_field", message: expect.stringContaining('"red"') },
  ]);
});

test("an unknown GPU model is kept, lower case, with a warning", () => {
  const intent = readIntent(withValue(`${gpu}.model`, "Acme-X1"));
  expect(intent.workload.resources.gpu.model).toBe("acme-x1");
  expect(intent.warnings).toMatchObject([{ path: `${gpu}.model`, code: "suspicious" }]);
});

test("the caller's tenant holds, and a document that names another is refused", () => {
  const stated = withValue("intent.tenant", "team-a");
  expect(readIntent(stated).tenant).toBe("team-a");
  expect(readIntent(withValue("intent.tenant", undefined), { tenant: "team-b" }).tenant).toBe("team-b");
  expect(problemsOf(stated, { tenant: "team-b" })).toMatchObject([{ path: "intent.tenant" }]);
});

test("anything that is not an intent is refused with an input error", () => {
  for (const document of [
    null,
    undefined,
    5,
    "x",
    true,
    [],
    {},
    { intent: null },
    { intent: [] },
    { intent: { workload: 5 } },
  ])
    expect(problemsOf(document).length).toBeGreaterThan(0);
});

test("nothing but an input error is thrown, whatever the JSON", () => {
  fc.assert(
    fc.property(
      intentDocuments,
      fc.jsonValue({ maxDepth: 3 }),
      fc.infiniteStream(fc.nat()),
      (document, junk, picks) => {
        const broken = structuredClone(document) as Record<string, unknown>;
        let target: Record<string, unknown> = broken;
        for (;;) {
          const keys = Object.keys(target);
          const key = keys[picks.next().value % Math.max(1, keys.length)];
          if (key === undefined) break;
          const inner = target[key];
          if (typeof inner !== "object" || inner === null || picks.next().value % 4 === 0) {
            target[key] = junk;
            break;
          }
          target = inner as Record<string, unknown>;
        }
        problemsOf(broken);
        problemsOf(broken, { strict: false });
        problemsOf(junk);
      },
    ),
    { numRuns },
  );
});

const badValues: readonly (readonly [string, unknown])[] = broken
  .filter(([path]) => path !== "intent.workload" && !path.endsWith("spread"))
  .map(([path, value]) => [path, value]);

test("one broken field in an otherwise valid document is named by its path", () => {
  fc.assert(
    fc.property(intentDocuments, fc.constantFrom(...badValues), (document, [path, value]) => {
      const copy = structuredClone(document) as Record<string, unknown>;
      let target = copy;
      const keys = path.split(".");
      for (const key of keys.slice(0, -1)) {
        if (typeof target[key] !== "object" || target[key] === null) target[key] = {};
        target = target[key] as Record<string, unknown>;
      }
      const type = (copy as { intent: { workload: { type: string } } }).intent.workload.type;
      if (path.startsWith("intent.workload.scaling") && type !== "service") return;
      if (path.endsWith(".fraction") && (target["shared"] as boolean | undefined) === true) return;
      target[keys.at(-1)!] = value;
      if (value === undefined) delete target[keys.at(-1)!];
      expect(problemsOf(copy).some((entry) => entry.path.startsWith(path))).toBe(true);
    }),
    { numRuns },
  );
});
