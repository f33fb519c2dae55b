import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { generateSnapshot } from "../adapters/catalog/generate.ts";
import { isPriceTable } from "../adapters/catalog/price-table.ts";
import { readPrices } from "../adapters/catalog/prices.ts";
import { isFluidosDocument, readFluidos } from "../adapters/fluidos/read.ts";
import { readIntent } from "../adapters/json/intent.ts";
import { canonicalTime, timeAccepts } from "../adapters/json/leaf.ts";
import { type OfferBatch, readSnapshot } from "../adapters/json/snapshot.ts";
import { readLabeledNodes, splitCluster } from "../adapters/labels/annotate.ts";
import { openCatalog } from "../adapters/saved-catalog/open.ts";
import { isSavedTable } from "../engine/kernel/binary.ts";
import { EngineError } from "../engine/model/errors.ts";
import type { Flavor } from "../engine/model/flavor.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { Rates } from "../engine/model/money.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { InputError } from "./exit.ts";
import { parseText } from "./parse.ts";

/** A parsed file with the name to blame. */
export interface Source {
  readonly name: string;
  readonly document: unknown;
}

/** Runs a reader; its problems become lines that name the file. */
function blame<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new InputError(
      error.problems.map(({ path, message }) => `${name}: ${path === "" ? "" : `${path}: `}${message}`),
    );
  }
}

