import type { Block, KernelMemory } from "./memory.ts";
import type { Failing } from "./numeric-store.ts";
import type { PredicateCode } from "./predicate-code.ts";
import type { Scale } from "./quantize.ts";
import type { Constraint, Predicate, Query } from "./query.ts";
import { PANEL_BYTES, panelCount, writeTerms } from "./terms.ts";
import { listBytes, PREDICATE_BYTES, type PredicatePlace, writePredicate } from "./write-predicate.ts";

const TILE_BYTES = 128;
const RECORD_BYTES = 32;
/** Bytes a thread needs besides slots and outputs; see assembly/select.ts. */
const OWN_BYTES = 8960;
/** From this many bytes on a panel does not stay in the caches, and reading it ahead for a batch pays. */
const LARGE_PANEL = 8 << 20;
const READ_AHEAD_QUERIES = 4;
/** Room behind a predicate's list for names that a dictionary gets later. */
const SPARE_BYTES = 64;

/** What a job is made from. */
export interface JobSource {
  readonly memory: KernelMemory;
  readonly capacity: number;
  readonly panels: readonly Block[];
  /** Bitmap of the rows in the table. */
  readonly live: Block;
  scale(column: number): Scale;
  /** Bitmap of the rows a query is about. */
  universe(skip: number | undefined): Block;
  code(predicate: Predicate): PredicateCode;
  /** How many rows of the table fail for certain; null where only looking tells. */
  failing(predicate: Predicate): Failing | null;
  /** Change with the layout and the values of the column that a predicate is about. */
  layoutOf(predicate: Predicate): number;
  versionOf(predicate: Predicate): number;
}

/** Rows that fail a constraint, known without looking at them. */
interface Counted {
  failed: number;
  unknown: number;
  version: number;
  /** Which word of `Job.cuts` holds the rows that a thread found where a bound cuts through a code, from 1; 0 none. */
  readonly cut: number;
}

/** One query of a job: where a thread finds and leaves what belongs to it, from the start of the thread's memory. */
export interface Part {
  readonly constraints: number;
  readonly k: number;
  margin: number;
  readonly output: number;
  readonly references: number;
  readonly counts: number;
  readonly heap: number;
  readonly kept: number;
  /** Per constraint: null where the kernel counts. */
  readonly counted: readonly (Counted | null)[];
}

/** A batch of queries written into kernel memory. */
export interface Job {
  readonly block: Block;
  readonly parts: readonly Part[];
  /** Offset of the outputs and size of a thread's memory. */
  readonly outputs: number;
  readonly threadBytes: number;
  /** Offset and number of words that threads count cut codes in. */
  readonly cuts: number;
  readonly cutWords: number;
  /** What to look at when columns have changed. */
  readonly entries: readonly Entry[];
  readonly terms: readonly { readonly query: Query; readonly at: number; readonly marginAt: number }[];
}

/** A constraint's bitmap: stored, or computed per tile into a slot. */
interface Reference {
  readonly bitmap: Block | null;
  readonly slot: number;
  readonly invert: 0 | -1;
  /** Its unknown rows: a stored bitmap or a slot. */
  readonly missing: Block | null;
  readonly missingSlot: number;
}

/** One constraint of a job; those of several queries are one where they are the same object. */
interface Entry {
  readonly predicates: readonly Predicate[];
  codes: readonly PredicateCode[];
  layouts: readonly number[];
  readonly slot: number;
  readonly missingSlot: number;
  readonly counted: Counted | null;
  /** Addresses of its predicates while it is computed. */
  places: readonly PredicatePlace[];
  /** Addresses of the references to it. */
  readonly references: number[];
}

/** The stored bitmap that a constraint is, or null where it has to be computed. */
function storedOf(codes: readonly PredicateCode[]): Reference | null {
  const [only] = codes;
  const rest = { slot: 0, missingSlot: 0 };
  if (only === undefined) return { bitmap: null, invert: 0, missing: null, ...rest };
  if (codes.length > 1 || only.kind !== "union") return null;
  if (only.none !== 0 || !only.coversUnknown || only.items.length !== 1) return null;
  const { bitmap, invert } = only.items[0]!;
  return { bitmap, invert, missing: only.unknownFails ? only.unknown : null, ...rest };
}

/** Unknown rows of several predicates together have to be computed too. */
const hasMissing = (codes: readonly PredicateCode[]): boolean =>
  codes.length > 1 && codes.some(({ unknown, unknownFails }) => unknown !== null && unknownFails);

