import { TILE_BYTES } from "./bitmaps";

/**
 * Score of the feasible rows of a tile, and the best of them. A panel holds eight score columns row by row, a row being
 * one vector:
 *
 *   panel + row * 16:   i16 c0 c1 c2 c3 c4 c5 c6 c7        score = sum over panels and columns of weight * c, in i32
 *
 * Integers, so the sum has no order and no rounding: one multiply-add of the hardware scores half a row.
 *
 * A query's list of panels is {u32 panel, u32 0, u32 0, u32 0, i16 weight[8]}[], 32 bytes each.
 *
 * Output of one query, written per thread (see select.ts), 32 bytes:
 *    0 u32 feasible   4 u32 kept   8 i32 limit: rows with a larger score cannot be among the best
 *   12 u32 size of the heap   16 u32 kept rows {u32 row, i32 score}[]   20 u32 heap: the k smallest scores, largest first
 *   24 u32 counts   28 u32 references
 */

const PANEL_BYTES: usize = 32;

/** Appends the rows set in a tile's bitmap to `list`, as row numbers; returns its new end. May write 32 bytes beyond. */
export function decode(bitmap: usize, row: u32, list: usize): usize {
  for (let at: usize = 0; at < TILE_BYTES; at += 8, row += 64) {
    let word = load<u64>(bitmap + at);
    if (word == 0) continue;
    const count = <usize>popcnt(word);
    // four writes without asking: most words have few rows, and a loop would mispredict its end
    store<u32>(list, row + <u32>ctz(word));
    word &= word - 1;
    store<u32>(list, row + <u32>ctz(word), 4);
    word &= word - 1;
    store<u32>(list, row + <u32>ctz(word), 8);
    word &= word - 1;
    store<u32>(list, row + <u32>ctz(word), 12);
    word &= word - 1;
    for (let next = list + 16; word != 0; next += 4, word &= word - 1) store<u32>(next, row + <u32>ctz(word));
    list += count << 2;
  }
  return list;
}

/** The four partial sums of a row's score; all 0 without panels. */
function partial(row: usize, panels: usize, count: u32): v128 {
  let sum = i64x2.splat(0);
  for (; count > 0; count--, panels += PANEL_BYTES)
    sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(<usize>load<u32>(panels) + row), v128.load(panels, 16)));
  return sum;
}

/** Scores of four rows: sums across each of four vectors, by transposing. */
function across(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 1, 4, 5), v128.shuffle<i32>(a, b, 2, 3, 6, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 1, 4, 5), v128.shuffle<i32>(c, d, 2, 3, 6, 7));
  return i32x4.add(v128.shuffle<i32>(ab, cd, 0, 2, 4, 6), v128.shuffle<i32>(ab, cd, 1, 3, 5, 7));
}

/**
 * Scores the rows in `list` .. `end` and keeps those that may be among the k best, in order of rows. Up to three rows
 * past the end are scored for nothing, so `list` must be followed by 12 readable bytes, which are overwritten.
 *
 * All rows of a tile are scored to `scores` before any is looked at: a row's panel is seldom in a near cache, and a branch
 * on its score that is mispredicted would hold up the loads behind it.
 */
export function keepBest(
  list: usize,
  end: usize,
  scores: usize,
  panels: usize,
  count: u32,
  k: u32,
  margin: i32,
  output: usize,
): void {
  store<u64>(end, 0);
  store<u32>(end, 0, 8);
  let limit = load<i32>(output, 8);
  const least =
    count == 1 ? scoreOne(list, end, scores, panels) : scoreMany(list, end, scores, panels, count);
  if (lanesWithin(least, limit) == 0) return;
  for (; list < end; list += 16, scores += 16) {
    let lanes = lanesWithin(v128.load(scores), limit);
    if (lanes == 0) continue;
    if (list + 16 > end) lanes &= (1 << (<i32>(end - list) >> 2)) - 1;
    for (; lanes != 0; lanes &= lanes - 1) {
      const lane = (<usize>ctz(lanes)) << 2;
      const score = load<i32>(scores + lane);
      if (score <= limit) limit = keepOne(load<u32>(list + lane), score, limit, k, margin, output);
    }
  }
  store<i32>(output, limit, 8);
}

