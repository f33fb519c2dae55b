import { expect } from "vitest";
import { forgeObjects } from "../../../adapters/kubernetes/forge-objects.ts";
import { prepare } from "../../../engine/compile/catalog.ts";
import type { Decision } from "../../../engine/model/decision.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Intent, Port, Workload } from "../../../engine/model/intent.ts";
import { plan } from "../../../engine/plan.ts";
import { flavor, type IntentChanges, intent, snapshot } from "../../engine/builders.ts";

/** Objects as YAML would hold them, members of any shape. */
export type Loose = ReturnType<typeof JSON.parse>;

/** What is decided for one intent over these offers, and the objects written for it. */
export const decide = async (
  offers: readonly Flavor[],
  wanted: Intent,
): Promise<{ decision: Decision; objects: Loose[] }> => {
  const view = snapshot(offers);
  const { decisions } = await plan(prepare(view), [wanted]);
  const decision = decisions[0]!;
  return { decision, objects: forgeObjects(decision, wanted, view) };
};
export const forge = async (
  changes: IntentChanges,
  offers: readonly Flavor[] = [flavor("a")],
): Promise<Loose[]> => (await decide(offers, intent(changes))).objects;
export const ofKind = (objects: readonly Loose[], kind: string): Loose[] =>
  objects.filter((object) => object.kind === kind);
export const only = (objects: readonly Loose[], kind: string): Loose => {
  const found = ofKind(objects, kind);
  expect(found, kind).toHaveLength(1);
  return found[0];
};
export const container = (objects: readonly Loose[], kind = "Deployment"): Loose =>
  only(objects, kind).spec.template.spec.containers[0];

export const node = (id: string, changes: object = {}): Flavor =>
  flavor(id, { origin: { source: "node" }, ...changes });
export const port = (number: number, more: Partial<Port> = {}): Port => ({
  port: number,
  protocol: "TCP",
  expose: false,
  ...more,
});
export function scalingOf(
  minReplicas: number,
  maxReplicas: number = minReplicas,
): NonNullable<Workload["scaling"]> {
  return {
    minReplicas,
    maxReplicas,
    autoScale: maxReplicas > minReplicas,
    targetCpuPercent: 70,
    targetGpuPercent: 80,
  };
}
