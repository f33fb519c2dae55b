import type { Part } from "./job.ts";
import type { KernelMemory } from "./memory.ts";
import type { Answer } from "./query.ts";

/** Sum of what the threads counted. */
function total(
  memory: KernelMemory,
  threads: readonly number[],
  offset: number,
  length: number,
): Uint32Array {
  const [first] = threads;
  const at = (first! + offset) >> 2;
  const sum = memory.u32.slice(at, at + length);
  for (const thread of threads.slice(1)) {
    const from = (thread + offset) >> 2;
    for (let index = 0; index < length; index++) sum[index]! += memory.u32[from + index]!;
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
  part: Part,
  considered: number,
): Answer {
  const { u32, i32 } = memory;
  const count = part.constraints;
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
  const rows: number[] = [];
  const scores: number[] = [];
  for (const thread of threads) {
    feasible += u32[(thread + part.output) >> 2]!;
    let at = (thread + part.kept) >> 2;
    for (let left = u32[(thread + part.output + 4) >> 2]!; left > 0; left--, at += 2) {
      if (i32[at + 1]! > limit) continue;
      rows.push(u32[at]!);
      scores.push(i32[at + 1]!);
    }
  }
  const order = rows.map((_, index) => index).sort((a, b) => scores[a]! - scores[b]! || rows[a]! - rows[b]!);
  return {
    considered,
    feasible,
    failed: total(memory, threads, part.counts, count),
    unknown: total(memory, threads, part.counts + 4 * count, count),
    sole: total(memory, threads, part.counts + 8 * count, count),
    rows: Uint32Array.from(order, (index) => rows[index]!),
    scores: Int32Array.from(order, (index) => scores[index]!),
  };
}
