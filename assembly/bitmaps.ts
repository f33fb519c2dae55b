/**
 * Bitmaps of one tile. A tile is 1,024 rows; its bitmap is 128 bytes, 16-byte aligned, and bit `row & 7` of byte
 * `row >> 3` is a row:
 *
 *   byte    0         1               127
 *         |01234567|89......| ... |......1023|      bit 0 of a byte is the first row
 *
 * Every predicate, whatever it is stored as, becomes such a bitmap; set bits are the rows that fail it.
 */

/** Bytes of a tile's bitmap. */
export const TILE_BYTES: usize = 128;

/** Rows of a tile as a shift: tile t begins at row t << TILE_SHIFT. */
export const TILE_SHIFT: u32 = 10;

/** target = 0. Not `memory.fill`, which leaves WebAssembly for so few bytes. */
export function clear(target: usize): void {
  const none = i64x2.splat(0);
  v128.store(target, none);
  v128.store(target, none, 16);
  v128.store(target, none, 32);
  v128.store(target, none, 48);
  v128.store(target, none, 64);
  v128.store(target, none, 80);
  v128.store(target, none, 96);
  v128.store(target, none, 112);
}

/** target |= source */
export function include(target: usize, source: usize): void {
  for (let at: usize = 0; at < TILE_BYTES; at += 16)
    v128.store(target + at, v128.or(v128.load(target + at), v128.load(source + at)));
}

/** target &= ~source */
export function exclude(target: usize, source: usize): void {
  for (let at: usize = 0; at < TILE_BYTES; at += 16)
    v128.store(target + at, v128.andnot(v128.load(target + at), v128.load(source + at)));
}
