import { clear, exclude, include, TILE_BYTES, TILE_SHIFT } from "./bitmaps";
import { compare, compareAround } from "./planes";

/**
 * One predicate, 64 bytes, written by the host. Its rows without a value are in the bitmap `unknown`, if any.
 *
 *    0 u32 kind: 0 union of stored bitmaps, 1 range over bit planes, 2 set of byte codes, 3 set of half-word codes,
 *          4 range over f32 values
 *    4 u32 address of the bitmap of unknown rows, or 0           8 u32 unknown rows: 1 fail, 0 pass
 *
 *   union   12 u32 address of {u32 bitmap, u32 0 or ~0 to invert it}[]     16 u32 how many
 *           20 u32 ~0: rows in none of them fail; 0: rows in any fail
 *   planes  12 u32 planes   16 u32 bits   20 i32 least code   24 i32 most code
 *           28 u32 bits: 1 smaller codes fail, 2 larger codes fail, 4 and 8: rows with exactly the least / most code
 *              are compared by value, 16: values are f64, else u16 remainders
 *           32 u32 values   36 u32 least remainder   40 u32 most remainder   48 f64 minimum   56 f64 maximum
 *   sets    12 u32 codes    16 u32 table of bits, 1 is allowed; 32 bytes for byte codes
 *   f32     12 u32 values   16 f32 minimum   20 f32 maximum
 */
export const PREDICATE_BYTES: usize = 64;

const LOW: u32 = 1;
const HIGH: u32 = 2;
const LOW_BY_VALUE: u32 = 4;
const HIGH_BY_VALUE: u32 = 8;
const DOUBLES: u32 = 16;

/**
 * Writes to `failed` the rows of a tile that fail a constraint of `count` predicates, and to `missing`, unless it is 0,
 * those of them that fail for want of a value only. `scratch` is room for one more bitmap and a half.
 *
 * `cut`, unless it is 0, is a u32 to which the rows of the bitmap `live` are added that fail by value. The host knows how
 * many fail by their code.
 */
export function evaluateAll(
  predicate: usize,
  count: u32,
  tile: u32,
  failed: usize,
  missing: usize,
  scratch: usize,
  cut: usize,
  live: usize,
): void {
  if (count == 1 && missing == 0) {
    evaluate(predicate, tile, failed, scratch + TILE_BYTES, cut, live);
    const unknown = <usize>load<u32>(predicate, 4);
    if (unknown == 0) return;
    if (load<u32>(predicate, 8)) include(failed, unknown + <usize>tile * TILE_BYTES);
    else exclude(failed, unknown + <usize>tile * TILE_BYTES);
    return;
  }
  clear(failed);
  if (missing != 0) clear(missing);
  for (; count > 0; count--, predicate += PREDICATE_BYTES) {
    evaluate(predicate, tile, scratch, scratch + TILE_BYTES, 0, 0);
    const unknown = <usize>load<u32>(predicate, 4);
    if (unknown != 0) {
      exclude(scratch, unknown + <usize>tile * TILE_BYTES);
      if (load<u32>(predicate, 8)) include(missing, unknown + <usize>tile * TILE_BYTES);
    }
    include(failed, scratch);
  }
  if (missing == 0) return;
  exclude(missing, failed);
  include(failed, missing);
}

/** Rows of a tile that fail one predicate; what it says of unknown rows is arbitrary. */
function evaluate(predicate: usize, tile: u32, out: usize, equal: usize, cut: usize, live: usize): void {
  const kind = load<u32>(predicate);
  if (kind == 1) range(predicate, tile, out, equal, cut, live);
  else if (kind == 0) union(predicate, tile, out);
  else if (kind == 2) byteSet(predicate, tile, out);
  else if (kind == 3) wordSet(predicate, tile, out);
  else floats(predicate, tile, out);
}

function union(predicate: usize, tile: u32, out: usize): void {
  let item = <usize>load<u32>(predicate, 12);
  const end = item + ((<usize>load<u32>(predicate, 16)) << 3);
  const start = <usize>tile * TILE_BYTES;
  let a0 = i64x2.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    a4 = a0,
    a5 = a0,
    a6 = a0,
    a7 = a0;
  for (; item < end; item += 8) {
    const at = <usize>load<u32>(item) + start;
    const invert = v128.load32_splat(item + 4);
    a0 = v128.or(a0, v128.xor(invert, v128.load(at)));
    a1 = v128.or(a1, v128.xor(invert, v128.load(at, 16)));
    a2 = v128.or(a2, v128.xor(invert, v128.load(at, 32)));
    a3 = v128.or(a3, v128.xor(invert, v128.load(at, 48)));
    a4 = v128.or(a4, v128.xor(invert, v128.load(at, 64)));
    a5 = v128.or(a5, v128.xor(invert, v128.load(at, 80)));
    a6 = v128.or(a6, v128.xor(invert, v128.load(at, 96)));
    a7 = v128.or(a7, v128.xor(invert, v128.load(at, 112)));
  }
  const none = v128.load32_splat(predicate + 20);
  v128.store(out, v128.xor(none, a0));
  v128.store(out, v128.xor(none, a1), 16);
  v128.store(out, v128.xor(none, a2), 32);
  v128.store(out, v128.xor(none, a3), 48);
  v128.store(out, v128.xor(none, a4), 64);
  v128.store(out, v128.xor(none, a5), 80);
  v128.store(out, v128.xor(none, a6), 96);
  v128.store(out, v128.xor(none, a7), 112);
}

