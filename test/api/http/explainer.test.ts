import { expect, test } from "vitest";
import { createExplainer } from "../../../api/http/explainer.ts";
import type { DecisionRow, PlanRow } from "../../../api/store/schema.ts";
import { trustTenant } from "../../../api/store/tenant.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import { plan } from "../../../engine/plan.ts";
import { flavor, intent, snapshot } from "../../engine/builders.ts";

const entry: PlanRow = {
  id: "plan-1",
  at_ms: 0,
  parent: null,
  catalog_hash: "h",
  inputs: "{}",
  answers: "[]",
  engine: "0",
};

test("an engine that would decide otherwise by now explains nothing of what was done", async () => {
  const made = await plan(prepare(snapshot([flavor("a")])), [intent({ name: "int-1" })]);
  const stored = (placements: object[]): DecisionRow => ({
    seq: placements.length,
    intent_id: "int-1",
    tenant_id: trustTenant("one"),
    plan_id: "plan-1",
    at_ms: 0,
    outcome: "placed",
    reason: "PLACED",
    document: JSON.stringify({ name: "web", outcome: "placed", placements }),
  });
  const explainer = createExplainer(
    { plan: async () => entry, catalog: async () => "{}" },
    { explain: async () => made },
  );
  let charged = 0;
  const explained = (row: DecisionRow) => explainer.explained(row, () => void charged++);
  const elsewhere = stored([{ offer: "b" }]);
  expect(await explained(elsewhere)).toEqual(JSON.parse(elsewhere.document));
  expect(await explained(elsewhere)).toEqual(JSON.parse(elsewhere.document));
  expect(charged).toBe(1);
});
