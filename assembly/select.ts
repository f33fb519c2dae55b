import { clear, countBoth, TILE, TILE_BYTES } from "./bitmaps";
import { evaluate, PREDICATE_BYTES } from "./predicates";

/**
 * Query block, written by the host, all addresses in bytes:
 *
 *   0  u32 rows (a multiple of 1,024)       4  u32 constraints
 *   8  u32 address of the live bitmap      12  u32 address of the skip bitmap or 0
 *  16  u32 terms                           20  u32 address of terms: {u32 address of f32[rows], f32 weight}
 *  24  u32 address of predicate counts per constraint, u32 each
 *  28  u32 address of predicates, 64 bytes each, constraint by constraint
 *  32  u32 address of counts: u32 failed[c], u32 unknown[c], u32 sole[c]
 *  36  u32 address of found rows, u32 each      40  u32 address of their scores, f32 each (0: no scores)
 *  44  u32 k                                    48  u32 address of a heap of k f32
 *  52  u32 scratch: 5 tile bitmaps, then one per constraint
 *
 * Written: counts; found rows in order with scores; considered rows at 56; k-th smallest score at 60 (f32).
 * Returns the number of feasible rows.
 */
export function selectRows(query: usize): u32 {
  const rows = load<u32>(query);
  const scratch = <usize>load<u32>(query, 52);
  let feasible: u32 = 0;
  let considered: u32 = 0;
  let heaped: u32 = 0;
  for (let row: u32 = 0; row < rows; row += <u32>TILE) {
    considered += universe(query, row, scratch);
    filter(query, row, scratch);
    const before = feasible;
    feasible = collect(query, row, scratch + TILE_BYTES, feasible);
    if (load<u32>(query, 40) != 0) heaped = score(query, before, feasible, heaped);
  }
  store<u32>(query, considered, 56);
  store<f32>(query, heaped == 0 ? -Infinity : load<f32>(<usize>load<u32>(query, 48)), 60);
  return feasible;
}

/** Rows of the tile that the query is about: live and not skipped. */
function universe(query: usize, row: u32, target: usize): u32 {
  const start = <usize>row >> 3;
  const live = <usize>load<u32>(query, 8) + start;
  const skip = <usize>load<u32>(query, 12);
  for (let at: usize = 0; at < TILE_BYTES; at += 16) {
    const here = v128.load(live + at);
    v128.store(target + at, skip == 0 ? here : v128.andnot(here, v128.load(skip + start + at)));
  }
  return countBoth(target, target);
}

/**
 * Evaluates every constraint on one tile and counts. Scratch bitmaps: universe, passing, once (fails exactly one so
 * far), failed, unknown; then what each constraint fails, for the sole-blocker counts.
 */
function filter(query: usize, row: u32, scratch: usize): void {
  const constraints = load<u32>(query, 4);
  const sizes = <usize>load<u32>(query, 24);
  let predicate = <usize>load<u32>(query, 28);
  const counts = <usize>load<u32>(query, 32);
  const passing = scratch + TILE_BYTES;
  const once = scratch + 2 * TILE_BYTES;
  const failed = scratch + 3 * TILE_BYTES;
  const unknown = scratch + 4 * TILE_BYTES;
  const perConstraint = scratch + 5 * TILE_BYTES;
  memory.copy(passing, scratch, TILE_BYTES);
  clear(once);
  for (let index: u32 = 0; index < constraints; index++) {
    clear(failed);
    clear(unknown);
    for (let left = load<u32>(sizes + ((<usize>index) << 2)); left > 0; left--, predicate += PREDICATE_BYTES)
      evaluate(predicate, <i32>row, failed, unknown);
    const fails = perConstraint + <usize>index * TILE_BYTES;
    for (let at: usize = 0; at < TILE_BYTES; at += 16) {
      const here = v128.load(scratch + at);
      const known = v128.load(failed + at);
      const missing = v128.and(v128.andnot(v128.load(unknown + at), known), here);
      const any = v128.or(v128.and(known, here), missing);
      const pass = v128.load(passing + at);
      v128.store(unknown + at, missing);
      v128.store(fails + at, any);
      // A row leaves `once` with its second failure; it enters with its first, while it still passes.
      v128.store(once + at, v128.or(v128.andnot(v128.load(once + at), any), v128.and(pass, any)));
      v128.store(passing + at, v128.andnot(pass, any));
    }
    add(counts + ((<usize>index) << 2), countBoth(fails, fails));
    add(counts + ((<usize>(constraints + index)) << 2), countBoth(unknown, unknown));
  }
  for (let index: u32 = 0; index < constraints; index++)
    add(
      counts + ((<usize>(2 * constraints + index)) << 2),
      countBoth(perConstraint + <usize>index * TILE_BYTES, once),
    );
}

function add(at: usize, count: u32): void {
  store<u32>(at, load<u32>(at) + count);
}

/** Appends the rows set in a tile bitmap to the found rows; returns how many there are now. */
function collect(query: usize, row: u32, passing: usize, found: u32): u32 {
  let target = <usize>load<u32>(query, 36) + ((<usize>found) << 2);
  for (let at: usize = 0; at < TILE_BYTES; at += 8) {
    let word = load<u64>(passing + at);
    const first = row + ((<u32>at) << 3);
    while (word != 0) {
      store<u32>(target, first + <u32>ctz(word));
      target += 4;
      word &= word - 1;
    }
  }
  return <u32>((target - <usize>load<u32>(query, 36)) >> 2);
}

/** Scores the found rows from `from` to `to` and keeps the k smallest scores in a max-heap; returns its size. */
function score(query: usize, from: u32, to: u32, heaped: u32): u32 {
  const terms = load<u32>(query, 16);
  const list = <usize>load<u32>(query, 20);
  const rows = <usize>load<u32>(query, 36);
  const scores = <usize>load<u32>(query, 40);
  const k = load<u32>(query, 44);
  const heap = <usize>load<u32>(query, 48);
  let size = heaped;
  for (let index = from; index < to; index++) {
    const row = (<usize>load<u32>(rows + ((<usize>index) << 2))) << 2;
    let sum: f32 = 0;
    for (let term: u32 = 0; term < terms; term++) {
      const at = list + ((<usize>term) << 3);
      sum += load<f32>(at, 4) * load<f32>(<usize>load<u32>(at) + row);
    }
    store<f32>(scores + ((<usize>index) << 2), sum);
    if (size < k) {
      siftUp(heap, size, sum);
      size++;
    } else if (k > 0 && sum < load<f32>(heap)) {
      siftDown(heap, size, sum);
    }
  }
  return size;
}

/** Adds a value to a max-heap of f32 that has `size` values. */
function siftUp(heap: usize, size: u32, value: f32): void {
  let at = size;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = load<f32>(heap + ((<usize>parent) << 2));
    if (above >= value) break;
    store<f32>(heap + ((<usize>at) << 2), above);
    at = parent;
  }
  store<f32>(heap + ((<usize>at) << 2), value);
}

/** Replaces the largest value of a max-heap of f32. */
function siftDown(heap: usize, size: u32, value: f32): void {
  let at: u32 = 0;
  for (;;) {
    let child: u32 = 2 * at + 1;
    if (child >= size) break;
    if (
      child + 1 < size &&
      load<f32>(heap + ((<usize>(child + 1)) << 2)) > load<f32>(heap + ((<usize>child) << 2))
    )
      child++;
    const below = load<f32>(heap + ((<usize>child) << 2));
    if (below <= value) break;
    store<f32>(heap + ((<usize>at) << 2), below);
    at = child;
  }
  store<f32>(heap + ((<usize>at) << 2), value);
}