function range(predicate: usize, tile: u32, out: usize, equal: usize, cut: usize, live: usize): void {
  const bits = load<i32>(predicate, 16);
  const has = load<u32>(predicate, 28);
  const planes = <usize>load<u32>(predicate, 12) + <usize>tile * <usize>bits * TILE_BYTES;
  if ((has & (HIGH | HIGH_BY_VALUE)) == HIGH) compare(planes, bits, load<i32>(predicate, 24), out, false);
  else clear(out);
  if ((has & (LOW | LOW_BY_VALUE)) == LOW) compare(planes, bits, load<i32>(predicate, 20) - 1, out, true);
  if ((has & (LOW_BY_VALUE | HIGH_BY_VALUE)) == 0) return;
  for (let half: usize = 0; half < TILE_BYTES; half += 64) {
    const row = ((<usize>tile) << TILE_SHIFT) + (half << 3);
    if (has & HIGH_BY_VALUE)
      if (compareAround(planes + half, bits, load<i32>(predicate, 24), out + half, equal, false))
        byValue(predicate, row, out + half, equal, false, cut, live);
    if (has & LOW_BY_VALUE)
      if (compareAround(planes + half, bits, load<i32>(predicate, 20), out + half, equal, true))
        byValue(predicate, row, out + half, equal, true, cut, live);
  }
}

/**
 * Compares the rows of half a tile that are set in `equal` with the bound itself; failing ones are added to `out`. Nothing
 * branches on a value: it comes from far away, and a branch that is mispredicted would wait for it.
 */
function byValue(
  predicate: usize,
  row: usize,
  out: usize,
  equal: usize,
  isLow: bool,
  cut: usize,
  live: usize,
): void {
  const values = <usize>load<u32>(predicate, 32);
  const doubles = (load<u32>(predicate, 28) & DOUBLES) != 0;
  for (let at: usize = 0; at < 64; at += 8, row += 64) {
    let left = load<u64>(equal + at);
    if (left == 0) continue;
    let bad: u64 = 0;
    while (left != 0) {
      const bit = ctz(left);
      left &= left - 1;
      let fails: bool;
      if (doubles) {
        const value = load<f64>(values + ((row + <usize>bit) << 3));
        fails = isLow ? value < load<f64>(predicate, 48) : value > load<f64>(predicate, 56);
      } else {
        const remainder = <u32>load<u16>(values + ((row + <usize>bit) << 1));
        fails = isLow ? remainder < load<u32>(predicate, 36) : remainder > load<u32>(predicate, 40);
      }
      bad |= (<u64>fails) << bit;
    }
    store<u64>(out + at, load<u64>(out + at) | bad);
    if (cut == 0) continue;
    const unknown = <usize>load<u32>(predicate, 4);
    let rows = bad & load<u64>(live + (row >> 3));
    if (unknown != 0) rows &= ~load<u64>(unknown + (row >> 3));
    store<u32>(cut, load<u32>(cut) + <u32>popcnt(rows));
  }
}

/**
 * Membership of 16 byte codes at a time: the code's upper five bits choose a byte of the table, its lower three a bit
 * of that byte.
 */
function byteSet(predicate: usize, tile: u32, out: usize): void {
  let codes = <usize>load<u32>(predicate, 12) + ((<usize>tile) << TILE_SHIFT);
  const table = <usize>load<u32>(predicate, 16);
  const low = v128.load(table),
    high = v128.load(table, 16);
  const bit = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const seven = i8x16.splat(7),
    sixteen = i8x16.splat(16);
  for (let at: usize = 0; at < TILE_BYTES; at += 2, codes += 16) {
    const code = v128.load(codes);
    const byte = i8x16.shr_u(code, 3);
    // out of range indices give 0: each half of the table answers for its own codes
    const allowed = v128.or(i8x16.swizzle(low, byte), i8x16.swizzle(high, i8x16.sub(byte, sixteen)));
    const hit = v128.and(allowed, i8x16.swizzle(bit, v128.and(code, seven)));
    store<u16>(out + at, <u16>i8x16.bitmask(i8x16.eq(hit, i8x16.splat(0))));
  }
}

function wordSet(predicate: usize, tile: u32, out: usize): void {
  let codes = <usize>load<u32>(predicate, 12) + ((<usize>tile) << (TILE_SHIFT + 1));
  const table = <usize>load<u32>(predicate, 16);
  for (let at: usize = 0; at < TILE_BYTES; at++, codes += 16) {
    let fails: u32 = 0;
    for (let bit: usize = 0; bit < 8; bit++) {
      const code = <usize>load<u16>(codes + (bit << 1));
      fails |= (((<u32>load<u8>(table + (code >> 3)) >> (<u32>code & 7)) & 1) ^ 1) << (<u32>bit);
    }
    store<u8>(out + at, <u8>fails);
  }
}

function outside(at: usize, minimum: v128, maximum: v128): v128 {
  const value = v128.load(at);
  return v128.or(f32x4.lt(value, minimum), f32x4.gt(value, maximum));
}

/** The layout that bit planes are measured against. Exact only where all values and bounds are f32. */
function floats(predicate: usize, tile: u32, out: usize): void {
  let values = <usize>load<u32>(predicate, 12) + ((<usize>tile) << (TILE_SHIFT + 2));
  const minimum = v128.load32_splat(predicate + 16);
  const maximum = v128.load32_splat(predicate + 20);
  for (let at: usize = 0; at < TILE_BYTES; at += 2, values += 64) {
    const low = i16x8.narrow_i32x4_s(
      outside(values, minimum, maximum),
      outside(values + 16, minimum, maximum),
    );
    const high = i16x8.narrow_i32x4_s(
      outside(values + 32, minimum, maximum),
      outside(values + 48, minimum, maximum),
    );
    store<u16>(out + at, <u16>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)));
  }
}
