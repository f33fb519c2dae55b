import { TILE_BYTES, TILE_SHIFT } from "./bitmaps";

/**
 * Turns a column of f64 values into codes and scatters the codes into bit planes (planes.ts), tile by tile.
 * The code of a value is the number of splits that are at most the value; NaN gets code 0.
 *
 * @param values f64[tiles * 1024]
 * @param splits f64[count], ascending
 * @param planes written
 * @param codes written: u16[tiles * 1024], for the host
 */
export function encode(
  values: usize,
  tiles: u32,
  splits: usize,
  count: u32,
  planes: usize,
  bits: u32,
  codes: usize,
): void {
  const rows = tiles << TILE_SHIFT;
  for (let row: u32 = 0; row < rows; row++, values += 8)
    store<u16>(codes + ((<usize>row) << 1), <u16>codeOf(splits, count, load<f64>(values)));
  for (let tile: u32 = 0; tile < tiles; tile++, codes += (<usize>2) << TILE_SHIFT)
    for (let bit: u32 = 0; bit < bits; bit++, planes += TILE_BYTES) scatter(codes, bit, planes);
}

/**
 * Gives rows other codes: writes the codes of their keys into the planes, bit by bit without asking whether a bit changes.
 *
 * @param rows u32[count]
 * @param keys f64[count]; NaN gets code 0
 * @param codes written: u16 code before and u16 code now per row, for the host
 */
export function recode(
  rows: usize,
  count: u32,
  keys: usize,
  splits: usize,
  splitCount: u32,
  planes: usize,
  bits: u32,
  codes: usize,
): void {
  for (; count > 0; count--, rows += 4, keys += 8, codes += 4) {
    const row = load<u32>(rows);
    const code = codeOf(splits, splitCount, load<f64>(keys));
    const shift = row & 7;
    let at = planes + <usize>(row >> TILE_SHIFT) * bits * TILE_BYTES + ((row & 1023) >> 3);
    let old: u32 = 0;
    for (let plane: u32 = 0; plane < bits; plane++, at += TILE_BYTES) {
      const byte: u32 = load<u8>(at);
      const was = (byte >> shift) & 1;
      old |= was << plane;
      store<u8>(at, <u8>(byte ^ ((was ^ ((code >> plane) & 1)) << shift)));
    }
    store<u32>(codes, old | (code << 16));
  }
}

/** Number of splits that are at most the value; 0 for NaN. Halves without a branch that could be mispredicted. */
function codeOf(splits: usize, count: u32, value: f64): u32 {
  let base = splits;
  let left = count;
  while (left > 1) {
    const half = left >> 1;
    base = select(base + ((<usize>half) << 3), base, load<f64>(base + ((<usize>(half - 1)) << 3)) <= value);
    left -= half;
  }
  const below = <u32>((base - splits) >> 3);
  return count > 0 && load<f64>(base) <= value ? below + 1 : below;
}

/** One bit of the 1,024 codes of a tile as a bitmap: shifted into the sign, collected 16 rows at a time. */
function scatter(codes: usize, bit: u32, plane: usize): void {
  const shift = 15 - <i32>bit;
  for (let at: usize = 0; at < TILE_BYTES; at += 2, codes += 32) {
    const signs = i8x16.narrow_i16x8_s(
      i16x8.shl(v128.load(codes), shift),
      i16x8.shl(v128.load(codes, 16), shift),
    );
    store<u16>(plane + at, <u16>i8x16.bitmask(signs));
  }
}
