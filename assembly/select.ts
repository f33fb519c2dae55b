import { TILE_BYTES, TILE_SHIFT } from "./bitmaps";
import { countFailures, REFERENCE_BYTES, tally } from "./combine";
import { evaluateAll } from "./predicates";
import { decode, keepBest } from "./rank";

/**
 * A job is a batch of queries, written once by the host and shared by all threads, which take ranges of tiles:
 *
 *   job          0 u32 queries   4 u32 address of the queries   8 u32 constraints   12 u32 address of the constraints
 *               16 u32 panel to be read ahead, or 0
 *   constraint   0 u32 predicates   4 u32 address of the predicates   8 u32 slot   12 u32 slot of unknown rows, or 0
 *   (32 bytes)  16 u32 offset in a thread's memory of its `cut` count (predicates.ts), or 0   20 u32 bitmap of live rows
 *                computed per tile, once for all queries of the batch
 *   query        0 u32 constraints   4 u32 address of references (combine.ts)   8 u32 address of the universe bitmap
 *   (32 bytes)  12 u32 panels   16 u32 address of the list of panels   20 u32 k   24 i32 margin
 *               28 u32 0: all rows, 1: counts and the best rows
 *
 * A thread's own memory, so that threads never write to the same place:
 *
 *   0 zeroes   128 passing   256 once   384 scratch of one bitmap and a half   576 rows of a tile, u32[1024 + 12]
 *   4736 sink of readAhead   4752 scores of a tile, i32[1024 + 12]
 *   8960 slots, one bitmap each, numbered from 1; cut counts
 *   outputs: 32 bytes per query (rank.ts), initialised by the host
 *
 * A reference with tile stride 0 holds a slot number instead of an address until `bind`.
 */
const PASSING: usize = 128;
const ONCE: usize = 256;
const SCRATCH: usize = 384;
const ROWS: usize = 576;
const SINK: usize = 4736;
const SCORES: usize = 4752;
const SLOTS: usize = 8960;
const CONSTRAINT_BYTES: usize = 32;
const QUERY_BYTES: usize = 32;
const OUTPUT_BYTES: usize = 32;

/** Runs tiles `from` .. `to` - 1 of a job. */
export function run(job: usize, own: usize, outputs: usize, from: u32, to: u32): void {
  const queries = load<u32>(job);
  const ahead = <usize>load<u32>(job, 16);
  bind(job, own, outputs);
  for (let tile = from; tile < to; tile++) {
    compute(job, own, tile);
    if (ahead != 0) readAhead(ahead + ((<usize>tile) << (TILE_SHIFT + 4)), own + SINK);
    let query = <usize>load<u32>(job, 4);
    let output = outputs;
    for (let index: u32 = 0; index < queries; index++, query += QUERY_BYTES, output += OUTPUT_BYTES)
      answer(query, own, output, tile);
  }
}

/** Writes each query's references for this thread: slots become addresses in its own memory. */
function bind(job: usize, own: usize, outputs: usize): void {
  let query = <usize>load<u32>(job, 4);
  for (let index = load<u32>(job); index > 0; index--, query += QUERY_BYTES, outputs += OUTPUT_BYTES) {
    let from = <usize>load<u32>(query, 4);
    let to = <usize>load<u32>(outputs, 28);
    for (let left = load<u32>(query); left > 0; left--, from += REFERENCE_BYTES, to += REFERENCE_BYTES) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      if (load<u32>(from, 4) == 0) store<u32>(to, <u32>slot(own, load<u32>(from)));
      if (load<u32>(from, 12) != 0 && load<u32>(from, 16) == 0)
        store<u32>(to, <u32>slot(own, load<u32>(from, 12)), 12);
    }
  }
}

/** Address of a slot; slot 0 is the zero bitmap, where nothing fails. */
function slot(own: usize, number: u32): usize {
  return number == 0 ? own : own + SLOTS + (<usize>number - 1) * TILE_BYTES;
}

function compute(job: usize, own: usize, tile: u32): void {
  let constraint = <usize>load<u32>(job, 12);
  for (let left = load<u32>(job, 8); left > 0; left--, constraint += CONSTRAINT_BYTES) {
    const missing = load<u32>(constraint, 12);
    evaluateAll(
      <usize>load<u32>(constraint, 4),
      load<u32>(constraint),
      tile,
      slot(own, load<u32>(constraint, 8)),
      missing == 0 ? 0 : slot(own, missing),
      own + SCRATCH,
      load<u32>(constraint, 16) == 0 ? 0 : own + <usize>load<u32>(constraint, 16),
      <usize>load<u32>(constraint, 20),
    );
  }
}

/**
 * Reads a panel's tile in order, one load per cache line: many queries will pick rows from it in no order, and only the
 * former is something the hardware prefetches. The sum is stored so that the loads are not optimised away.
 */
function readAhead(panel: usize, sink: usize): void {
  let sum = i64x2.splat(0);
  const end = panel + ((<usize>1) << (TILE_SHIFT + 4));
  for (; panel < end; panel += 256)
    sum = v128.xor(
      v128.xor(sum, v128.xor(v128.load(panel), v128.load(panel, 64))),
      v128.xor(v128.load(panel, 128), v128.load(panel, 192)),
    );
  v128.store(sink, sum);
}

/** One query on one tile. */
function answer(query: usize, own: usize, output: usize, tile: u32): void {
  const count = load<u32>(query);
  const mode = load<u32>(query, 28);
  const references = <usize>load<u32>(output, 28);
  const universe = <usize>load<u32>(query, 8) + <usize>tile * TILE_BYTES;
  if (!tally(references, count, tile, universe, own + PASSING, own + ONCE)) return;
  if (mode != 0) countFailures(references, count, tile, universe, own + ONCE, <usize>load<u32>(output, 24));
  const feasible = load<u32>(output);
  if (mode == 0) {
    const rows = <usize>load<u32>(output, 16);
    const end = decode(own + PASSING, tile << TILE_SHIFT, rows + ((<usize>feasible) << 2));
    store<u32>(output, <u32>((end - rows) >> 2));
    return;
  }
  const end = decode(own + PASSING, tile << TILE_SHIFT, own + ROWS);
  const found = <u32>((end - own - ROWS) >> 2);
  if (found == 0) return;
  store<u32>(output, feasible + found);
  keepBest(
    own + ROWS,
    end,
    own + SCORES,
    <usize>load<u32>(query, 16),
    load<u32>(query, 12),
    load<u32>(query, 20),
    load<i32>(query, 24),
    output,
  );
}
