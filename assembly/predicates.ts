import { TILE_BYTES } from "./bitmaps";

/**
 * One predicate, 64 bytes, written by the host:
 *
 *   0  u32 kind: 0 range, 1 category, 2 flag, 3 bitmap
 *   4  u32 bits: 1 unknown fails, 2 has minimum, 4 has maximum, 8 the f32 column is exact (no f64 check needed)
 *   8  u32 column: f32[rows] (range), i32[rows] (category), yes bitmap (flag), failed bitmap (bitmap)
 *  12  u32 second: f64[rows] (range), u8[codes] 1 is allowed (category), unknown bitmap (flag; bitmap or 0)
 *  16  f32 minimum, 20 f32 maximum (range), 16 u32 wanted 0 or 1 (flag)
 *  24  f64 minimum, 32 f64 maximum (range)
 */
export const PREDICATE_BYTES: usize = 64;

const UNKNOWN_FAILS: u32 = 1;
const HAS_MINIMUM: u32 = 2;
const HAS_MAXIMUM: u32 = 4;
const EXACT: u32 = 8;

/** Four lane masks of one vector each to 16 bits. */
function mask16(a: v128, b: v128, c: v128, d: v128): u32 {
  return <u32>i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d)));
}

/**
 * Adds to the tile bitmaps `failed` (rows whose known value fails) and `unknown` (rows without a value, where that
 * fails) the verdict of one predicate on the tile starting at `row`.
 */
export function evaluate(predicate: usize, row: i32, failed: usize, unknown: usize): void {
  const kind = load<u32>(predicate);
  if (kind == 0) range(predicate, row, failed, unknown);
  else if (kind == 1) category(predicate, row, failed, unknown);
  else if (kind == 2) flag(predicate, row, failed, unknown);
  else bitmap(predicate, row, failed, unknown);
}

/** NaN compares false with everything, so "outside" is computed as such and unknown separately. */
function range(predicate: usize, row: i32, failed: usize, unknown: usize): void {
  const bits = load<u32>(predicate, 4);
  const strict = (bits & EXACT) != 0;
  let column = <usize>load<u32>(predicate, 8) + ((<usize>row) << 2);
  const minimum = v128.load_splat<f32>(predicate + 16);
  const maximum = v128.load_splat<f32>(predicate + 20);
  const none = i64x2.splat(0);
  for (let at: usize = 0; at < TILE_BYTES; at += 2, column += 64) {
    const a = v128.load(column),
      b = v128.load(column, 16),
      c = v128.load(column, 32),
      d = v128.load(column, 48);
    let fails: u32 = 0;
    let border: u32 = 0;
    if (bits & HAS_MINIMUM) {
      fails |= mask16(f32x4.lt(a, minimum), f32x4.lt(b, minimum), f32x4.lt(c, minimum), f32x4.lt(d, minimum));
      if (!strict)
        border |= mask16(
          f32x4.eq(a, minimum),
          f32x4.eq(b, minimum),
          f32x4.eq(c, minimum),
          f32x4.eq(d, minimum),
        );
    }
    if (bits & HAS_MAXIMUM) {
      fails |= mask16(f32x4.gt(a, maximum), f32x4.gt(b, maximum), f32x4.gt(c, maximum), f32x4.gt(d, maximum));
      if (!strict)
        border |= mask16(
          f32x4.eq(a, maximum),
          f32x4.eq(b, maximum),
          f32x4.eq(c, maximum),
          f32x4.eq(d, maximum),
        );
    }
    while (border != 0) {
      const bit = ctz(border);
      border &= border - 1;
      if (outside(predicate, bits, row + ((<i32>at) << 3) + <i32>bit)) fails |= 1 << bit;
    }
    store<u16>(failed + at, <u16>(load<u16>(failed + at) | fails));
    if (bits & UNKNOWN_FAILS) {
      const missing = mask16(f32x4.ne(a, a), f32x4.ne(b, b), f32x4.ne(c, c), f32x4.ne(d, d));
      store<u16>(unknown + at, <u16>(load<u16>(unknown + at) | missing));
    }
  }
}

/** The exact comparison of a row whose f32 value equals the f32 bound. */
function outside(predicate: usize, bits: u32, row: i32): bool {
  const value = load<f64>(<usize>load<u32>(predicate, 12) + ((<usize>row) << 3));
  if ((bits & HAS_MINIMUM) != 0 && value < load<f64>(predicate, 24)) return true;
  return (bits & HAS_MAXIMUM) != 0 && value > load<f64>(predicate, 32);
}

function category(predicate: usize, row: i32, failed: usize, unknown: usize): void {
  const unknownFails = (load<u32>(predicate, 4) & UNKNOWN_FAILS) != 0;
  const codes = <usize>load<u32>(predicate, 8) + ((<usize>row) << 2);
  const allowed = <usize>load<u32>(predicate, 12);
  for (let byte: usize = 0; byte < TILE_BYTES; byte++) {
    let fails: u32 = 0;
    let missing: u32 = 0;
    for (let bit: usize = 0; bit < 8; bit++) {
      const code = load<i32>(codes + (((byte << 3) + bit) << 2));
      if (code < 0) missing |= 1 << (<u32>bit);
      else fails |= (1 - <u32>load<u8>(allowed + <usize>code)) << (<u32>bit);
    }
    store<u8>(failed + byte, <u8>(load<u8>(failed + byte) | fails));
    if (unknownFails) store<u8>(unknown + byte, <u8>(load<u8>(unknown + byte) | missing));
  }
}

function flag(predicate: usize, row: i32, failed: usize, unknown: usize): void {
  const unknownFails = (load<u32>(predicate, 4) & UNKNOWN_FAILS) != 0;
  const wanted = load<u32>(predicate, 16) != 0;
  const start = <usize>row >> 3;
  const yes = <usize>load<u32>(predicate, 8) + start;
  const missing = <usize>load<u32>(predicate, 12) + start;
  for (let at: usize = 0; at < TILE_BYTES; at += 16) {
    const isYes = v128.load(yes + at);
    const isMissing = v128.load(missing + at);
    const wrong = wanted ? v128.not(v128.or(isYes, isMissing)) : isYes;
    v128.store(failed + at, v128.or(v128.load(failed + at), wrong));
    if (unknownFails) v128.store(unknown + at, v128.or(v128.load(unknown + at), isMissing));
  }
}

/** The host's own verdict; its unknown rows are part of its failed rows and are taken out of them here. */
function bitmap(predicate: usize, row: i32, failed: usize, unknown: usize): void {
  const start = <usize>row >> 3;
  const fails = <usize>load<u32>(predicate, 8) + start;
  const second = <usize>load<u32>(predicate, 12);
  for (let at: usize = 0; at < TILE_BYTES; at += 16) {
    let known = v128.load(fails + at);
    if (second != 0) {
      const missing = v128.load(second + start + at);
      v128.store(unknown + at, v128.or(v128.load(unknown + at), v128.and(missing, known)));
      known = v128.andnot(known, missing);
    }
    v128.store(failed + at, v128.or(v128.load(failed + at), known));
  }
}
