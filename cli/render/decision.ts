import colors from "picocolors";
import type { KubernetesObject } from "../../adapters/kubernetes/object.ts";
import type {
  Counterfactual,
  Criteria,
  CriterionName,
  Decision,
  PlanB,
  RunnerUp,
  Waiting,
} from "../../engine/model/decision.ts";
import type { Plan } from "../../engine/model/plan.ts";
import { policyLines, renderPolicies } from "./policies.ts";
import { price, table } from "./table.ts";

const criterionNames: readonly CriterionName[] = ["cost", "slowness", "latency", "energy"];

const percent = (value: number): string => `${value >= 0 ? "+" : ""}${(value * 100).toFixed(0)} %`;

/** A criterion's raw value in the unit people know. Cost is per hour for services and to completion for batch. */
function criterionValue(name: CriterionName, value: number, currency: string, unknown: boolean): string {
  if (unknown) return "not stated";
  switch (name) {
    case "cost":
      return `${(value / 1e6).toFixed(2)} ${currency}`;
    case "slowness":
      return `${(1 / value).toFixed(2)} x reference speed`;
    case "latency":
      return `${value.toFixed(1)} ms`;
    case "energy":
      return `${value.toFixed(0)} gCO2 per unit of work`;
  }
}

function criteriaLines(criteria: Criteria, currency: string): string {
  return table(
    ["criterion", "value", "against the best", "weight"],
    criterionNames.map((name) => {
      const { value, ratio, weight, unknown } = criteria[name];
      return [
        name === "slowness" ? "speed" : name,
        criterionValue(name, value, currency, unknown),
        ratio === 1 ? "best" : percent(ratio - 1),
        weight === 0 ? "-" : `${(weight * 100).toFixed(0)} %`,
      ];
    }),
  );
}

function runnerUpLines(runnersUp: readonly RunnerUp[], currency: string): string {
  return table(
    ["offer", "region", "price", "lost on", "by"],
    runnersUp.map((one) => {
      const name = one.lostOn;
      const known = name === "order" || name === "total" ? null : one.criteria[name];
      return [
        one.offer,
        one.region ?? "-",
        `${price(one.costMicro, currency)}${one.spot ? " spot" : ""}`,
        name === "slowness" ? "speed" : name === "order" ? "equal; the id decided" : name,
        known === null ? "" : criterionValue(name as CriterionName, known.value, currency, known.unknown),
      ];
    }),
  );
}

/** "preemptible: no -> yes", in the words of the JSON form. */
function changeText({ changes }: Pick<Counterfactual, "changes">): string {
  const show = (value: unknown): string => (value === null ? "(not stated)" : String(value));
  return changes.map(({ path, from, to }) => `${path}: ${show(from)} -> ${show(to)}`).join(" and ");
}

function counterfactualLines(list: readonly Counterfactual[], currency: string): string {
  return list
    .map(
      (one) =>
        `    ${changeText(one)}\n      ${colors.dim("gives")} ${one.best.offer} at ${price(one.best.costMicro, currency)}${one.best.spot ? " spot" : ""}${colors.dim(`, ${one.offers} option${one.offers === 1 ? "" : "s"} feasible`)}`,
    )
    .join("\n");
}

function rejectionLines(decision: Decision): string {
  const names = Object.keys(decision.rejections).sort(
    (a, b) => decision.rejections[b]! - decision.rejections[a]! || (a < b ? -1 : 1),
  );
  return table(
    ["constraint", "rejects", "alone", "of these not stated"],
    names.map((name) => [
      name,
      String(decision.rejections[name]),
      String(decision.soleBlockers[name] ?? 0),
      String(decision.unknown[name] ?? 0),
    ]),
  );
}

const marks: Readonly<Record<Decision["outcome"], string>> = {
  placed: colors.green("placed"),
  waiting: colors.yellow("waiting"),
  refused: colors.red("refused"),
};

/** Where an intent would go if a provider of it died. */
function planBLines(plans: readonly PlanB[], currency: string): string {
  return table(
    ["if this dies", "it goes to", "costs more"],
    plans.map(({ provider, outcome, reason, to, expectedStart, moreMicro }) => [
      provider,
      outcome === "placed"
        ? to.map(({ offer }) => offer).join(", ")
        : outcome === "waiting"
          ? `waits, ${expectedStart === null ? "no start known" : `starts ${expectedStart}`}`
          : `nowhere: ${reason}`,
      moreMicro === null ? "-" : price(moreMicro, currency),
    ]),
  );
}

