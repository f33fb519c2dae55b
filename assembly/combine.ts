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
  const size = (<usize>count) << 2;
  const end = references + <usize>count * REFERENCE_BYTES;
  for (let at = references; at < end; at += REFERENCE_BYTES, counts += 4) {
    const bitmap = <usize>load<u32>(at) + tile * <usize>load<u32>(at, 4);
    const invert = <u64>(<i64>load<i32>(at, 8));
    const sole = counts + 2 * size;
    store<u32>(sole, load<u32>(sole) + common(bitmap, invert, once));
    if (load<u32>(at, 20)) continue;
    store<u32>(counts, load<u32>(counts) + common(bitmap, invert, universe));
    const unknown = <usize>load<u32>(at, 12);
    if (unknown == 0) continue;
    const missing = unknown + tile * <usize>load<u32>(at, 16);
    store<u32>(counts + size, load<u32>(counts + size) + common(missing, 0, universe));
  }
}

/** Rows of a tile that are set in `mask` and, inverted or not, in `bitmap`. */
function common(bitmap: usize, invert: u64, mask: usize): u32 {
  let even: u64 = 0,
    odd: u64 = 0;
  for (let half: usize = 0; half < TILE_BYTES; half += 64, bitmap += 64, mask += 64) {
    even +=
      popcnt((load<u64>(bitmap) ^ invert) & load<u64>(mask)) +
      popcnt((load<u64>(bitmap, 16) ^ invert) & load<u64>(mask, 16)) +
      (popcnt((load<u64>(bitmap, 32) ^ invert) & load<u64>(mask, 32)) +
        popcnt((load<u64>(bitmap, 48) ^ invert) & load<u64>(mask, 48)));
    odd +=
      popcnt((load<u64>(bitmap, 8) ^ invert) & load<u64>(mask, 8)) +
      popcnt((load<u64>(bitmap, 24) ^ invert) & load<u64>(mask, 24)) +
      (popcnt((load<u64>(bitmap, 40) ^ invert) & load<u64>(mask, 40)) +
        popcnt((load<u64>(bitmap, 56) ^ invert) & load<u64>(mask, 56)));
  }
  return <u32>(even + odd);
}
