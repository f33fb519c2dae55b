/**
 * Relaxations of an assignment (engine/assign): who would take what at given prices, and what fits into each offer at
 * given gains. Sums run in index order, so results match the TypeScript twins bit for bit. Memory is the caller's;
 * engine/kernel/relax-kernel.ts lays it out.
 *
 * The instance, addresses unless said otherwise:
 *    0 u32 items   4 u32 rows   8 i32 optionStart[items + 1]   12 i32 useStart[options + 1]   16 i32 useRow[uses]
 *   20 f64 useAmount[uses]   24 f64 capacity[rows]   28 f64 cost[options]   32 i32 covers[options]
 *   36 i32 copies[items]   40 f64 worth[items]   44 f64 prices[rows]   48 f64 usage[rows]
 */

/** The dual bound at the prices; writes what every row would be asked for into `usage`. */
export function dualBound(at: usize): f64 {
  const items = load<u32>(at);
  const rows = <usize>load<u32>(at, 4);
  const optionStart = <usize>load<u32>(at, 8);
  const useStart = <usize>load<u32>(at, 12);
  const useRow = <usize>load<u32>(at, 16);
  const useAmount = <usize>load<u32>(at, 20);
  const capacity = <usize>load<u32>(at, 24);
  const cost = <usize>load<u32>(at, 28);
  const covers = <usize>load<u32>(at, 32);
  const copies = <usize>load<u32>(at, 36);
  const worth = <usize>load<u32>(at, 40);
  const prices = <usize>load<u32>(at, 44);
  const usage = <usize>load<u32>(at, 48);
  let bound = 0.0;
  for (let row: usize = 0; row < rows; row++)
    bound += load<f64>(prices + (row << 3)) * load<f64>(capacity + (row << 3));
  memory.fill(usage, 0, rows << 3);
  for (let item: u32 = 0; item < items; item++) {
    const first = load<u32>(optionStart + ((<usize>item) << 2));
    const last = load<u32>(optionStart + ((<usize>item) << 2), 4);
    let least = Infinity;
    let chosen: i32 = -1;
    for (let option = first; option < last; option++) {
      let charge = load<f64>(cost + ((<usize>option) << 3));
      const end = <usize>load<u32>(useStart + ((<usize>option) << 2), 4);
      for (let use = <usize>load<u32>(useStart + ((<usize>option) << 2)); use < end; use++)
        charge +=
          load<f64>(prices + ((<usize>load<u32>(useRow + (use << 2))) << 3)) *
          load<f64>(useAmount + (use << 3));
      const each = load<i32>(covers + ((<usize>option) << 2));
      // a division by 1 changes nothing, and costs most of this loop
      if (each != 1) charge /= <f64>each;
      if (charge < least) {
        least = charge;
        chosen = option;
      }
    }
    if (chosen < 0) continue;
    const wanted = <f64>load<i32>(copies + ((<usize>item) << 2));
    const reduced = load<f64>(worth + ((<usize>item) << 3)) - wanted * least;
    if (!(reduced > 0.0)) continue;
    bound += reduced;
    const units = wanted / <f64>load<i32>(covers + ((<usize>chosen) << 2));
    const end = <usize>load<u32>(useStart + ((<usize>chosen) << 2), 4);
    for (let use = <usize>load<u32>(useStart + ((<usize>chosen) << 2)); use < end; use++) {
      const to = usage + ((<usize>load<u32>(useRow + (use << 2))) << 3);
      store<f64>(to, load<f64>(to) + units * load<f64>(useAmount + (use << 3)));
    }
  }
  return bound;
}

/**
 * All knapsacks: per row the entries whose gains add up to most within its capacity.
 *
 *    0 u32 rows   4 u32 options   8 i32 start[rows + 1]: a row without entries has no knapsack   12 i32 option[entries]
 *   16 i32 weight[entries]   20 f64 capacity[rows]   24 f64 gains[options]   28 i32 chosen[options], written
 *   32 f64 states[most capacity + 1]   36 u8 taken[most entries * (capacity + 1)]   40 i32 list[most entries]
 */
export function packKnapsacks(at: usize): f64 {
  const rows = load<u32>(at);
  const start = <usize>load<u32>(at, 8);
  const options = <usize>load<u32>(at, 12);
  const weights = <usize>load<u32>(at, 16);
  const capacity = <usize>load<u32>(at, 20);
  const gains = <usize>load<u32>(at, 24);
  const chosen = <usize>load<u32>(at, 28);
  const list = <usize>load<u32>(at, 40);
  memory.fill(chosen, 0, (<usize>load<u32>(at, 4)) << 2);
  let sum = 0.0;
  for (let row: u32 = 0; row < rows; row++) {
    const first = <usize>load<u32>(start + ((<usize>row) << 2));
    const last = <usize>load<u32>(start + ((<usize>row) << 2), 4);
    if (first == last) continue;
    const size = <i32>load<f64>(capacity + ((<usize>row) << 3));
    let count: usize = 0;
    let total: i32 = 0;
    let all = 0.0;
    for (let entry = first; entry < last; entry++) {
      const gain = load<f64>(gains + ((<usize>load<u32>(options + (entry << 2))) << 3));
      const weight = load<i32>(weights + (entry << 2));
      if (!(gain > 0.0) || weight > size) continue;
      store<u32>(list + (count << 2), <u32>entry);
      count++;
      total += weight;
      all += gain;
    }
    if (total <= size) {
      sum += all;
      for (let index: usize = 0; index < count; index++) take(chosen, options, list, index);
    } else sum += packOne(at, size, count);
  }
  return sum;
}

/** Counts one unit of the option of a listed entry. */
function take(chosen: usize, options: usize, list: usize, index: usize): usize {
  const entry = <usize>load<u32>(list + (index << 2));
  const to = chosen + ((<usize>load<u32>(options + (entry << 2))) << 2);
  store<i32>(to, load<i32>(to) + 1);
  return entry;
}

/** One knapsack of `count` listed entries by dynamic programming over its capacity. */
function packOne(at: usize, size: i32, count: usize): f64 {
  const options = <usize>load<u32>(at, 12);
  const weights = <usize>load<u32>(at, 16);
  const gains = <usize>load<u32>(at, 24);
  const chosen = <usize>load<u32>(at, 28);
  const states = <usize>load<u32>(at, 32);
  const taken = <usize>load<u32>(at, 36);
  const list = <usize>load<u32>(at, 40);
  const width = <usize>(size + 1);
  memory.fill(states, 0, width << 3);
  memory.fill(taken, 0, count * width);
  for (let index: usize = 0; index < count; index++) {
    const entry = <usize>load<u32>(list + (index << 2));
    const gain = load<f64>(gains + ((<usize>load<u32>(options + (entry << 2))) << 3));
    const weight = load<i32>(weights + (entry << 2));
    const base = taken + index * width;
    for (let room = size; room >= weight; room--) {
      const other = load<f64>(states + ((<usize>(room - weight)) << 3)) + gain;
      const state = states + ((<usize>room) << 3);
      if (!(other > load<f64>(state))) continue;
      store<f64>(state, other);
      store<u8>(base + <usize>room, 1);
    }
  }
  let room = size;
  for (let index = count; index > 0; index--) {
    if (load<u8>(taken + (index - 1) * width + <usize>room) == 0) continue;
    const entry = take(chosen, options, list, index - 1);
    room -= load<i32>(weights + (entry << 2));
  }
  return load<f64>(states + ((<usize>size) << 3));
}
