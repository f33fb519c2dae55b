import { readFileSync } from "node:fs";
import { readIntent } from "../adapters/json/intent.ts";
import { type OfferBatch, readSnapshot } from "../adapters/json/snapshot.ts";
import { readLabeledNodes, splitCluster } from "../adapters/labels/annotate.ts";
import { EngineError } from "../engine/model/errors.ts";
import type { Intent } from "../engine/model/intent.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { formatTime, parseTime } from "../engine/model/time.ts";
import { InputError } from "./exit.ts";

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

/** Where in a text a JSON parser stopped, as `line L, column C`, when its message says so. */
function whereIn(text: string, message: string): string {
  const offset = /position (\d+)/.exec(message)?.[1];
  if (offset === undefined) return "at its end";
  const before = text.slice(0, Number(offset)).split("\n");
  return `line ${before.length}, column ${before[before.length - 1]!.length + 1}`;
}

/** Reads a JSON file, or standard input for `-`. */
export function readSource(name: string): Source {
  let text: string;
  try {
    text = readFileSync(name === "-" ? 0 : name, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError([
      `${name}: ${code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`}`,
    ]);
  }
  try {
    return { name, document: JSON.parse(text) as unknown };
  } catch (error) {
    throw new InputError([
      `${name}: malformed JSON at ${whereIn(text, (error as Error).message)}; accepted: one JSON document`,
    ]);
  }
}

/**
 * The value of `--at`, as UTC.
 *
 * @throws {InputError} when it is not RFC 3339
 */
export function readTime(text: string): string {
  return blame("--at", () => formatTime(parseTime(text)));
}

export interface SnapshotChoices {
  readonly strict: boolean;
  /** RFC 3339 time that replaces the documents' own. */
  readonly at?: string;
}

/** A file of a federation: our snapshot format, or the output of `kubectl get nodes -o json`. */
function readPart({ name, document }: Source, { strict, at }: SnapshotChoices): Snapshot | OfferBatch {
  const cluster = splitCluster(document);
  if (cluster !== null) return blame(name, () => readLabeledNodes(cluster));
  return blame(name, () => readSnapshot(document, { strict, ...(at === undefined ? {} : { at }) }));
}

const isSnapshot = (part: Snapshot | OfferBatch): part is Snapshot => "version" in part;

/** An empty federation for files that only list nodes. */
function bareSnapshot(at: string): Snapshot {
  const none: readonly never[] = [];
  return {
    version: "nodes",
    at,
    currency: "EUR",
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

/**
 * One snapshot from all sources: the first that has a time, currency and hub gives them; offers and everything else add
 * up. An offer id may appear once only.
 *
 * @throws {InputError} naming the file and the id that two sources share
 */
export function readSnapshots(sources: readonly Source[], choices: SnapshotChoices): Snapshot {
  const parts = sources.map((source) => ({ source, part: readPart(source, choices) }));
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
  const base = snapshots[0] ?? bareSnapshot(choices.at ?? new Date().toISOString());
  const all = <K extends "tenants" | "holdings" | "reservations" | "outages" | "maintenance">(key: K) =>
    snapshots.flatMap((part) => part[key] as readonly unknown[]) as unknown as Snapshot[K];
  return {
    ...base,
    ...(choices.at === undefined ? {} : { at: choices.at }),
    rates: Object.assign({}, ...[...snapshots].reverse().map(({ rates }) => rates)) as Snapshot["rates"],
    offers: parts.flatMap(({ part }) => part.offers).sort((a, b) => (a.id < b.id ? -1 : 1)),
    tenants: all("tenants"),
    holdings: all("holdings"),
    reservations: all("reservations"),
    outages: all("outages"),
    maintenance: all("maintenance"),
    skipped: parts.flatMap(({ source, part }) =>
      part.skipped.map((one) => ({ ...one, path: `${source.name}: ${one.path}` })),
    ),
    warnings: parts.flatMap(({ part }) => part.warnings),
  };
}

/** Intents of the given sources; names must be unique over all of them. */
export function readIntents(sources: readonly Source[], strict: boolean): Intent[] {
  const owner = new Map<string, string>();
  return sources.map(({ name, document }) => {
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
