import { assert } from "../model/errors.ts";
import type { RecordedAnswer } from "../model/plan.ts";
import type { LinearModel } from "./model.ts";
import type { Basis, SolveAnswer, Solver } from "./solver.ts";

/** FNV-1a over the model's numbers; tells models apart, resists nobody. */
export function modelChecksum(model: LinearModel): number {
  let hash = 0x811c9dc5;
  const mix = (bytes: ArrayBufferView): void => {
    for (const byte of new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      hash = Math.imul(hash ^ byte, 0x01000193);
  };
  mix(Int32Array.of(model.cols, model.rows));
  for (const part of [model.cost, model.rowUpper, model.rowLower, model.starts, model.indices, model.values])
    mix(part);
  return hash >>> 0;
}

const sparse = (values: Float64Array): number[] => {
  const pairs: number[] = [];
  for (const [index, value] of values.entries()) if (value !== 0) pairs.push(index, value);
  return pairs;
};

const dense = (pairs: readonly number[], length: number): Float64Array => {
  const values = new Float64Array(length);
  for (let at = 0; at + 1 < pairs.length; at += 2) values[pairs[at]!] = pairs[at + 1]!;
  return values;
};

/** A solver that notes every answer, in the order of the requests. */
export function recordingSolver(solver: Solver, answers: (RecordedAnswer | null)[]): Solver {
  return {
    ...solver,
    async solve(request) {
      const slot = answers.push(null) - 1;
      let answer: SolveAnswer;
      try {
        answer = await solver.solve(request);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        answer = { status: "failed", values: null, bound: -Infinity, rowDuals: null, basis: null, message };
      }
      const { message } = answer;
      answers[slot] = {
        solver: answer.from ?? solver.name,
        model: modelChecksum(request.model),
        status: answer.status,
        values: answer.values === null ? null : sparse(answer.values),
        bound: Number.isFinite(answer.bound) ? answer.bound : null,
        rowDuals: answer.rowDuals === null ? null : sparse(answer.rowDuals),
        ...(message === undefined ? {} : { message }),
      };
      return answer;
    },
  };
}

/**
 * A solver that repeats recorded answers in order, for byte-equal replays of plans that a clock cut short.
 * Fails when asked something that was not recorded.
 */
export function replaySolver(answers: readonly RecordedAnswer[]): Solver {
  let next = 0;
  return {
    name: answers[0]?.solver ?? "replay",
    limits: {
      // the one backend without integers was never asked for any
      integers: answers[0]?.solver !== "jslp",
      duals: true,
      deadline: true,
      maxCols: Infinity,
      maxEntries: Infinity,
    },
    async solve({ model }) {
      const answer = answers[next++];
      assert(answer !== undefined, `replay has no answer ${next}`);
      assert(answer.model === modelChecksum(model), `replay answer ${next} belongs to another model`);
      const { message } = answer;
      const basis: Basis | null = null;
      return {
        status: answer.status,
        values: answer.values === null ? null : dense(answer.values, model.cols),
        bound: answer.bound ?? -Infinity,
        rowDuals: answer.rowDuals === null ? null : dense(answer.rowDuals, model.rows),
        basis,
        from: answer.solver,
        ...(message === undefined ? {} : { message }),
      };
    },
    async dispose() {
      // nothing is held
    },
  };
}
