import { resolvePlace } from "../engine/catalog/regions.ts";
import { liesIn } from "../engine/compile/constraints/place.ts";
import type { Decision } from "../engine/model/decision.ts";
import { parseMicro } from "../engine/model/money.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { exitCodes, InputError } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { readSource } from "./input.ts";
import { decide, type PlaceFlags, toText } from "./place.ts";

export interface AssertFlags extends PlaceFlags {
  readonly outcome?: string;
  readonly offer?: string;
  readonly provider?: string;
  readonly providerArea?: string;
  readonly gpuModel?: string;
  readonly maxCost?: string;
  readonly spot?: boolean;
}

interface Claim {
  readonly name: string;
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
}

/** What the flags claim about a decision, each judged. */
function claims(decision: Decision, snapshot: Snapshot, flags: AssertFlags): Claim[] {
  const flavors = decision.placements.map(({ offer }) => snapshot.offers.find(({ id }) => id === offer)!);
  const placed = flavors.length > 0;
  const list: Claim[] = [];
  const claim = (name: string, expected: string, found: string, holds: boolean): void => {
    list.push({ name, expected, found: placed || name === "outcome" ? found : "not placed", holds });
  };
  const outcome = flags.outcome ?? "placed";
  claim("outcome", outcome, decision.outcome, decision.outcome === outcome);
  const everywhere = <T>(values: readonly T[], test: (value: T) => boolean): boolean =>
    placed && values.every(test);
  if (flags.offer !== undefined)
    claim(
      "offer",
      flags.offer,
      flavors.map(({ id }) => id).join(", "),
      everywhere(flavors, ({ id }) => id === flags.offer),
    );
  if (flags.provider !== undefined) {
    const wanted = flags.provider.toLowerCase();
    const names = flavors.map(({ provider }) => provider);
    claim(
      "provider",
      wanted,
      names.join(", "),
      everywhere(names, (name) => name === wanted),
    );
  }
  if (flags.providerArea !== undefined) {
    const place = resolvePlace(flags.providerArea);
    if (place === null)
      throw new InputError([`--provider-area ${flags.providerArea}: accepted: an area, country or region`]);
    const found = flavors
      .map(({ region, country }) => [region, country].filter(Boolean).join(" "))
      .join(", ");
    claim(
      "provider-area",
      flags.providerArea,
      found,
      everywhere(flavors, (flavor) => liesIn(flavor, place)),
    );
  }
  if (flags.gpuModel !== undefined) {
    const wanted = flags.gpuModel;
    const found = flavors.map(({ gpu }) => gpu.model).join(", ");
    claim(
      "gpu-model",
      wanted,
      found,
      everywhere(flavors, ({ gpu }) => gpu.model === wanted || gpu.families.includes(wanted)),
    );
  }
  if (flags.maxCost !== undefined) {
    let cap: number;
    try {
      cap = parseMicro(flags.maxCost);
    } catch {
      throw new InputError([
        `--max-cost ${flags.maxCost}: accepted: a decimal amount per hour such as 5 or 4.50`,
      ]);
    }
    const billed = decision.placements.reduce((sum, { costMicro }) => sum + costMicro, 0);
    claim("max-cost", flags.maxCost, (billed / 1e6).toString(), placed && billed <= cap);
  }
  if (flags.spot !== undefined)
    claim(
      "spot",
      String(flags.spot),
      decision.placements.map(({ spot }) => spot).join(", "),
      everywhere(decision.placements, ({ spot }) => spot === flags.spot),
    );
  return list;
}

/** `flare assert`: plans one intent and checks what is claimed about it; exit 4 when a claim fails. */
export async function assertIntent(file: string, flags: AssertFlags): Promise<number> {
  const outcomes = ["placed", "waiting", "refused"];
  if (flags.outcome !== undefined && !outcomes.includes(flags.outcome))
    throw new InputError([`--outcome ${flags.outcome}: accepted: ${outcomes.join(", ")}`]);
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const run = await decide(await readFixtures(flags), [readSource(file)], choices, { explain: false });
  const list = claims(run.plan.decisions[0]!, run.snapshot, flags);
  if (flags.json === true) process.stdout.write(toText({ claims: list }));
  else
    for (const { name, expected, found, holds } of list)
      process.stdout.write(`${holds ? "ok  " : "FAIL"} ${name}: expected ${expected}, found ${found}\n`);
  return list.every(({ holds }) => holds) ? exitCodes.ok : exitCodes.assertionFailed;
}
