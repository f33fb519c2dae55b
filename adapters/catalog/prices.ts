import { findGpuModel } from "../../engine/catalog/gpus.ts";
import { findRegion, resolvePlace } from "../../engine/catalog/regions.ts";
import { EngineError } from "../../engine/model/errors.ts";
import type { Flavor } from "../../engine/model/flavor.ts";
import type { Warning } from "../../engine/model/intent.ts";
import type { Money } from "../../engine/model/money.ts";
import type { SkippedOffer } from "../../engine/model/snapshot.ts";
import { completeOffer, createDraft } from "../json/draft.ts";
import { byText } from "../json/field.ts";
import { createNotes, show } from "../json/notes.ts";
import type { OfferBatch } from "../json/snapshot.ts";
import type { PriceTable } from "./price-table.ts";

/** Columns by what they hold; names are compared without case, blanks and separators. */
const columnNames = {
  provider: ["provider", "cloud"],
  instance: ["instancetype", "instance"],
  gpu: ["acceleratorname", "gpu", "gpuname"],
  count: ["acceleratorcount", "gpucount"],
  cpu: ["vcpus", "cpus", "cpu"],
  memory: ["memorygib", "memory"],
  price: ["price", "ondemandprice"],
  spot: ["spotprice"],
  region: ["region"],
  zone: ["availabilityzone", "zone"],
} as const;

type Column = keyof typeof columnNames;

const required: readonly Column[] = ["instance", "gpu", "count", "price", "region"];

/** Price lists of this kind are in US dollars. */
const CURRENCY = "USD";

/** Accelerators that are no GPUs: their price must not win over one. */
const otherAccelerators = /^(tpu|inferentia|trainium|neuron)/i;

function findColumns(columns: readonly string[]): Readonly<Record<Column, number>> {
  const folded = columns.map((name) => name.toLowerCase().replace(/[^a-z]/g, ""));
  const at = Object.fromEntries(
    Object.entries(columnNames).map(([column, names]) => [
      column,
      folded.findIndex((name) => (names as readonly string[]).includes(name)),
    ]),
  ) as Record<Column, number>;
  const missing = required.filter((column) => at[column] < 0).map((column) => columnNames[column][0]);
  if (missing.length > 0)
    throw new EngineError(
      "missing_field",
      `no column ${missing.join(", ")}; accepted: a price list with the columns InstanceType, AcceleratorName, ` +
        "AcceleratorCount, Price and Region, and optionally SpotPrice, vCPUs, MemoryGiB, AvailabilityZone, Provider",
    );
  return at;
}

/** A row that cannot be an offer, and why. */
class BrokenRow extends Error {}

function numberIn(text: string, column: string, least: number): number {
  const value = /^\d+(\.\d*)?$|^\.\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least))
    throw new BrokenRow(`${column}: found ${show(text)}; accepted: a number of at least ${least}`);
  return value;
}

/** Prices are read to the nearest millionth: lists carry more digits than anyone is billed. */
function moneyIn(text: string, column: string): Money | undefined {
  if (text === "") return undefined;
  const micro = Math.round(numberIn(text, column, 0) * 1_000_000);
  if (!Number.isSafeInteger(micro)) throw new BrokenRow(`${column}: ${show(text)} is too large`);
  return { micro, currency: CURRENCY };
}

/**
 * Country that a region's own name says, ISO code: `CA`, `paris-france-1`, `Europe-PL`, `us-east-9`. Undefined where the
 * region catalog knows the region, or the name says nothing.
 */
function countryOf(region: string): string | undefined {
  if (findRegion(region) !== null) return undefined;
  const words = region.split(/[^a-z]+/).filter((word) => word !== "");
  const [first = "", last = ""] = [words[0], words.at(-1)];
  const named = words.filter((word) => word.length > 3 || word === "usa" || word === "us");
  const codes = words.length === 1 || (words.length === 2 && first === "europe") ? [last] : [];
  for (const word of [...named, ...codes]) {
    const place = resolvePlace(word === "us" ? "usa" : word);
    if (place?.kind === "country") return place.text.toUpperCase();
    // Some countries are areas of their own: `canada`.
    if (place?.kind === "area") {
      const country = countryAreas.get(place.text);
      if (country !== undefined) return country;
    }
  }
  return undefined;
}

/** Areas that are one country. */
const countryAreas: ReadonlyMap<string, string> = new Map([
  ["canada", "CA"],
  ["india", "IN"],
  ["japan", "JP"],
  ["singapore", "SG"],
  ["australia", "AU"],
  ["brazil", "BR"],
  ["us", "US"],
]);

/** Rows that are fine but offer no whole GPU, by reason. */
interface LeftOut {
  readonly counts: Map<string, number>;
}

const countUp = ({ counts }: LeftOut, reason: string): null => {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return null;
};

