import { TILE_BYTES } from "./bitmaps";

/**
 * What the constraints of one query say about a tile together. A reference to a constraint's bitmap is 32 bytes:
 *
 *    0 u32 address   4 u32 bytes from tile to tile (128 stored, 0 computed per tile)   8 u32 0, or ~0 where set is pass
 *   12 u32 address of its unknown rows, or 0   16 u32 their bytes from tile to tile
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
    let failed: u64 = 0,
      sole: u64 = 0;
    for (let word: usize = 0; word < TILE_BYTES; word += 64) {
      const f = bitmap + word,
        u = universe + word,
        o = once + word;
      const f0 = load<u64>(f) ^ invert,
        f1 = load<u64>(f, 8) ^ invert,
        f2 = load<u64>(f, 16) ^ invert,
        f3 = load<u64>(f, 24) ^ invert;
      failed +=
        popcnt(f0 & load<u64>(u)) +
        popcnt(f1 & load<u64>(u, 8)) +
        (popcnt(f2 & load<u64>(u, 16)) + popcnt(f3 & load<u64>(u, 24)));
      sole +=
        popcnt(f0 & load<u64>(o)) +
        popcnt(f1 & load<u64>(o, 8)) +
        (popcnt(f2 & load<u64>(o, 16)) + popcnt(f3 & load<u64>(o, 24)));
      const f4 = load<u64>(f, 32) ^ invert,
        f5 = load<u64>(f, 40) ^ invert,
        f6 = load<u64>(f, 48) ^ invert,
        f7 = load<u64>(f, 56) ^ invert;
      failed +=
        popcnt(f4 & load<u64>(u, 32)) +
        popcnt(f5 & load<u64>(u, 40)) +
        (popcnt(f6 & load<u64>(u, 48)) + popcnt(f7 & load<u64>(u, 56)));
      sole +=
        popcnt(f4 & load<u64>(o, 32)) +
        popcnt(f5 & load<u64>(o, 40)) +
        (popcnt(f6 & load<u64>(o, 48)) + popcnt(f7 & load<u64>(o, 56)));
    }
    store<u32>(counts, load<u32>(counts) + <u32>failed);
    store<u32>(counts + 2 * size, load<u32>(counts + 2 * size) + <u32>sole);
    const unknown = <usize>load<u32>(at, 12);
    if (unknown == 0) continue;
    const missing = unknown + tile * <usize>load<u32>(at, 16);
    let rows: u64 = 0;
    for (let word: usize = 0; word < TILE_BYTES; word += 8)
      rows += popcnt(load<u64>(missing + word) & load<u64>(universe + word));
    store<u32>(counts + size, load<u32>(counts + size) + <u32>rows);
  }
}
