import type { Block, KernelMemory } from "./memory.ts";
import type { PredicateCode } from "./predicate-code.ts";
import { integerTerms, type Scale } from "./quantize.ts";
import type { Constraint, Predicate, Query } from "./query.ts";
import { LANES } from "./score-panels.ts";

const TILE_BYTES = 128;
const PREDICATE_BYTES = 64;
const RECORD_BYTES = 32;
/** Bytes a thread needs besides slots and outputs; see assembly/select.ts. */
const OWN_BYTES = 4800;
/** From this many bytes on a panel does not stay in the caches, and reading it ahead for a batch pays. */
const LARGE_PANEL = 8 << 20;
const READ_AHEAD_QUERIES = 4;

/** What a job is made from. */
export interface JobSource {
  readonly memory: KernelMemory;
  readonly rows: number;
  readonly capacity: number;
  readonly panels: readonly Block[];
  scale(column: number): Scale;
  /** Bitmap of the rows a query is about. */
  universe(skip: number | undefined): Block;
  code(predicate: Predicate): PredicateCode;
}

/** One query of a job: where a thread finds and leaves what belongs to it, from the start of the thread's memory. */
export interface Part {
  readonly constraints: number;
  readonly k: number;
  readonly margin: number;
  readonly output: number;
  readonly references: number;
  readonly counts: number;
  readonly heap: number;
  readonly kept: number;
}

/** A batch of queries written into kernel memory, to be run as often as nothing it relies on has changed. */
export interface Job {
  readonly block: Block;
  readonly parts: readonly Part[];
  /** Offset of the outputs and size of a thread's memory. */
  readonly outputs: number;
  readonly threadBytes: number;
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

interface Computed {
  readonly predicates: readonly PredicateCode[];
  readonly slot: number;
  readonly missingSlot: number;
}

const stored = (bitmap: Block | null, invert: 0 | -1, missing: Block | null): Reference => ({
  bitmap,
  slot: 0,
  invert,
  missing,
  missingSlot: 0,
});

/** Collects what has to be computed per tile; a constraint that several queries share is computed once. */
class Encoder {
  readonly computed: Computed[] = [];
  slots = 0;
  readonly #known: Map<Constraint, Reference> = new Map();
  readonly #code: (predicate: Predicate) => PredicateCode;

  constructor(code: (predicate: Predicate) => PredicateCode) {
    this.#code = code;
  }

  reference(constraint: Constraint): Reference {
    const known = this.#known.get(constraint);
    if (known !== undefined) return known;
    const made = this.#encode(constraint.predicates.map(this.#code));
    this.#known.set(constraint, made);
    return made;
  }

  #encode(codes: readonly PredicateCode[]): Reference {
    const [only] = codes;
    if (only === undefined) return stored(null, 0, null);
    if (codes.length > 1) {
      const hasMissing = codes.some(({ unknown, unknownFails }) => unknown !== null && unknownFails);
      return this.#compute(codes, null, hasMissing);
    }
    const missing = only.unknownFails ? only.unknown : null;
    if (only.kind === "union" && only.none === 0 && only.coversUnknown && only.items.length === 1)
      return stored(only.items[0]!.bitmap, only.items[0]!.invert, missing);
    const decided = only.kind === "union" && only.coversUnknown;
    return this.#compute([decided ? { ...only, unknown: null } : only], missing, false);
  }

  #compute(predicates: readonly PredicateCode[], missing: Block | null, hasMissing: boolean): Reference {
    const slot = ++this.slots;
    const missingSlot = hasMissing ? ++this.slots : 0;
    this.computed.push({ predicates, slot, missingSlot });
    return { bitmap: null, slot, invert: 0, missing, missingSlot };
  }
}

/** Hands out a job's memory from its start. */
class Cursor {
  next = 0;

  take(bytes: number, align = 16): number {
    this.next = Math.ceil(this.next / align) * align;
    const at = this.next;
    this.next += bytes;
    return at;
  }
}

/** Bytes of everything a predicate points to. */
function extraBytes(code: PredicateCode): number {
  if (code.kind === "union") return code.items.length * 8 + 16;
  return code.kind === "bytes" || code.kind === "words" ? code.table.length + 32 : 0;
}

