import { TILE_BYTES } from "./bitmaps";

/**
 * What the constraints of one query say about a tile together. A reference to a constraint's bitmap is 32 bytes:
 *
 *    0 u32 address   4 u32 bytes from tile to tile (128 stored, 0 computed per tile)   8 u32 0, or ~0 where set is pass
 *   12 u32 address of its unknown rows, or 0   16 u32 their bytes from tile to tile
 *   20 u32 1: the host knows how many rows fail it, only sole blockers are counted
 */
export const REFERENCE_BYTES: usize = 32;

/**
 * Of the rows in `universe`, writes those that fail nothing to `passing` and those that fail exactly one constraint to
 * `once`. Returns false when there are neither.
 */
export function tally(
  references: usize,
  count: u32,
  tile: usize,
  universe: usize,
  passing: usize,
  once: usize,
): bool {
  const end = references + <usize>count * REFERENCE_BYTES;
  let some = i64x2.splat(0);
  for (let half: usize = 0; half < TILE_BYTES; half += 64) {
    let any0 = i64x2.splat(0),
      any1 = any0,
      any2 = any0,
      any3 = any0;
    let two0 = any0,
      two1 = any0,
      two2 = any0,
      two3 = any0;
    for (let at = references; at < end; at += REFERENCE_BYTES) {
      const bitmap = <usize>load<u32>(at) + tile * <usize>load<u32>(at, 4) + half;
      const invert = v128.load32_splat(at + 8);
      const f0 = v128.xor(invert, v128.load(bitmap)),
        f1 = v128.xor(invert, v128.load(bitmap, 16)),
        f2 = v128.xor(invert, v128.load(bitmap, 32)),
        f3 = v128.xor(invert, v128.load(bitmap, 48));
      two0 = v128.or(two0, v128.and(any0, f0));
      two1 = v128.or(two1, v128.and(any1, f1));
      two2 = v128.or(two2, v128.and(any2, f2));
      two3 = v128.or(two3, v128.and(any3, f3));
      any0 = v128.or(any0, f0);
      any1 = v128.or(any1, f1);
      any2 = v128.or(any2, f2);
      any3 = v128.or(any3, f3);
    }
    const u0 = v128.load(universe + half),
      u1 = v128.load(universe + half, 16),
      u2 = v128.load(universe + half, 32),
      u3 = v128.load(universe + half, 48);
    v128.store(passing + half, v128.andnot(u0, any0));
    v128.store(passing + half, v128.andnot(u1, any1), 16);
    v128.store(passing + half, v128.andnot(u2, any2), 32);
    v128.store(passing + half, v128.andnot(u3, any3), 48);
    v128.store(once + half, v128.and(u0, v128.andnot(any0, two0)));
    v128.store(once + half, v128.and(u1, v128.andnot(any1, two1)), 16);
    v128.store(once + half, v128.and(u2, v128.andnot(any2, two2)), 32);
    v128.store(once + half, v128.and(u3, v128.andnot(any3, two3)), 48);
    some = v128.or(some, v128.or(v128.or(u0, u1), v128.or(u2, u3)));
  }
  return v128.any_true(some);
}

/**
 * Adds to `counts` (u32 failed[count], unknown[count], sole[count]) what the constraints fail in a tile, where set bits
 * of `universe` count, and `once` marks the rows with a sole blocker.
 */
export function countFailures(
  references: usize,
  count: u32,
  tile: usize,
  universe: usize,
  once: usize,
  counts: usize,
): void {
  countSole(references, count, tile, once, counts + ((<usize>count) << 3));
  const size = (<usize>count) << 2;
  const end = references + <usize>count * REFERENCE_BYTES;
  for (let at = references; at < end; at += REFERENCE_BYTES, counts += 4) {
    if (load<u32>(at, 20)) continue;
    store<u32>(counts, load<u32>(counts) + common(bitmapAt(at, tile), inversion(at), universe));
    const unknown = <usize>load<u32>(at, 12);
    if (unknown == 0) continue;
    const missing = unknown + tile * <usize>load<u32>(at, 16);
    store<u32>(counts + size, load<u32>(counts + size) + common(missing, 0, universe));
  }
}