/** What to say when a file cannot be opened or read. */
export function unreadable(name: string, error: unknown): InputError {
  const { code } = error as NodeJS.ErrnoException;
  return new InputError([
    `${name}: ${code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`}`,
  ]);
}

/**
 * Reads a JSON or YAML file, or one that `flare compile` wrote; `-` is standard input. Several YAML documents become one
 * list.
 */
export function readSource(name: string): Source {
  let bytes: Buffer;
  try {
    bytes = readFileSync(name === "-" ? 0 : name);
  } catch (error) {
    throw unreadable(name, error);
  }
  if (isSavedTable(bytes)) return { name, document: new CompiledDocument(bytes) };
  if (name === "-" && bytes.length === 0)
    throw new InputError([
      "-: standard input is empty, or was read already; accepted: - once, with a document",
    ]);
  return { name, document: parseText(name, bytes) };
}

/**
 * The value of `--at`, as UTC.
 *
 * @throws {InputError} when it is not RFC 3339
 */
export function readTime(text: string): string {
  try {
    return canonicalTime(text);
  } catch {
    throw new InputError([`--at: found ${JSON.stringify(text)}; accepted: ${timeAccepts}`]);
  }
}

export interface SnapshotChoices {
  readonly strict: boolean;
  /** RFC 3339 time that replaces the documents' own. */
  readonly at?: string;
}

/** A made-up federation, by the numbers that make it. */
export interface GeneratedDocument {
  readonly format: "generated";
  readonly count: number;
  readonly seed: number;
}

/** Exchange rates from the command line: units of the federation's currency per foreign unit. */
export interface RatesDocument {
  readonly format: "rates";
  readonly rates: Rates;
}

/** FLUIDOS flavors with what the command line says about their figures. */
export interface ScopedFlavors {
  readonly format: "flavors";
  readonly memoryScope: "gpu" | "node";
  readonly document: unknown;
}

/** A compiled catalogue; in a saved run its bytes are text. */
export class CompiledDocument {
  readonly format = "compiled";
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  toJSON(): { readonly format: "compiled"; readonly base64: string } {
    return { format: "compiled", base64: Buffer.from(this.bytes).toString("base64") };
  }
}

/** The snapshot of a compiled catalogue, given as bytes or out of a saved run. */
function readCompiled(document: CompiledDocument | { readonly base64?: unknown }, at?: string): Snapshot {
  const bytes =
    document instanceof CompiledDocument ? document.bytes : Buffer.from(String(document.base64), "base64");
  const snapshot = openCatalog(bytes);
  return at === undefined ? snapshot : { ...snapshot, at };
}

const hasFormat = (document: unknown, format: string): boolean =>
  typeof document === "object" && document !== null && "format" in document && document.format === format;

/**
 * One part of a federation: our snapshot format, cluster nodes, FLUIDOS flavors or candidates, a price list, a compiled
 * catalogue, or a generated one.
 */
function readPart({ name, document }: Source, { strict, at }: SnapshotChoices): Snapshot | OfferBatch {
  if (hasFormat(document, "compiled"))
    return blame(name, () => readCompiled(document as CompiledDocument, at));
  if (isPriceTable(document)) return blame(name, () => readPrices(document));
  if (hasFormat(document, "generated")) {
    const { count, seed } = document as GeneratedDocument;
    return blame(name, () => readSnapshot(generateSnapshot(count, seed), at === undefined ? {} : { at }));
  }
  const cluster = splitCluster(document);
  if (cluster !== null) return blame(name, () => readLabeledNodes(cluster));
  if (hasFormat(document, "flavors")) {
    const { memoryScope, document: flavors } = document as ScopedFlavors;
    return blame(name, () => readFluidos(flavors, { memoryScope }));
  }
  if (isFluidosDocument(document)) return blame(name, () => readFluidos(document));
  return blame(name, () => readSnapshot(document, { strict, ...(at === undefined ? {} : { at }) }));
}

const isSnapshot = (part: Snapshot | OfferBatch): part is Snapshot => "version" in part;

/** The one currency that all offers are priced in, else EUR. */
function sharedCurrency(parts: readonly OfferBatch[]): string {
  const currencies = new Set(
    parts.flatMap(({ offers }) => offers.map(({ price }) => (price.onDemand ?? price.spot)?.currency)),
  );
  const [only] = currencies;
  return currencies.size === 1 && only !== undefined ? only : "EUR";
}

/** An empty federation for files that only list offers. */
function bareSnapshot(at: string, currency: string): Snapshot {
  const none: readonly never[] = [];
  return {
    version: "offers",
    at,
    currency,
    rates: {},
    offers: none,
    tenants: none,
    holdings: none,
    reservations: none,
    outages: none,
    maintenance: none,
    skipped: none,
    warnings: none,
  };
}

/** All offers, sorted by id; those of a single snapshot are and stay the same list, which may have columns. */
function offersOf(parts: readonly (Snapshot | OfferBatch)[]): readonly Flavor[] {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && isSnapshot(only)) return only.offers;
  return parts.flatMap(({ offers }) => offers).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * One snapshot from all sources: the first that has a time, currency and hub gives them; offers and everything else add
 * up. An offer id may appear once only.
 *
 * @throws {InputError} naming the file and the id that two sources share
 */
export function readSnapshots(sources: readonly Source[], choices: SnapshotChoices): Snapshot {
  const stated = sources.filter(({ document }) => hasFormat(document, "rates"));
  const rates = stated.map(({ document }) => (document as RatesDocument).rates);
  const parts = sources
    .filter((source) => !stated.includes(source))
    .map((source) => ({ source, part: readPart(source, choices) }));
  const owner = new Map<string, string>();
  for (const { source, part } of parts)
    for (const { id } of part.offers) {
      const other = owner.get(id);
      if (other !== undefined)
        throw new InputError([
          `${source.name}: offer ${id} is also in ${other}; accepted: ids that are unique over all fixtures`,
        ]);
      owner.set(id, source.name);
    }
  const snapshots = parts.map(({ part }) => part).filter(isSnapshot);
  // Rates lead to EUR, unless a snapshot says otherwise.
  const currency = rates.length > 0 ? "EUR" : sharedCurrency(parts.map(({ part }) => part));
  const base = snapshots[0] ?? bareSnapshot(choices.at ?? new Date().toISOString(), currency);
  const all = <K extends "tenants" | "holdings" | "reservations" | "outages" | "maintenance">(key: K) =>
    snapshots.flatMap((part) => part[key] as readonly unknown[]) as unknown as Snapshot[K];
  return {
    ...base,
    ...(choices.at === undefined ? {} : { at: choices.at }),
    rates: Object.assign(
      {},
      ...[...snapshots].reverse().map((part) => part.rates),
      ...rates,
    ) as Snapshot["rates"],
    offers: offersOf(parts.map(({ part }) => part)),
    tenants: all("tenants"),
    holdings: all("holdings"),
    reservations: all("reservations"),
    outages: all("outages"),
    maintenance: all("maintenance"),
    spotHistory: snapshots.flatMap((part) => part.spotHistory ?? []),
    skipped: parts.flatMap(({ source, part }) =>
      part.skipped.map((one) => ({ ...one, path: `${source.name}: ${one.path}` })),
    ),
    warnings: parts.flatMap(({ part }) => part.warnings),
  };
}

/** Files that a folder of intents may hold. */
const INTENT_FILE = /\.(json|ya?ml)$/i;

/**
 * The files of a command line with every folder replaced by its JSON and YAML files, by name.
 *
 * @throws {InputError} when a folder holds none
 */
export function expandFolders(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    if (name === "-" || statSync(name, { throwIfNoEntry: false })?.isDirectory() !== true) return [name];
    const files = readdirSync(name)
      .filter((file) => INTENT_FILE.test(file))
      .sort()
      .map((file) => join(name, file));
    if (files.length === 0)
      throw new InputError([`${name}: no intents in this folder; accepted: .json, .yaml or .yml files`]);
    return files;
  });
}

/** What several YAML documents in one file, or `kubectl get -o json`, make. */
const isList = (document: unknown): document is { readonly items: readonly unknown[] } =>
  typeof document === "object" &&
  document !== null &&
  "kind" in document &&
  document.kind === "List" &&
  "items" in document &&
  Array.isArray(document.items);

/** Intents of the given sources; names must be unique over all of them. */
export function readIntents(sources: readonly Source[], strict: boolean): Intent[] {
  const owner = new Map<string, string>();
  return sources.map(({ name, document }) => {
    if (isList(document))
      throw new InputError([
        `${name}: a list of ${document.items.length} documents; accepted: one intent in a file, several files or a folder`,
      ]);
    const intent = blame(name, () => readIntent(document, { strict }));
    const other = owner.get(intent.name);
    if (other !== undefined)
      throw new InputError([
        `${name}: intent.workload.name ${intent.name} is also in ${other}; accepted: unique names`,
      ]);
    owner.set(intent.name, name);
    return intent;
  });
}