/** A bit per lane of four scores that is not beyond the limit. */
function lanesWithin(four: v128, limit: i32): i32 {
  return i32x4.bitmask(i32x4.gt_s(four, i32x4.splat(limit))) ^ 15;
}

/** Scores over one panel; returns the least of each lane. */
function scoreOne(list: usize, end: usize, scores: usize, panels: usize): v128 {
  const panel = <usize>load<u32>(panels);
  const weights = v128.load(panels, 16);
  let least = i32x4.splat(i32.MAX_VALUE);
  for (; list < end; list += 16, scores += 16) {
    const four = across(
      i32x4.dot_i16x8_s(v128.load(panel + ((<usize>load<u32>(list)) << 4)), weights),
      i32x4.dot_i16x8_s(v128.load(panel + ((<usize>load<u32>(list, 4)) << 4)), weights),
      i32x4.dot_i16x8_s(v128.load(panel + ((<usize>load<u32>(list, 8)) << 4)), weights),
      i32x4.dot_i16x8_s(v128.load(panel + ((<usize>load<u32>(list, 12)) << 4)), weights),
    );
    v128.store(scores, four);
    least = i32x4.min_s(least, four);
  }
  return least;
}

function scoreMany(list: usize, end: usize, scores: usize, panels: usize, count: u32): v128 {
  let least = i32x4.splat(i32.MAX_VALUE);
  for (; list < end; list += 16, scores += 16) {
    const four = across(
      partial((<usize>load<u32>(list)) << 4, panels, count),
      partial((<usize>load<u32>(list, 4)) << 4, panels, count),
      partial((<usize>load<u32>(list, 8)) << 4, panels, count),
      partial((<usize>load<u32>(list, 12)) << 4, panels, count),
    );
    v128.store(scores, four);
    least = i32x4.min_s(least, four);
  }
  return least;
}

/** Keeps a row whose score is not beyond the limit; returns the new limit. */
function keepOne(row: u32, score: i32, limit: i32, k: u32, margin: i32, output: usize): i32 {
  const kept = load<u32>(output, 4);
  const place = <usize>load<u32>(output, 16) + ((<usize>kept) << 3);
  store<u32>(place, row);
  store<i32>(place, score, 4);
  store<u32>(output, kept + 1, 4);
  const heap = <usize>load<u32>(output, 20);
  const size = load<u32>(output, 12);
  if (size < k) {
    siftUp(heap, size, score);
    store<u32>(output, size + 1, 12);
    if (size + 1 < k) return limit;
  } else {
    if (score >= load<i32>(heap)) return limit;
    siftDown(heap, size, score);
  }
  // saturates: beyond the largest i32 nothing is excluded
  const kth = load<i32>(heap);
  return kth > i32.MAX_VALUE - margin ? i32.MAX_VALUE : kth + margin;
}

/** Adds a value to a max-heap of `size` values. */
function siftUp(heap: usize, size: u32, value: i32): void {
  let at = size;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = load<i32>(heap + ((<usize>parent) << 2));
    if (above >= value) break;
    store<i32>(heap + ((<usize>at) << 2), above);
    at = parent;
  }
  store<i32>(heap + ((<usize>at) << 2), value);
}

/** Replaces the largest value of a max-heap. */
function siftDown(heap: usize, size: u32, value: i32): void {
  let at: u32 = 0;
  for (;;) {
    let child: u32 = 2 * at + 1;
    if (child >= size) break;
    if (
      child + 1 < size &&
      load<i32>(heap + ((<usize>child) << 2), 4) > load<i32>(heap + ((<usize>child) << 2))
    )
      child++;
    const below = load<i32>(heap + ((<usize>child) << 2));
    if (below <= value) break;
    store<i32>(heap + ((<usize>at) << 2), below);
    at = child;
  }
  store<i32>(heap + ((<usize>at) << 2), value);
}