/** The offer of one row, or null when it is left out. */
function readRow(
  cells: readonly string[],
  width: number,
  at: Readonly<Record<Column, number>>,
  provider: string,
  leftOut: LeftOut,
): Flavor | null {
  if (cells.length !== width)
    throw new BrokenRow(`found ${cells.length} cells; accepted: ${width}, as the header has`);
  const cell = (column: Column): string => cells[at[column]] ?? "";
  const name = cell("gpu");
  if (name === "") return countUp(leftOut, "without a GPU");
  if (otherAccelerators.test(name)) return countUp(leftOut, "with accelerators that are no GPUs");
  const gpus = numberIn(cell("count"), "AcceleratorCount", 0);
  if (gpus === 0) return countUp(leftOut, "without a GPU");
  if (!Number.isInteger(gpus)) return countUp(leftOut, "with a fraction of a GPU");
  const rate = moneyIn(cell("price"), "Price");
  const spotRate = moneyIn(cell("spot"), "SpotPrice");
  if (rate === undefined && spotRate === undefined) return countUp(leftOut, "without a price");
  if (cell("region") === "") throw new BrokenRow("Region: missing; accepted: a region");
  const model = findGpuModel(name);
  const seller = (cell("provider") || provider).toLowerCase();
  const zone = cell("zone").toLowerCase();
  const region = cell("region").toLowerCase();
  const draft = createDraft([seller, cell("instance"), region, zone].filter((part) => part !== "").join("/"));
  draft.provider = seller;
  draft.region = region;
  const country = countryOf(region);
  if (country !== undefined) draft.country = country;
  if (zone !== "" && zone !== region) draft.zone = zone;
  // Unknown models keep their name under a vendor of their own, so that no filter takes them for a known one.
  draft.gpu.model = model?.name ?? `custom-${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  draft.count = gpus;
  if (rate !== undefined) draft.rate = rate;
  if (spotRate !== undefined) draft.spotRate = spotRate;
  if (cell("cpu") !== "") draft.capacity.cpuMilli = Math.floor(numberIn(cell("cpu"), "vCPUs", 0) * 1000);
  if (cell("memory") !== "")
    draft.capacity.memoryMib = Math.floor(numberIn(cell("memory"), "MemoryGiB", 0) * 1024);
  draft.origin = { source: "catalog" };
  const notes = createNotes();
  const flavor = completeOffer(draft, "", notes);
  if (flavor === null) throw new BrokenRow(notes.problems[0]?.message ?? "unreadable");
  return flavor;
}

/** Ids that several rows share get the number of their occurrence: `a`, `a#2`, `a#3`. */
function distinct(offers: readonly Flavor[]): Flavor[] {
  const seen = new Map<string, number>();
  return offers.map((offer) => {
    const times = (seen.get(offer.id) ?? 0) + 1;
    seen.set(offer.id, times);
    return times === 1 ? offer : { ...offer, id: `${offer.id}#${times}` };
  });
}

const unknownModels = (offers: readonly Flavor[]): string[] =>
  [...new Set(offers.map(({ gpu }) => gpu.model).filter((model) => model.startsWith("custom-")))].sort();

/**
 * Offers from a price list in the layout of the SkyPilot catalogs: one row per instance type and place, prices per hour
 * for the whole instance. All listed capacity counts as free, since price lists do not know. A broken row is skipped and
 * named by its number, the header being row 1; rows without a whole GPU or without any price are left out and counted.
 *
 * @throws {EngineError} `missing_field` when a needed column is not there
 * @see https://github.com/skypilot-org/skypilot-catalog
 */
export function readPrices({ provider, columns, rows }: PriceTable): OfferBatch {
  const at = findColumns(columns);
  const offers: Flavor[] = [];
  const skipped: SkippedOffer[] = [];
  const leftOut: LeftOut = { counts: new Map() };
  rows.forEach((cells, index) => {
    try {
      const flavor = readRow(cells, columns.length, at, provider, leftOut);
      if (flavor !== null) offers.push(flavor);
    } catch (error) {
      if (!(error instanceof BrokenRow)) throw error;
      const row = `row ${index + 2}`;
      skipped.push({ id: row, path: row, message: error.message });
    }
  });
  const unknown = unknownModels(offers);
  const warnings: Warning[] = [...leftOut.counts]
    .sort(([a], [b]) => byText(a, b))
    .map(([reason, count]) => ({
      path: "rows",
      code: "skipped",
      message: `${count} rows ${reason} left out`,
    }));
  if (unknown.length > 0)
    warnings.push({
      path: columnNames.gpu[0],
      code: "assumption",
      message: `the catalog does not know ${unknown.map((name) => name.slice(7)).join(", ")}: offered as custom models`,
    });
  return { offers: distinct(offers).sort((a, b) => byText(a.id, b.id)), skipped, warnings };
}
