import { createModelBuilder, type LinearModel } from "../milp/model.ts";
import { type Classes, dealClass } from "./classes.ts";
import { type Instance, type Units, unitLimit } from "./instance.ts";

/** The instance as a linear model (minimize minus gain), one block of columns per class. */
export interface Formulation {
  readonly model: LinearModel;
  readonly classes: Classes;
  /** Money unit of the objective: model cost times this is micro-units. */
  readonly scale: number;
  /** Per row of the instance: the unit of its amounts in the model. */
  readonly amountScale: Float64Array;
  /** Per class: column of its first option; options follow in order. */
  readonly optionColumn: Int32Array;
  /** Per class: column of the number of members placed, or -1 for one-copy classes. */
  readonly placedColumn: Int32Array;
  /** Per class: its row. */
  readonly classRow: Int32Array;
  /** Rows of the instance in order, then one row per class. */
  readonly instanceRows: number;
}

export interface FormulateOptions {
  /** Per item: 1 where its columns are integer; absent: none is. */
  readonly integer?: Uint8Array;
}

/**
 * A scale that keeps coefficients near 1: HiGHS drops those under 1e-9 and works best between 1e-3 and 1e6.
 * A power of two, so scaling is exact.
 */
function scaleOf(values: Float64Array): number {
  let largest = 1;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  let scale = 1;
  while (largest / scale > 4096) scale *= 2;
  return scale;
}

/** Per row, the scale of its amounts. */
function rowScales(instance: Instance): Float64Array {
  const largest = new Float64Array(instance.rows).fill(1);
  for (let use = 0; use < instance.useRow.length; use++) {
    const row = instance.useRow[use]!;
    largest[row] = Math.max(largest[row]!, instance.useAmount[use]!);
  }
  return largest.map((value) => scaleOf(Float64Array.of(value / 16)));
}

/**
 * Builds the model. One-copy classes: the sum of their units is at most their members. Classes with copies get a
 * column z for members placed: units cover `copies * z`. Relaxing integrality per item gives valid bounds.
 */
export function formulate(
  instance: Instance,
  classes: Classes,
  { integer }: FormulateOptions = {},
): Formulation {
  const { optionStart, useStart, useRow, useAmount, cost, covers, copies, worth } = instance;
  const builder = createModelBuilder();
  const scale = scaleOf(worth);
  const amountScale = rowScales(instance);
  for (let row = 0; row < instance.rows; row++)
    builder.addRow(-Infinity, instance.capacity[row]! / amountScale[row]!);
  const optionColumn = new Int32Array(classes.count);
  const placedColumn = new Int32Array(classes.count).fill(-1);
  const classRow = new Int32Array(classes.count);
  for (let index = 0; index < classes.count; index++) {
    const item = classes.member[classes.start[index]!]!;
    const members = classes.start[index + 1]! - classes.start[index]!;
    const isInteger = integer !== undefined && integer[item] === 1;
    const isSingle = copies[item] === 1;
    const row = isSingle ? builder.addRow(-Infinity, members) : builder.addRow(0, Infinity);
    classRow[index] = row;
    if (!isSingle) {
      const placed = builder.addColumn(-worth[item]! / scale, 0, members, isInteger);
      builder.put(row, placed, -copies[item]!);
      placedColumn[index] = placed;
    }
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      const gain = isSingle ? worth[item]! - cost[option]! : -cost[option]!;
      const column = builder.addColumn(
        -gain / scale,
        0,
        Math.max(0, unitLimit(instance, item, option)) * members,
        isInteger,
      );
      if (option === optionStart[item]) optionColumn[index] = column;
      builder.put(row, column, isSingle ? 1 : covers[option]!);
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
        builder.put(useRow[use]!, column, useAmount[use]! / amountScale[useRow[use]!]!);
    }
  }
  return {
    model: builder.build(),
    classes,
    scale,
    amountScale,
    optionColumn,
    placedColumn,
    classRow,
    instanceRows: instance.rows,
  };
}

/** An assignment as a point of the model. */
export function pointOf(instance: Instance, formulation: Formulation, units: Units): Float64Array {
  const { classes, optionColumn, placedColumn } = formulation;
  const point = new Float64Array(formulation.model.cols);
  for (let index = 0; index < classes.count; index++) {
    for (let at = classes.start[index]!; at < classes.start[index + 1]!; at++) {
      const item = classes.member[at]!;
      let used = 0;
      const width = instance.optionStart[item + 1]! - instance.optionStart[item]!;
      for (let offset = 0; offset < width; offset++) {
        const count = units[instance.optionStart[item]! + offset]!;
        point[optionColumn[index]! + offset]! += count;
        used += count;
      }
      if (used > 0 && placedColumn[index]! >= 0) point[placedColumn[index]!]! += 1;
    }
  }
  return point;
}

/** Per option of every item: the class's relaxed units, spread evenly over its members. */
export function relaxedUnits(
  instance: Instance,
  formulation: Formulation,
  point: Float64Array,
): Float64Array {
  const { classes, optionColumn } = formulation;
  const values = new Float64Array(instance.options);
  for (let index = 0; index < classes.count; index++) {
    const members = classes.start[index + 1]! - classes.start[index]!;
    for (let at = classes.start[index]!; at < classes.start[index + 1]!; at++) {
      const item = classes.member[at]!;
      const width = instance.optionStart[item + 1]! - instance.optionStart[item]!;
      for (let offset = 0; offset < width; offset++)
        values[instance.optionStart[item]! + offset] = point[optionColumn[index]! + offset]! / members;
    }
  }
  return values;
}

/** Whole units of the model's point (fractions rounded down), dealt to the members of each class. */
export function wholeUnits(instance: Instance, formulation: Formulation, point: Float64Array): Units {
  const { classes, optionColumn } = formulation;
  const units = new Int32Array(instance.options);
  for (let index = 0; index < classes.count; index++) {
    const members = classes.member.subarray(classes.start[index]!, classes.start[index + 1]!);
    const width = instance.optionStart[members[0]! + 1]! - instance.optionStart[members[0]!]!;
    const counts = [];
    for (let offset = 0; offset < width; offset++) {
      const count = Math.floor(point[optionColumn[index]! + offset]! + 1e-6);
      if (count > 0) counts.push({ offset, units: count });
    }
    dealClass(instance, members, counts, units);
  }
  return units;
}

/** Prices of the instance's rows (micro-units per unit of capacity, >= 0) from the duals of the model. */
export const pricesOf = ({ amountScale, scale }: Formulation, duals: Float64Array): Float64Array =>
  amountScale.map((amount, row) => Math.max(0, (-duals[row]! * scale) / amount));
