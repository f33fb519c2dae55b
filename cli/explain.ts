import { stringify } from "yaml";
import { forgePlan } from "../adapters/json/decision.ts";
import { forgeObjects } from "../adapters/kubernetes/forge-objects.ts";
import { type ReleaseStep, releaseSteps } from "../adapters/kubernetes/release.ts";
import { exitCodes } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { readSource } from "./input.ts";
import { decide, type PlaceFlags, toText } from "./place.ts";
import { renderDecision, renderObjects } from "./render/decision.ts";

/** The command that deletes an object and waits until it is gone. */
function deleteLine({ apiVersion, kind, namespace, name }: ReleaseStep): string {
  const group = apiVersion.includes("/") ? `.${apiVersion.split("/").reverse().join(".")}` : "";
  const where = namespace === undefined ? "" : ` -n ${namespace}`;
  return `kubectl delete ${kind}${group}${where} ${name} --ignore-not-found --wait\n`;
}

/**
 * `flare explain`: the decision with trade-offs and the objects it would write; with `--yaml` the objects alone, with
 * `--release` the commands that delete them again.
 */
export async function explain(
  file: string,
  flags: PlaceFlags & { readonly yaml?: boolean; readonly release?: boolean },
): Promise<number> {
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const run = await decide(await readFixtures(flags), [readSource(file)], choices, {
    tradeoffs: true,
    planB: flags.planB ?? false,
  });
  const decision = run.plan.decisions[0]!;
  const objects = forgeObjects(decision, run.intents[0]!, run.snapshot);
  const code = decision.outcome === "placed" ? exitCodes.ok : exitCodes.notPlaced;
  if (flags.release === true) process.stdout.write(releaseSteps(objects).map(deleteLine).join(""));
  else if (flags.yaml === true)
    process.stdout.write(objects.map((object) => `---\n${stringify(object)}`).join(""));
  else if (flags.json === true)
    process.stdout.write(toText({ ...(forgePlan(run.plan, run.snapshot) as object), objects }));
  else {
    process.stdout.write(`${renderDecision(decision, run.plan.currency)}\n`);
    if (objects.length > 0)
      process.stdout.write(`  Objects it would write (--yaml prints them)\n${renderObjects(objects)}\n`);
  }
  return code;
}
