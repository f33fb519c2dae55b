import type { Job } from "./job.ts";
import type { KernelMemory } from "./memory.ts";
import type { Answer } from "./query.ts";

/** Sum of what the threads counted. */
function total(u32: Uint32Array, threads: readonly number[], offset: number, length: number): Uint32Array {
  const sum = new Uint32Array(length);
  for (const thread of threads) {
    const from = (thread + offset) >> 2;
    for (let index = 0; index < length; index++) sum[index]! += u32[from + index]!;
  }
  return sum;
}

/**
 * Reads a query's answer out of the threads' memories and puts it together: counts add up, and of the rows each thread
 * kept those stay that are within the margin of the k-th best of all.
 */
export function readAnswer(
  memory: KernelMemory,
  threads: readonly number[],
  { parts, cuts }: Pick<Job, "parts" | "cuts">,
  index: number,
  considered: number,
): Answer {
  const { u32, i32 } = memory;
  const part = parts[index]!;
  const count = part.constraints;
  const failed = total(u32, threads, part.counts, count);
  const unknown = total(u32, threads, part.counts + 4 * count, count);
  for (let place = 0; place < count; place++) {
    const counted = part.counted[place];
    if (counted == null) continue;
    failed[place] = counted.failed;
    unknown[place] = counted.unknown;
    if (counted.cut > 0)
      for (const thread of threads) failed[place]! += u32[((thread + cuts) >> 2) + counted.cut - 1]!;
  }
  let limit = i32[(threads[0]! + part.output + 8) >> 2]!;
  if (threads.length > 1) {
    const best: number[] = [];
    for (const thread of threads) {
      const size = u32[(thread + part.output + 12) >> 2]!;
      const heap = (thread + part.heap) >> 2;
      best.push(...i32.subarray(heap, heap + size));
    }
    const kth = best.sort((a, b) => a - b)[part.k - 1];
    limit = kth === undefined ? Infinity : kth + part.margin;
  }
  let feasible = 0;
  let most = 0;
  for (const thread of threads) {
    feasible += u32[(thread + part.output) >> 2]!;
    most += u32[(thread + part.output + 4) >> 2]!;
  }
  const rows = new Uint32Array(most);
  const scores = new Int32Array(most);
  let size = 0;
  for (const thread of threads) {
    let at = (thread + part.kept) >> 2;
    for (let left = u32[(thread + part.output + 4) >> 2]!; left > 0; left--, at += 2) {
      const score = i32[at + 1]!;
      if (score > limit) continue;
      rows[size] = u32[at]!;
      scores[size++] = score;
    }
  }
  return answerOf(
    considered,
    feasible,
    failed,
    unknown,
    total(u32, threads, part.counts + 8 * count, count),
    size === most ? rows : rows.slice(0, size),
    size === most ? scores : scores.slice(0, size),
  );
}

/** Up to this many rows are sorted by insertion, which allocates nothing. */
const FEW = 64;

/** Puts rows, ascending on arrival, in the order of (score, row). */
function answerOf(
  considered: number,
  feasible: number,
  failed: Uint32Array,
  unknown: Uint32Array,
  sole: Uint32Array,
  rows: Uint32Array,
  scores: Int32Array,
): Answer {
  if (isAscending(scores)) return { considered, feasible, failed, unknown, sole, rows, scores };
  if (rows.length > FEW) {
    const order = Uint32Array.from(rows.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
    const [byScore, sorted] = [rows.slice(), scores.slice()];
    order.forEach((from, to) => {
      byScore[to] = rows[from]!;
      sorted[to] = scores[from]!;
    });
    return { considered, feasible, failed, unknown, sole, rows: byScore, scores: sorted };
  }
  for (let index = 1; index < rows.length; index++) {
    const row = rows[index]!;
    const score = scores[index]!;
    let at = index;
    for (; at > 0 && scores[at - 1]! > score; at--) {
      rows[at] = rows[at - 1]!;
      scores[at] = scores[at - 1]!;
    }
    rows[at] = row;
    scores[at] = score;
  }
  return { considered, feasible, failed, unknown, sole, rows, scores };
}

/** As scores without terms are, which are all 0. */
function isAscending(scores: Int32Array): boolean {
  for (let index = 1; index < scores.length; index++) if (scores[index]! < scores[index - 1]!) return false;
  return true;
}
