import type { Job, Part } from "./job.ts";
import type { KernelMemory } from "./memory.ts";
import type { Answer } from "./query.ts";

/** What the threads counted for a query's constraints, together with what is known beforehand. */
function readCounts(
  u32: Uint32Array,
  threads: readonly number[],
  { constraints, counts, counted }: Part,
  cuts: number,
): Pick<Answer, "failed" | "unknown" | "sole"> {
  const failed = new Uint32Array(constraints);
  const unknown = new Uint32Array(constraints);
  const sole = new Uint32Array(constraints);
  for (const thread of threads) {
    const from = (thread + counts) >> 2;
    const cut = ((thread + cuts) >> 2) - 1;
    for (let index = 0; index < constraints; index++) {
      const known = counted[index]!;
      if (known === null) {
        failed[index]! += u32[from + index]!;
        unknown[index]! += u32[from + constraints + index]!;
      } else if (known.cut > 0) failed[index]! += u32[cut + known.cut]!;
      sole[index]! += u32[from + 2 * constraints + index]!;
    }
  }
  for (let index = 0; index < constraints; index++) {
    const known = counted[index]!;
    if (known === null) continue;
    failed[index]! += known.failed;
    unknown[index] = known.unknown;
  }
  return { failed, unknown, sole };
}

/** Rows with a larger score are not among the candidates of all threads together. */
function limitOf({ i32, u32 }: KernelMemory, threads: readonly number[], part: Part): number {
  if (threads.length === 1) return i32[(threads[0]! + part.output + 8) >> 2]!;
  const best: number[] = [];
  for (const thread of threads) {
    const size = u32[(thread + part.output + 12) >> 2]!;
    const heap = (thread + part.heap) >> 2;
    best.push(...i32.subarray(heap, heap + size));
  }
  const kth = best.sort((a, b) => a - b)[part.k - 1];
  return kth === undefined ? Infinity : kth + part.margin;
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
  const counts = readCounts(u32, threads, part, cuts);
  const limit = limitOf(memory, threads, part);
  let feasible = 0;
  let size = 0;
  for (const thread of threads) {
    feasible += u32[(thread + part.output) >> 2]!;
    const first = (thread + part.kept) >> 2;
    const end = first + 2 * u32[(thread + part.output + 4) >> 2]!;
    for (let at = first; at < end; at += 2) if (i32[at + 1]! <= limit) size++;
  }
  const rows = new Uint32Array(size);
  const scores = new Int32Array(size);
  let next = 0;
  for (const thread of threads) {
    const first = (thread + part.kept) >> 2;
    const end = first + 2 * u32[(thread + part.output + 4) >> 2]!;
    for (let at = first; at < end; at += 2) {
      const score = i32[at + 1]!;
      if (score > limit) continue;
      rows[next] = u32[at]!;
      scores[next++] = score;
    }
  }
  sortRows(rows, scores);
  const { failed, unknown, sole } = counts;
  return { considered, feasible, failed, unknown, sole, rows, scores };
}

/** Up to this many rows are sorted by insertion, which allocates nothing. */
const FEW = 64;

/** Puts rows, ascending on arrival, in the order of (score, row). */
function sortRows(rows: Uint32Array, scores: Int32Array): void {
  if (isAscending(scores)) return;
  if (rows.length > FEW) {
    const order = Uint32Array.from(rows.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
    const [before, points] = [rows.slice(), scores.slice()];
    order.forEach((from, to) => {
      rows[to] = before[from]!;
      scores[to] = points[from]!;
    });
    return;
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
}

/** As scores without terms are, which are all 0. */
function isAscending(scores: Int32Array): boolean {
  for (let index = 1; index < scores.length; index++) if (scores[index]! < scores[index - 1]!) return false;
  return true;
}