function referenceOf({ codes, slot, missingSlot }: Entry): Reference {
  if (slot === 0) return storedOf(codes)!;
  const [only] = codes;
  const missing = codes.length === 1 && only!.unknownFails ? only!.unknown : null;
  return { bitmap: null, slot, invert: 0, missing, missingSlot };
}

/** A single predicate whose items decide unknown rows needs no look at their bitmap. */
function writtenCode(codes: readonly PredicateCode[], index: number): PredicateCode {
  const code = codes[index]!;
  return codes.length === 1 && code.kind === "union" && code.coversUnknown
    ? { ...code, unknown: null }
    : code;
}

function referenceWords(entry: Entry, isCounted: boolean): number[] {
  const { bitmap, slot, invert, missing, missingSlot } = referenceOf(entry);
  return [
    bitmap?.at ?? slot,
    bitmap === null ? 0 : TILE_BYTES,
    invert,
    isCounted ? 0 : (missing?.at ?? missingSlot),
    missing === null ? 0 : TILE_BYTES,
    isCounted ? 1 : 0,
  ];
}

/** Rows that fail a constraint for certain; null where only looking tells, as where it has several predicates. */
const failingOf = (source: JobSource, predicates: readonly Predicate[]): Failing | null =>
  predicates.length === 1 ? source.failing(predicates[0]!) : null;

/** Hands out memory from its start. */
class Cursor {
  next: number;

  constructor(start = 0) {
    this.next = start;
  }

  take(bytes: number, align = 16): number {
    this.next = Math.ceil(this.next / align) * align;
    const at = this.next;
    this.next += bytes;
    return at;
  }
}

/** Collects the constraints of queries. */
function entriesOf(source: JobSource, queries: readonly Query[]): Map<Constraint, Entry> {
  const entries = new Map<Constraint, Entry>();
  let slots = 0;
  let cuts = 0;
  for (const { constraints } of queries)
    for (const constraint of constraints) {
      if (entries.has(constraint)) continue;
      const { predicates } = constraint;
      const codes = predicates.map((predicate) => source.code(predicate));
      const isStored = storedOf(codes) !== null;
      const failing = failingOf(source, predicates);
      const version = failing === null ? 0 : source.versionOf(predicates[0]!);
      entries.set(constraint, {
        predicates,
        codes,
        layouts: predicates.map((predicate) => source.layoutOf(predicate)),
        slot: isStored ? 0 : ++slots,
        missingSlot: hasMissing(codes) ? ++slots : 0,
        counted: failing === null ? null : { ...failing, version, cut: isStored ? 0 : ++cuts },
        places: [],
        references: [],
      });
    }
  return entries;
}

/** Bytes of a job without the alignment of its pieces. */
function jobBytes(queries: readonly Query[], entries: Iterable<Entry>): number {
  let bytes = 128;
  for (const { slot, codes } of entries) {
    if (slot === 0) continue;
    bytes += RECORD_BYTES;
    for (const code of codes) bytes += PREDICATE_BYTES + listBytes(code) + SPARE_BYTES + 16;
  }
  for (const query of queries)
    bytes += RECORD_BYTES * (1 + query.constraints.length) + PANEL_BYTES * panelCount(query);
  return bytes;
}