/** Writes queries as one job. `wantsAll`: every feasible row, neither scored nor counted. */
export function writeJob(source: JobSource, queries: readonly Query[], wantsAll: boolean): Job {
  const { memory, capacity } = source;
  const encoder = new Encoder((predicate) => source.code(predicate));
  const references = queries.map(({ constraints }) =>
    constraints.map((constraint) => encoder.reference(constraint)),
  );
  const predicates = encoder.computed.flatMap((computed) => computed.predicates);
  const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
  const block = memory.allocate(
    64 +
      RECORD_BYTES *
        (queries.length + encoder.computed.length + sumOf(references.map((list) => list.length))) +
      queries.length * source.panels.length * RECORD_BYTES +
      PREDICATE_BYTES * predicates.length +
      sumOf(predicates.map(extraBytes)) +
      64,
  );
  const cursor = new Cursor();
  const head = cursor.take(64);
  const blocks = cursor.take(RECORD_BYTES * queries.length);
  const constraints = cursor.take(RECORD_BYTES * encoder.computed.length);
  const words = (at: number, values: readonly number[]): void => {
    memory.i32.set(values, (block.at + at) >> 2);
  };
  encoder.computed.forEach((computed, index) => {
    const list = cursor.take(PREDICATE_BYTES * computed.predicates.length);
    computed.predicates.forEach((code, place) => {
      writePredicate(memory, block.at, list + place * PREDICATE_BYTES, code, cursor);
    });
    const row = [computed.predicates.length, block.at + list, computed.slot, computed.missingSlot];
    words(constraints + index * RECORD_BYTES, row);
  });
  const thread = new Cursor();
  const outputs =
    thread.take(OWN_BYTES + encoder.slots * TILE_BYTES, 64) + OWN_BYTES + encoder.slots * TILE_BYTES;
  thread.take(RECORD_BYTES * queries.length);
  const parts = queries.map((query, index): Part => {
    const list = references[index]!;
    const at = cursor.take(RECORD_BYTES * list.length);
    list.forEach((reference, place) => {
      words(at + place * RECORD_BYTES, referenceWords(reference));
    });
    const { panels, count, margin } = writeTerms(source, query, cursor, block.at);
    const k = Math.max(1, Math.min(query.k, source.rows));
    const universe = source.universe(query.skip).at;
    words(blocks + index * RECORD_BYTES, [
      list.length,
      block.at + at,
      universe,
      count,
      block.at + panels,
      k,
      margin,
      wantsAll ? 0 : 1,
    ]);
    return {
      constraints: list.length,
      k,
      margin,
      output: outputs + index * RECORD_BYTES,
      references: thread.take(RECORD_BYTES * list.length),
      counts: thread.take(12 * list.length),
      heap: wantsAll ? 0 : thread.take(4 * k),
      kept: thread.take(capacity * (wantsAll ? 4 : 8) + 64),
    };
  });
  const first = source.panels[0];
  const ahead =
    !wantsAll && queries.length >= READ_AHEAD_QUERIES && first !== undefined && first.bytes >= LARGE_PANEL
      ? first.at
      : 0;
  words(head, [queries.length, block.at + blocks, encoder.computed.length, block.at + constraints, ahead]);
  return { block, parts, outputs, threadBytes: thread.next + 64 };
}

function referenceWords({ bitmap, slot, invert, missing, missingSlot }: Reference): number[] {
  return [
    bitmap?.at ?? slot,
    bitmap === null ? 0 : TILE_BYTES,
    invert,
    missing?.at ?? missingSlot,
    missing === null ? 0 : TILE_BYTES,
  ];
}

/** The panels a query's terms lie in, with their integer weights. */
function writeTerms(
  source: JobSource,
  query: Query,
  cursor: Cursor,
  base: number,
): { readonly panels: number; readonly count: number; readonly margin: number } {
  const { weights, margin } = integerTerms(
    query.terms.map(({ column, weight }) => ({ weight, scale: source.scale(column) })),
    query.margin,
  );
  const byPanel = new Map<number, Int16Array>();
  query.terms.forEach(({ column }, index) => {
    const panel = Math.floor(column / LANES);
    const lanes = byPanel.get(panel) ?? new Int16Array(LANES);
    lanes[column % LANES]! += weights[index]!;
    byPanel.set(panel, lanes);
  });
  const panels = cursor.take(RECORD_BYTES * byPanel.size);
  let at = base + panels;
  for (const [panel, lanes] of byPanel) {
    source.memory.i32[at >> 2] = source.panels[panel]!.at;
    source.memory.i16.set(lanes, (at + 16) >> 1);
    at += RECORD_BYTES;
  }
  return { panels, count: byPanel.size, margin };
}

function writePredicate(
  memory: KernelMemory,
  base: number,
  at: number,
  code: PredicateCode,
  cursor: Cursor,
): void {
  const words = (values: readonly number[], from = 0): void => {
    memory.i32.set(values, (base + at + from) >> 2);
  };
  const kind = { union: 0, planes: 1, bytes: 2, words: 3, floats: 4 }[code.kind];
  words([kind, code.unknown?.at ?? 0, code.unknownFails ? 1 : 0]);
  switch (code.kind) {
    case "union": {
      // an item that holds for all rows decides alone; one that holds for none adds nothing
      const all = code.items.some(({ bitmap, invert }) => bitmap === null && invert === -1);
      const items = all ? [] : code.items.filter(({ bitmap }) => bitmap !== null);
      const list = cursor.take(items.length * 8);
      words([base + list, items.length, all ? ~code.none : code.none], 12);
      memory.i32.set(
        items.flatMap(({ bitmap, invert }) => [bitmap!.at, invert]),
        (base + list) >> 2,
      );
      return;
    }
    case "planes":
      words([code.planes.at, code.bits, code.least, code.most, code.flags, code.values?.at ?? 0], 12);
      words([code.leastRemainder, code.mostRemainder], 36);
      // 48 is a multiple of 8 from the start of the predicate, and predicates are
      memory.f64[(base + at + 48) >> 3] = code.min;
      memory.f64[(base + at + 56) >> 3] = code.max;
      return;
    case "bytes":
    case "words": {
      const table = cursor.take(Math.max(32, code.table.length));
      memory.u8.set(code.table, base + table);
      words([code.codes.at, base + table], 12);
      return;
    }
    case "floats": {
      words([code.values.at], 12);
      const bounds = new Float32Array(memory.u8.buffer, base + at + 16, 2);
      bounds.set([code.min, code.max]);
    }
  }
}
