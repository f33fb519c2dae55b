import fc from "fast-check";
import { expect, test } from "vitest";
import { fieldAliases, fieldPath } from "../../adapters/json/canonical.ts";
import { intentChoices } from "../../adapters/json/choices.ts";
import { forgePlan } from "../../adapters/json/decision.ts";
import { readIntent } from "../../adapters/json/intent.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { plan, prepare } from "../../engine/index.ts";
import { intentDocuments } from "../adapters/json/intent-samples.ts";
import { load } from "../golden/scenarios.ts";

const numRuns = Math.min(2000, Number(process.env["FLARE_FUZZ"] ?? 40));

type Picks = Iterator<number>;

const pick = <T>(picks: Picks, options: readonly T[]): T => {
  const option = options[(picks.next().value as number) % options.length];
  if (option === undefined) throw new Error("nothing to pick from");
  return option;
};

/** Spellings of a name that differ in case, `_` and `-`. */
const casings = (name: string): string[] => [
  name,
  name.replaceAll("_", "-"),
  name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
  name.toUpperCase(),
];

/** Documented names of a field, its own among them. */
function namesOf(path: string, key: string): string[] {
  const aliases = Object.entries(fieldAliases[path] ?? {}).filter(
    ([, { to, convert }]) => to === key && convert === undefined,
  );
  return [...casings(key), ...aliases.map(([name]) => name)];
}

/** Documented spellings of a value. */
function valuesOf(path: string, value: unknown): unknown[] {
  if (typeof value !== "string") return [value];
  const choice = intentChoices[fieldPath(path)];
  if (choice === undefined) return [value];
  const aliases = Object.entries(choice.aliases ?? {}).filter(([, to]) => to === value);
  return [
    value,
    value.toLowerCase(),
    value.toUpperCase(),
    value.replaceAll("_", "-"),
    ...aliases.map(([name]) => name),
  ];
}

/** The same document in other documented spellings, its members in another order. */
function respell(value: unknown, path: string, picks: Picks): unknown {
  if (Array.isArray(value)) return value.map((item, index) => respell(item, `${path}[${index}]`, picks));
  if (typeof value !== "object" || value === null) return pick(picks, valuesOf(path, value));
  const entries = Object.entries(value).map(([key, member]) => {
    const inner = path === "" ? key : `${path}.${key}`;
    const name = path === "" ? key : pick(picks, namesOf(fieldPath(path), key));
    return [name, respell(member, inner, picks)] as const;
  });
  return Object.fromEntries(pick(picks, [0, 1]) === 0 ? entries : entries.reverse());
}

const catalog = prepare(readSnapshot(load("clusters/europe")));
const { snapshot } = catalog;

/** The plan as printed, without the notes on how the intent was spelled. */
async function bytesOf(document: unknown): Promise<string> {
  const intent = { ...readIntent(document), warnings: [] };
  return JSON.stringify(forgePlan(await plan(catalog, [intent]), snapshot));
}

test("every documented spelling of an intent gives the bytes of the same plan", async () => {
  await fc.assert(
    fc.asyncProperty(intentDocuments, fc.infiniteStream(fc.nat()), async (document, picks) => {
      expect(await bytesOf(respell(document, "", picks))).toBe(await bytesOf(document));
    }),
    { numRuns },
  );
});

test("the notes say which spellings were read as which, and nothing else", () => {
  fc.assert(
    fc.property(intentDocuments, fc.infiniteStream(fc.nat()), (document, picks) => {
      const other = (warnings: readonly { code: string }[]) =>
        warnings.filter(({ code }) => code !== "alias").length;
      const respelled = readIntent(respell(document, "", picks)).warnings;
      expect(other(respelled)).toBe(other(readIntent(document).warnings));
    }),
    { numRuns },
  );
});

test("the two latencies are one limit", async () => {
  const document = load("intents/quickstart");
  const { max_latency_ms: limit, ...constraints } = document.intent.constraints;
  const other = {
    intent: { ...document.intent, constraints: { ...constraints, max_network_latency: `${limit}ms` } },
  };
  expect(await bytesOf(other)).toBe(await bytesOf(document));
});
