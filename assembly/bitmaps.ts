/**
 * Bitmaps of one tile: 1,024 rows, bit r of byte r >> 3 is row r, 128 bytes, 16-byte aligned.
 */

/** Rows of a tile; the host pads every column to a multiple of it. */
export const TILE: i32 = 1024;

/** Bytes of a tile's bitmap. */
export const TILE_BYTES: usize = 128;

/** Sets all bits of a tile bitmap to zero. */
export function clear(at: usize): void {
  for (let offset: usize = 0; offset < TILE_BYTES; offset += 16) v128.store(at + offset, i64x2.splat(0));
}

/** Number of bits set in `a & b` over one tile. */
export function countBoth(a: usize, b: usize): u32 {
  let count: u64 = 0;
  for (let offset: usize = 0; offset < TILE_BYTES; offset += 8)
    count += popcnt<u64>(load<u64>(a + offset) & load<u64>(b + offset));
  return <u32>count;
}