/** Two constraints at a time: a word of `once` is then read once for both. */
function countSole(references: usize, count: u32, tile: usize, once: usize, counts: usize): void {
  for (; count > 1; count -= 2, references += 2 * REFERENCE_BYTES, counts += 8) {
    const second = references + REFERENCE_BYTES;
    const both = commonOfTwo(
      bitmapAt(references, tile),
      inversion(references),
      bitmapAt(second, tile),
      inversion(second),
      once,
    );
    store<u32>(counts, load<u32>(counts) + <u32>both);
    store<u32>(counts, load<u32>(counts, 4) + <u32>(both >> 32), 4);
  }
  if (count > 0)
    store<u32>(counts, load<u32>(counts) + common(bitmapAt(references, tile), inversion(references), once));
}

function bitmapAt(reference: usize, tile: usize): usize {
  return <usize>load<u32>(reference) + tile * <usize>load<u32>(reference, 4);
}

function inversion(reference: usize): u64 {
  return <u64>(<i64>load<i32>(reference, 8));
}

/** Rows of a tile that are set in `mask` and, inverted or not, in `bitmap`. */
function common(bitmap: usize, invert: u64, mask: usize): u32 {
  let rows: u64 = 0;
  for (const end = bitmap + TILE_BYTES; bitmap < end; bitmap += 32, mask += 32)
    rows +=
      popcnt((load<u64>(bitmap) ^ invert) & load<u64>(mask)) +
      popcnt((load<u64>(bitmap, 8) ^ invert) & load<u64>(mask, 8)) +
      (popcnt((load<u64>(bitmap, 16) ^ invert) & load<u64>(mask, 16)) +
        popcnt((load<u64>(bitmap, 24) ^ invert) & load<u64>(mask, 24)));
  return <u32>rows;
}

/** The same of two bitmaps: the first one's rows in the lower half of the result. */
function commonOfTwo(a: usize, invertA: u64, b: usize, invertB: u64, mask: usize): u64 {
  let ofA: u64 = 0,
    ofB: u64 = 0;
  for (const end = mask + TILE_BYTES; mask < end; mask += 64, a += 64, b += 64) {
    const m0 = load<u64>(mask),
      m1 = load<u64>(mask, 8),
      m2 = load<u64>(mask, 16),
      m3 = load<u64>(mask, 24);
    ofA +=
      popcnt((load<u64>(a) ^ invertA) & m0) +
      popcnt((load<u64>(a, 8) ^ invertA) & m1) +
      (popcnt((load<u64>(a, 16) ^ invertA) & m2) + popcnt((load<u64>(a, 24) ^ invertA) & m3));
    ofB +=
      popcnt((load<u64>(b) ^ invertB) & m0) +
      popcnt((load<u64>(b, 8) ^ invertB) & m1) +
      (popcnt((load<u64>(b, 16) ^ invertB) & m2) + popcnt((load<u64>(b, 24) ^ invertB) & m3));
    const m4 = load<u64>(mask, 32),
      m5 = load<u64>(mask, 40),
      m6 = load<u64>(mask, 48),
      m7 = load<u64>(mask, 56);
    ofA +=
      popcnt((load<u64>(a, 32) ^ invertA) & m4) +
      popcnt((load<u64>(a, 40) ^ invertA) & m5) +
      (popcnt((load<u64>(a, 48) ^ invertA) & m6) + popcnt((load<u64>(a, 56) ^ invertA) & m7));
    ofB +=
      popcnt((load<u64>(b, 32) ^ invertB) & m4) +
      popcnt((load<u64>(b, 40) ^ invertB) & m5) +
      (popcnt((load<u64>(b, 48) ^ invertB) & m6) + popcnt((load<u64>(b, 56) ^ invertB) & m7));
  }
  return ofA | (ofB << 32);
}
