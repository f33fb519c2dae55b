import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { forgeDecision } from "../../adapters/json/decision.ts";
import { fill } from "./reference.ts";
import { altered, answerOf, decideFixture, hourlyOf, load, savings, scenarios } from "./scenarios.ts";

const write = process.env["FLARE_GOLDEN"] === "write";
const pathOf = (file: string): string => fileURLToPath(new URL(`../../${file}`, import.meta.url));

function expectGolden(file: string, text: string): void {
  const path = pathOf(file);
  if (write) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  expect(existsSync(path) ? readFileSync(path, "utf8") : "").toBe(text);
}

/** What a reviewer reads of a decision: everything that says what was chosen and why, no figures of the last digit. */
function told(decision: Awaited<ReturnType<typeof decideFixture>>): object {
  const { placements, outcome, reason, message, feasible, considered, rejections, unknown, ...rest } =
    forgeDecision(decision, "EUR");
  return {
    outcome,
    reason,
    message,
    placements,
    feasible,
    considered,
    rejections,
    unknown,
    sole_blockers: rest["sole_blockers"],
    runners_up: decision.runnersUp.map(({ offer, lostOn }) => ({ offer, lost_on: lostOn })),
    counterfactuals: rest["counterfactuals"],
    relaxations: rest["relaxations"],
    warnings: rest["warnings"],
  };
}

test.for(scenarios)("$id, $name: the answer keeps every constraint", async ({ intent, cluster, answer }) => {
  const decision = await decideFixture(load(`intents/${intent}`), load(`clusters/${cluster}`));
  expect(answerOf(decision)).toEqual(answer);
  const name = intent.replaceAll("/", "-");
  expectGolden(`fixtures/golden/${name}.json`, `${JSON.stringify(told(decision), null, 2)}\n`);
});

const broken = scenarios.flatMap(({ breaks = {}, ...scenario }) =>
  Object.entries(breaks).map(([offer, constraints]) => ({ ...scenario, offer, constraints })),
);

test.for(broken)(
  "$id, $name: $offer is no answer, whatever the original's documents say (C-33)",
  async ({ intent, cluster, offer, constraints }) => {
    const federation = load(`clusters/${cluster}`);
    const only = federation.offers.filter(({ id }: { id: string }) => id === offer);
    expect(only).toHaveLength(1);
    const decision = await decideFixture(load(`intents/${intent}`), { ...federation, offers: only });
    expect(Object.keys(decision.rejections)).toEqual([...constraints].sort());
  },
);

test("F-286: with a pattern of all tasks at once and no such hardware, the changes that would help are told", async () => {
  const decision = await decideFixture(
    load("intents/use-cases/uc-2-training"),
    load("clusters/use-cases/uc-2-training"),
  );
  expect(decision).toMatchObject({ outcome: "refused", reason: "GPU_MODEL_UNAVAILABLE" });
  expect(decision.counterfactuals.map(({ best }) => best.offer)).toEqual([
    "boreal-4090-16x",
    "adria-h100-16x",
  ]);
});

test("F-291: the documented figures of the batch come out: 1.40 per hour, 8 hours, 11.20 in all", async () => {
  const intent = load("intents/use-cases/uc-7-batch");
  const cluster = load("clusters/use-cases/uc-7-batch");
  const within = (changes: Record<string, unknown>) => decideFixture(altered(intent, changes), cluster);
  expect(hourlyOf(await within({}))).toBe(1_400_000);
  const exact = { "constraints.max_total_cost": "11.20 EUR", "constraints.deadline": "2026-02-02T16:00:00Z" };
  expect((await within(exact)).outcome).toBe("placed");
  expect((await within({ ...exact, "constraints.max_total_cost": "11.19 EUR" })).outcome).toBe("refused");
  expect((await within({ ...exact, "constraints.deadline": "2026-02-02T15:59:59Z" })).outcome).toBe(
    "refused",
  );
});

/** Hourly price of the work as stated and under its baseline. */
async function measure({ intent, cluster, baseline }: (typeof savings)[number]) {
  const document = load(`intents/${intent}`);
  const federation = load(`clusters/${cluster}`);
  const decision = await decideFixture(document, federation);
  const reference = await decideFixture(altered(document, baseline), federation);
  expect([decision.outcome, reference.outcome]).toEqual(["placed", "placed"]);
  return { decision, from: hourlyOf(reference), to: hourlyOf(decision) };
}

test.for(savings)("$id, $name: the saving that is promised is reached on the fixture", async (saving) => {
  const { from, to } = await measure(saving);
  expect(1 - to / from).toBeGreaterThanOrEqual(saving.promised);
});

test("the page of use cases says what the engine answers", async () => {
  const rows = [];
  for (const { id, name, intent, cluster } of scenarios) {
    const decision = await decideFixture(load(`intents/${intent}`), load(`clusters/${cluster}`));
    const answer = answerOf(decision).map((text) => text.replace(/ x(\d+) (.*)$/, " ($1 x, $2 EUR/h)"));
    rows.push(`| ${id} | ${name} | \`${intent}\` | ${answer.join(", ") || `refused: ${decision.reason}`} |`);
  }
  const money = (micro: number): string => (micro / 1e6).toFixed(2);
  const saved = [];
  for (const saving of savings) {
    const { from, to, decision } = await measure(saving);
    const percent = Math.round((1 - to / from) * 100);
    const offers = decision.placements.map(({ offer }) => offer).join(", ");
    saved.push(
      `| ${saving.id} | ${saving.name} | ${saving.baselineText}: ${money(from)} | ${offers}: ${money(to)} | ${percent} % |`,
    );
  }
  const file = "docs/reference/use-cases.md";
  const text = readFileSync(pathOf(file), "utf8");
  const tables = [
    ["answers", ["| row | scenario | intent | answer |", "|---|---|---|---|", ...rows]],
    [
      "savings",
      ["| row | what | baseline, EUR/h | answer, EUR/h | saved |", "|---|---|---|---|---|", ...saved],
    ],
  ] as const;
  expectGolden(
    file,
    tables.reduce((document, [name, lines]) => fill(document, name, lines.join("\n")), text),
  );
});

// --------------------------------------------------------------------------------------------------- the QuickStart ladder

test.for([
  {
    memory: "40Gi",
    offers: ["provider-1-worker", "provider-1-worker2", "provider-2-worker", "provider-2-worker2"],
  },
  { memory: "50Gi", offers: ["provider-1-worker", "provider-1-worker2"] },
  { memory: "70Gi", offers: ["provider-1-worker", "provider-1-worker2"] },
  { memory: "90Gi", offers: [] },
])("F-301: $memory per GPU is found at $offers, since memory counts per GPU", async ({ memory, offers }) => {
  const cluster = load("clusters/quickstart");
  const fits: string[] = [];
  for (const offer of cluster.offers) {
    const { rejections } = await decideFixture(
      altered(load("intents/quickstart"), { "workload.resources.gpu.memory_min": memory }),
      { ...cluster, offers: [offer] },
    );
    if (rejections["gpu.memory_min"] === undefined) fits.push(offer.id);
  }
  expect(fits).toEqual(offers);
});