/** Writes queries as one job. `wantsAll`: every feasible row, neither scored nor counted. */
export function writeJob(source: JobSource, queries: readonly Query[], wantsAll: boolean): Job {
  const { memory, capacity } = source;
  const byConstraint = entriesOf(source, queries);
  const entries = [...byConstraint.values()];
  const computed = entries.filter(({ slot }) => slot > 0);
  const block = memory.allocate(jobBytes(queries, entries));
  const cursor = new Cursor(block.at);
  const head = cursor.take(64);
  const blocks = cursor.take(RECORD_BYTES * queries.length);
  const records = cursor.take(RECORD_BYTES * computed.length);
  const words = (at: number, values: readonly number[]): void => {
    memory.i32.set(values, at >> 2);
  };
  const slots = entries.reduce((sum, { slot, missingSlot }) => Math.max(sum, slot, missingSlot), 0);
  const cutWords = entries.reduce((most, { counted }) => Math.max(most, counted?.cut ?? 0), 0);
  const thread = new Cursor(OWN_BYTES + slots * TILE_BYTES);
  const cuts = thread.take(cutWords * 4);
  const cutAt = (counted: Counted | null): number =>
    counted === null || counted.cut === 0 ? 0 : cuts + (counted.cut - 1) * 4;
  computed.forEach((entry, index) => {
    const first = cursor.take(PREDICATE_BYTES * entry.codes.length);
    entry.places = entry.codes.map((code, place) => {
      const room = listBytes(code) + SPARE_BYTES;
      return { at: first + place * PREDICATE_BYTES, list: cursor.take(room), listBytes: room };
    });
    writeCodes(memory, entry);
    const cut = cutAt(entry.counted);
    words(records + index * RECORD_BYTES, [entry.codes.length, first, entry.slot, entry.missingSlot]);
    words(records + index * RECORD_BYTES + 16, [cut, source.live.at]);
  });
  const outputs = thread.take(RECORD_BYTES * queries.length, 64);
  const terms: { query: Query; at: number; marginAt: number }[] = [];
  const parts = queries.map((query, index): Part => {
    const list = query.constraints.map((constraint) => byConstraint.get(constraint)!);
    const isWhole = query.skip === undefined;
    const at = cursor.take(RECORD_BYTES * list.length);
    for (const [place, entry] of list.entries()) {
      const reference = at + place * RECORD_BYTES;
      entry.references.push(reference);
      words(reference, referenceWords(entry, isWhole && entry.counted !== null));
    }
    const count = panelCount(query);
    const panels = cursor.take(PANEL_BYTES * count);
    const margin = writeTerms(source, query, panels);
    const own = blocks + index * RECORD_BYTES;
    terms.push({ query, at: panels, marginAt: own + 24 });
    const k = Math.max(1, Math.min(query.k, capacity));
    const universe = source.universe(query.skip).at;
    words(own, [list.length, at, universe, count, panels, k, margin, wantsAll ? 0 : 1]);
    return {
      constraints: list.length,
      k,
      margin,
      output: outputs + index * RECORD_BYTES,
      references: thread.take(RECORD_BYTES * list.length),
      counts: thread.take(12 * list.length),
      heap: wantsAll ? 0 : thread.take(4 * k),
      kept: thread.take(capacity * (wantsAll ? 4 : 8) + 64),
      counted: list.map(({ counted }) => (isWhole ? counted : null)),
    };
  });
  const first = source.panels[0];
  const ahead =
    !wantsAll && queries.length >= READ_AHEAD_QUERIES && first !== undefined && first.bytes >= LARGE_PANEL
      ? first.at
      : 0;
  words(head, [queries.length, blocks, computed.length, records, ahead]);
  return { block, parts, outputs, threadBytes: thread.next + 64, cuts, cutWords, entries, terms };
}

function writeCodes(memory: KernelMemory, { codes, places }: Entry): void {
  places.forEach((place, index) => {
    writePredicate(memory, place, writtenCode(codes, index));
  });
}

/**
 * Brings a job up to date with changed layouts by writing anew what is concerned, where it stands. False when a
 * constraint has become something of another shape: the job must then be written again.
 */
export function patchJob(source: JobSource, job: Job): boolean {
  const { memory } = source;
  for (const entry of job.entries) {
    const { predicates, layouts } = entry;
    if (predicates.every((predicate, index) => source.layoutOf(predicate) === layouts[index])) continue;
    entry.codes = predicates.map((predicate, index) =>
      source.layoutOf(predicate) === layouts[index] ? entry.codes[index]! : source.code(predicate),
    );
    entry.layouts = predicates.map((predicate) => source.layoutOf(predicate));
    const { codes, places, slot, missingSlot, counted } = entry;
    if ((storedOf(codes) === null) !== slot > 0 || hasMissing(codes) !== missingSlot > 0) return false;
    if ((failingOf(source, predicates) === null) !== (counted === null)) return false;
    if (places.some(({ listBytes: room }, index) => listBytes(codes[index]!) > room)) return false;
    writeCodes(memory, entry);
    for (const at of entry.references) {
      const isCounted = memory.i32[(at + 20) >> 2] === 1;
      memory.i32.set(referenceWords(entry, isCounted), at >> 2);
    }
  }
  job.terms.forEach(({ query, at, marginAt }, index) => {
    const margin = writeTerms(source, query, at);
    job.parts[index]!.margin = margin;
    memory.i32[marginAt >> 2] = margin;
  });
  return true;
}

/** Counts anew what is known without looking at rows, where values have changed. */
export function recount(source: JobSource, job: Job): void {
  for (const { predicates, counted } of job.entries) {
    if (counted === null) continue;
    const version = source.versionOf(predicates[0]!);
    if (counted.version === version) continue;
    Object.assign(counted, source.failing(predicates[0]!)!, { version });
  }
}
