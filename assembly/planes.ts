import { TILE_BYTES } from "./bitmaps";

/**
 * Comparison of codes held as bit planes. A column's code of b bits is stored tile by tile, lowest bit first:
 *
 *   planes + (tile * b + bit) * 128:   bitmap of that bit over the tile's 1,024 rows
 *
 * `code > c` for all rows of a tile takes one `and` or `or` per plane, from the lowest bit up: where c has a 1, a row
 * stays above only if it has a 1 too; where c has a 0, a row with a 1 is above whatever came before. Trailing ones of c
 * cannot put anything above, so those planes are not read.
 *
 * @see Li & Patel, "BitWeaving: Fast Scans for Main Memory Data Processing" (SIGMOD 2013): the layout; there the scan
 *      runs from the highest bit down with two operations per plane.
 */

/**
 * Rows of a tile with code > c (`negate` false: written to `out`) or with code <= c (true: added to `out`).
 *
 * @param planes the tile's planes
 * @param c -1 or more
 */
export function compare(planes: usize, bits: i32, c: i32, out: usize, negate: bool): void {
  let a0 = i64x2.splat(c < 0 ? -1 : 0),
    a1 = a0,
    a2 = a0,
    a3 = a0,
    a4 = a0,
    a5 = a0,
    a6 = a0,
    a7 = a0;
  let bit = ctz(~c);
  planes += <usize>bit * TILE_BYTES;
  for (; bit < bits; bit++, planes += TILE_BYTES) {
    if ((c >> bit) & 1) {
      a0 = v128.and(a0, v128.load(planes));
      a1 = v128.and(a1, v128.load(planes, 16));
      a2 = v128.and(a2, v128.load(planes, 32));
      a3 = v128.and(a3, v128.load(planes, 48));
      a4 = v128.and(a4, v128.load(planes, 64));
      a5 = v128.and(a5, v128.load(planes, 80));
      a6 = v128.and(a6, v128.load(planes, 96));
      a7 = v128.and(a7, v128.load(planes, 112));
    } else {
      a0 = v128.or(a0, v128.load(planes));
      a1 = v128.or(a1, v128.load(planes, 16));
      a2 = v128.or(a2, v128.load(planes, 32));
      a3 = v128.or(a3, v128.load(planes, 48));
      a4 = v128.or(a4, v128.load(planes, 64));
      a5 = v128.or(a5, v128.load(planes, 80));
      a6 = v128.or(a6, v128.load(planes, 96));
      a7 = v128.or(a7, v128.load(planes, 112));
    }
  }
  if (negate) {
    v128.store(out, v128.or(v128.load(out), v128.not(a0)));
    v128.store(out, v128.or(v128.load(out, 16), v128.not(a1)), 16);
    v128.store(out, v128.or(v128.load(out, 32), v128.not(a2)), 32);
    v128.store(out, v128.or(v128.load(out, 48), v128.not(a3)), 48);
    v128.store(out, v128.or(v128.load(out, 64), v128.not(a4)), 64);
    v128.store(out, v128.or(v128.load(out, 80), v128.not(a5)), 80);
    v128.store(out, v128.or(v128.load(out, 96), v128.not(a6)), 96);
    v128.store(out, v128.or(v128.load(out, 112), v128.not(a7)), 112);
  } else {
    v128.store(out, a0);
    v128.store(out, a1, 16);
    v128.store(out, a2, 32);
    v128.store(out, a3, 48);
    v128.store(out, a4, 64);
    v128.store(out, a5, 80);
    v128.store(out, a6, 96);
    v128.store(out, a7, 112);
  }
}

/**
 * Half a tile, where the bound cuts through the values of one code: rows beyond the code fail, rows with exactly that
 * code are returned for a look at their values. Eight accumulators are what the registers hold, hence the half.
 *
 * `below` false: adds rows with code > c to `out`; true: adds rows with code < c. `equal` receives the rows with
 * code == c. Returns whether there are any.
 */
export function compareAround(planes: usize, bits: i32, c: i32, out: usize, equal: usize, below: bool): bool {
  let a0 = i64x2.splat(0),
    a1 = a0,
    a2 = a0,
    a3 = a0;
  let e0 = v128.not(a0),
    e1 = e0,
    e2 = e0,
    e3 = e0;
  for (let bit = 0; bit < bits; bit++, planes += TILE_BYTES) {
    const p0 = v128.load(planes),
      p1 = v128.load(planes, 16),
      p2 = v128.load(planes, 32),
      p3 = v128.load(planes, 48);
    if ((c >> bit) & 1) {
      a0 = v128.and(a0, p0);
      a1 = v128.and(a1, p1);
      a2 = v128.and(a2, p2);
      a3 = v128.and(a3, p3);
      e0 = v128.and(e0, p0);
      e1 = v128.and(e1, p1);
      e2 = v128.and(e2, p2);
      e3 = v128.and(e3, p3);
    } else {
      a0 = v128.or(a0, p0);
      a1 = v128.or(a1, p1);
      a2 = v128.or(a2, p2);
      a3 = v128.or(a3, p3);
      e0 = v128.andnot(e0, p0);
      e1 = v128.andnot(e1, p1);
      e2 = v128.andnot(e2, p2);
      e3 = v128.andnot(e3, p3);
    }
  }
  if (below) {
    a0 = v128.not(v128.or(a0, e0));
    a1 = v128.not(v128.or(a1, e1));
    a2 = v128.not(v128.or(a2, e2));
    a3 = v128.not(v128.or(a3, e3));
  }
  v128.store(out, v128.or(v128.load(out), a0));
  v128.store(out, v128.or(v128.load(out, 16), a1), 16);
  v128.store(out, v128.or(v128.load(out, 32), a2), 32);
  v128.store(out, v128.or(v128.load(out, 48), a3), 48);
  v128.store(equal, e0);
  v128.store(equal, e1, 16);
  v128.store(equal, e2, 32);
  v128.store(equal, e3, 48);
  return v128.any_true(v128.or(v128.or(e0, e1), v128.or(e2, e3)));
}