function placedSections(decision: Decision, currency: string): (readonly [string, string])[] {
  const { placements, criteria, runnersUp, tradeoffs, relaxations, planB } = decision;
  const total = placements.reduce((sum, { costMicro }) => sum + costMicro, 0);
  const rows = placements.map((one) => [
    one.offer,
    one.provider,
    [one.region, one.zone].filter((text) => text !== null).join(" / ") || "-",
    String(one.replicas),
    String(one.gpus),
    `${price(one.costMicro, currency)}${one.spot ? " spot" : ""}`,
  ]);
  const sections: (readonly [string, string])[] = [
    [
      placements.length === 1 ? "Chosen offer" : `Chosen offers, ${price(total, currency)} together`,
      table(["offer", "provider", "region / zone", "replicas", "GPUs", "price"], rows),
    ],
  ];
  if (relaxations.length > 0)
    sections.push(["Given up by its own negotiation rules", `    ${changeText({ changes: relaxations })}`]);
  if (criteria !== null)
    sections.push([`Why (objective ${decision.objective})`, criteriaLines(criteria, currency)]);
  if (planB !== undefined) sections.push(["Plan B", planBLines(planB, currency)]);
  if (runnersUp.length > 0) sections.push(["Runners-up", runnerUpLines(runnersUp, currency)]);
  if (tradeoffs.length > 0)
    sections.push([
      "Trade-offs",
      table(
        ["point", "offer", "price", "cost", "speed", "latency", "energy"],
        tradeoffs.map(({ name, offer, costMicro, spot, deltas }) => [
          name,
          offer,
          `${price(costMicro, currency)}${spot ? " spot" : ""}`,
          percent(deltas.cost),
          percent(1 / (1 + deltas.slowness) - 1),
          percent(deltas.latency),
          percent(deltas.energy),
        ]),
      ),
    ]);
  return sections;
}

/** Where a waiting intent stands. Other tenants are counted, not named. */
function waitLines({ position, ahead, held, moved }: Waiting, currency: string): string {
  const others = ahead.others === 0 ? [] : [`${ahead.others} of other tenants`];
  const before = [...ahead.own, ...others].join(", ");
  const lines = [`    position ${position}${before === "" ? "" : `, behind ${before}`}`];
  if (held === null) lines.push("    no start is known: nobody said when what it waits for ends");
  else {
    const places = held.placements
      .map((one) => `${one.offer} (${one.gpus} GPUs, ${price(one.costMicro, currency)})`)
      .join(", ");
    const basis =
      held.basis === "promise"
        ? "promised: every end it relies on is enforced or reserved"
        : "estimated: it relies on ends that nobody enforces";
    lines.push(`    ${held.start} to ${held.end ?? "further notice"} on ${places}`, `    ${basis}`);
  }
  if (moved !== undefined) lines.push(`    was told ${moved.from}; ${moved.because}`);
  return lines.join("\n");
}

/** The whole decision for people. */
export function renderDecision(decision: Decision, currency: string): string {
  const placed = decision.outcome === "placed";
  const sections = placed ? placedSections(decision, currency) : [];
  const policies = policyLines(decision, currency);
  if (policies.length > 0) sections.push(["Policies", policies.map((line) => `    ${line}`).join("\n")]);
  if (decision.wait !== undefined) sections.push(["Its turn", waitLines(decision.wait, currency)]);
  if (Object.keys(decision.rejections).length > 0)
    sections.push([
      `Rejections (${decision.feasible} of ${decision.considered} options feasible)`,
      rejectionLines(decision),
    ]);
  if (decision.counterfactuals.length > 0)
    sections.push([
      placed
        ? "What would get a better offer (each verified by a re-run)"
        : decision.outcome === "waiting"
          ? "What would start it now (each verified by a re-run)"
          : "What would get it placed (each verified by a re-run)",
      counterfactualLines(decision.counterfactuals, currency),
    ]);
  const notes = decision.warnings.map(({ path, message }) => `    ${path}: ${message}`);
  if (notes.length > 0) sections.push(["Notes", notes.join("\n")]);
  const start = decision.expectedStart === undefined ? "" : `, start expected ${decision.expectedStart}`;
  const head = `${colors.bold(decision.intent)}: ${marks[decision.outcome]} (${decision.reason}) ${decision.message}${start}`;
  return [head, ...sections.map(([title, text]) => `  ${colors.bold(title)}\n${text}`)].join("\n");
}

/** One line per object: what would be written, in the order of applying. */
export function renderObjects(objects: readonly KubernetesObject[]): string {
  return table(
    ["kind", "apiVersion", "namespace / name"],
    objects.map(({ kind, apiVersion, metadata }) => [
      kind,
      apiVersion,
      metadata.namespace === undefined ? metadata.name : `${metadata.namespace} / ${metadata.name}`,
    ]),
  );
}

/** Every decision of a plan for people. */
export function renderPlan(plan: Plan): string {
  const decisions = plan.decisions.map((decision) => renderDecision(decision, plan.currency));
  return [...decisions, ...renderPolicies(plan)].join("\n\n");
}
