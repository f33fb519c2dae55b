import { TILE_BYTES, TILE_SHIFT } from "../../assembly/bitmaps";
import { countFailures, REFERENCE_BYTES, tally } from "../../assembly/combine";
import { decode } from "../../assembly/rank";

/**
 * The plain kernel that bit planes are measured against: f32 columns and byte codes scanned four and sixteen rows at a
 * time, score columns gathered one by one. Memory is written by bench/plain-scan.ts:
 *
 *   query       0 u32 tiles   4 u32 predicates   8 u32 address of predicates, 64 bytes each   12 u32 scratch
 *              16 u32 counts  20 u32 universe   24 u32 terms   28 u32 address of {u32 f32[rows], f32 weight}[]
 *              32 u32 k   36 u32 address of f32 heap   40 u32 address of kept {u32 row, f32 score}[]
 *              44 u32 kept, written   48 u32 feasible, written
 *   predicate   0 u32 kind: 0 f32 range, 1 set of byte codes, 2 flag bytes   4 u32 column
 *               8 f32 minimum   12 f32 maximum   16 table of 32 bits
 *   scratch     passing, once, rows of a tile (4,224 bytes), references, one bitmap per predicate
 */
export function scan(query: usize): void {
  const count = load<u32>(query, 4);
  const scratch = <usize>load<u32>(query, 12);
  const references = scratch + 4608;
  const bitmaps = references + <usize>count * REFERENCE_BYTES;
  for (let index: u32 = 0; index < count; index++) {
    const at = references + <usize>index * REFERENCE_BYTES;
    memory.fill(at, 0, REFERENCE_BYTES);
    store<u32>(at, <u32>(bitmaps + <usize>index * TILE_BYTES));
  }
  store<u32>(query, 0, 44);
  store<u32>(query, 0, 48);
  const tiles = load<u32>(query);
  let heaped: u32 = 0;
  for (let tile: u32 = 0; tile < tiles; tile++) {
    for (let index: u32 = 0; index < count; index++)
      test(<usize>load<u32>(query, 8) + ((<usize>index) << 6), tile, bitmaps + <usize>index * TILE_BYTES);
    const universe = <usize>load<u32>(query, 20) + <usize>tile * TILE_BYTES;
    tally(references, count, tile, universe, scratch, scratch + TILE_BYTES);
    countFailures(references, count, tile, universe, scratch + TILE_BYTES, <usize>load<u32>(query, 16));
    const rows = scratch + 256;
    const end = decode(scratch, tile << TILE_SHIFT, rows);
    store<u32>(query, load<u32>(query, 48) + <u32>((end - rows) >> 2), 48);
    heaped = score(query, rows, end, heaped);
  }
}

function outside(at: usize, minimum: v128, maximum: v128): v128 {
  const value = v128.load(at);
  return v128.not(v128.and(f32x4.ge(value, minimum), f32x4.le(value, maximum)));
}

function test(predicate: usize, tile: u32, out: usize): void {
  const kind = load<u32>(predicate);
  let at = <usize>load<u32>(predicate, 4) + ((<usize>tile) << (kind === 0 ? TILE_SHIFT + 2 : TILE_SHIFT));
  const end = out + TILE_BYTES;
  if (kind === 0) {
    const minimum = v128.load32_splat(predicate + 8),
      maximum = v128.load32_splat(predicate + 12);
    for (; out < end; out += 2, at += 64) {
      const low = i16x8.narrow_i32x4_s(outside(at, minimum, maximum), outside(at + 16, minimum, maximum));
      const high = i16x8.narrow_i32x4_s(
        outside(at + 32, minimum, maximum),
        outside(at + 48, minimum, maximum),
      );
      store<u16>(out, <u16>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)));
    }
  } else if (kind === 1) {
    // 32 codes: four bytes of table, chosen by the code's upper bits
    const table = v128.load32_zero(predicate + 16);
    const bit = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    for (; out < end; out += 2, at += 16) {
      const code = v128.load(at);
      const allowed = i8x16.swizzle(table, i8x16.shr_u(code, 3));
      const hit = v128.and(allowed, i8x16.swizzle(bit, v128.and(code, i8x16.splat(7))));
      store<u16>(out, <u16>i8x16.bitmask(i8x16.eq(hit, i8x16.splat(0))));
    }
  } else {
    for (; out < end; out += 2, at += 16)
      store<u16>(out, <u16>i8x16.bitmask(i8x16.ne(v128.load(at), i8x16.splat(1))));
  }
}

/** Scores rows from the columns; keeps what is within a hair of the k-th best. */
function score(query: usize, row: usize, end: usize, heaped: u32): u32 {
  const terms = <usize>load<u32>(query, 28);
  const last = terms + ((<usize>load<u32>(query, 24)) << 3);
  const k = load<u32>(query, 32);
  const heap = <usize>load<u32>(query, 36);
  for (; row < end; row += 4) {
    const number = load<u32>(row);
    let sum: f32 = 0;
    for (let term = terms; term < last; term += 8)
      sum += load<f32>(term, 4) * load<f32>(<usize>load<u32>(term) + ((<usize>number) << 2));
    if (heaped === k && sum > load<f32>(heap + ((<usize>(k - 1)) << 2)) + 1e-4) continue;
    const kept = load<u32>(query, 44);
    const place = <usize>load<u32>(query, 40) + ((<usize>kept) << 3);
    store<u32>(place, number);
    store<f32>(place, sum, 4);
    store<u32>(query, kept + 1, 44);
    let at = heaped < k ? heaped : k;
    if (at === k && sum >= load<f32>(heap + ((<usize>(k - 1)) << 2))) continue;
    if (at === k) at = k - 1;
    for (; at > 0 && load<f32>(heap + ((<usize>(at - 1)) << 2)) > sum; at--)
      store<f32>(heap + ((<usize>at) << 2), load<f32>(heap + ((<usize>(at - 1)) << 2)));
    store<f32>(heap + ((<usize>at) << 2), sum);
    if (heaped < k) heaped++;
  }
  return heaped;
}

/** Reads a block in order, 64 bytes a step; the sum keeps the loads. */
export function stream(at: usize, bytes: usize): i64 {
  let a = i64x2.splat(0),
    b = a,
    c = a,
    d = a;
  for (const end = at + bytes; at < end; at += 64) {
    a = v128.xor(a, v128.load(at));
    b = v128.xor(b, v128.load(at, 16));
    c = v128.xor(c, v128.load(at, 32));
    d = v128.xor(d, v128.load(at, 48));
  }
  return i64x2.extract_lane(v128.xor(v128.xor(a, b), v128.xor(c, d)), 0);
}
