import { toMps } from "../milp/mps.ts";
import type { Batch } from "./batch.ts";
import { type Classes, classesOf } from "./classes.ts";
import { type Formulation, formulate, pointOf } from "./formulate.ts";
import type { Instance } from "./instance.ts";
import type { AssignOutcome } from "./solve.ts";

/** Everything with which another solver can recompute a batch's gap. */
export interface BatchDump {
  /** The whole model, all integer, minimizing minus the gain in units of `objectiveScale`; free MPS. */
  readonly mps: string;
  readonly objectiveScale: number;
  /** Nonzero columns of the assignment. */
  readonly assignment: readonly AssignedColumn[];
  /** Micro-units per hour: what the assignment gains, and what none exceeds. */
  readonly gain: number;
  readonly bound: number;
  readonly gap: number;
  readonly solver: string;
}

/** One column of the model with a value, and what it means. */
export interface AssignedColumn {
  readonly column: string;
  readonly value: number;
  /** Intent that the column places, or running intent that stays. */
  readonly intent: string;
  /** Absent: the column counts whether the intent is placed as a whole. */
  readonly offer?: string;
  readonly spot?: boolean;
  /** Replicas that one unit of the column hosts. */
  readonly replicas?: number;
}

/** Every item by itself, so that columns belong to intents. */
function separate(instance: Instance): Classes {
  const start = Int32Array.from({ length: instance.items + 1 }, (_, index) => index);
  return { count: instance.items, start, member: start.slice(0, instance.items) };
}

/** The instance with its integer model, for files and for tests against other solvers. */
export function integerModel(instance: Instance, classes: Classes = classesOf(instance)): Formulation {
  return formulate(instance, classes, { integer: new Uint8Array(instance.items).fill(1) });
}

/**
 * Writes an assigned batch down. Rows are `r0 ...` in the order of the batch (offers' capacities, limits, floors), then
 * one or two per intent; columns are `x0 ...`.
 */
export function dumpBatch(batch: Batch, instance: Instance, outcome: AssignOutcome): BatchDump {
  const formulation = integerModel(instance, separate(instance));
  const { model, scale, optionColumn, placedColumn } = formulation;
  const point = pointOf(instance, formulation, outcome.units);
  const columnName = (column: number): string => `x${column}`;
  const assignment: AssignedColumn[] = [];
  for (let item = 0; item < instance.items; item++) {
    const intent =
      batch.contenders[item]?.scope.need.intent.name ??
      batch.running[item - batch.contenders.length]?.intent ??
      "";
    const placed = placedColumn[item]!;
    if (placed >= 0 && point[placed]! > 0)
      assignment.push({ column: columnName(placed), value: point[placed]!, intent });
    const first = instance.optionStart[item]!;
    for (let option = first; option < instance.optionStart[item + 1]!; option++) {
      const column = optionColumn[item]! + option - first;
      if (point[column]! > 0)
        assignment.push({
          column: columnName(column),
          value: point[column]!,
          intent,
          ...placeOf(batch, item, option),
        });
    }
  }
  return {
    mps: toMps(model, { model: "batch", column: columnName, row: (row) => `r${row}` }),
    objectiveScale: scale,
    assignment,
    gain: outcome.gain,
    bound: outcome.bound,
    gap: outcome.gap,
    solver: outcome.solver,
  };
}

/** Where an option puts its intent. */
function placeOf(
  batch: Batch,
  item: number,
  option: number,
): Pick<AssignedColumn, "offer" | "spot" | "replicas"> {
  const contender = batch.contenders[item];
  if (contender === undefined) return { offer: batch.running[item - batch.contenders.length]?.offer ?? "" };
  const { candidate, replicas } = batch.unit[option]!;
  const { options, snapshot } = contender.scope.catalog;
  return {
    offer: snapshot.offers[options.flavor[candidate.row]!]!.id,
    spot: options.spot[candidate.row] === 1,
    replicas,
  };
}
