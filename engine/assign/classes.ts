import type { Instance, Units } from "./instance.ts";

/**
 * Items that are interchangeable: same tier, worth, copies and options. A class is placed as an integer count;
 * its members take the units in item order, so older requests of a class are served first.
 */
export interface Classes {
  readonly count: number;
  /** Per class: its members in ascending order are `member[start[c] .. start[c + 1]]`. */
  readonly start: Int32Array;
  readonly member: Int32Array;
}

/** Signature under which items are interchangeable. */
function signatureOf(instance: Instance, item: number): string {
  const { optionStart, useStart, useRow, useAmount, cost, covers } = instance;
  const parts: number[] = [instance.tier[item]!, instance.worth[item]!, instance.copies[item]!];
  for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
    parts.push(cost[option]!, covers[option]!);
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      parts.push(useRow[use]!, useAmount[use]!);
    parts.push(-1);
  }
  return parts.join(",");
}

/** True when one unit may cover several copies: members would share units, so such items stay apart. */
function sharesUnits(instance: Instance, item: number): boolean {
  if (instance.copies[item] === 1) return false;
  for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++)
    if (instance.covers[option]! > 1) return true;
  return false;
}

/** Groups interchangeable items; classes are ordered by their first member. */
export function classesOf(instance: Instance): Classes {
  const bySignature = new Map<string, number[]>();
  for (let item = 0; item < instance.items; item++) {
    const signature = sharesUnits(instance, item) ? `item ${item}` : signatureOf(instance, item);
    const members = bySignature.get(signature);
    if (members === undefined) bySignature.set(signature, [item]);
    else members.push(item);
  }
  const start = new Int32Array(bySignature.size + 1);
  const member = new Int32Array(instance.items);
  let at = 0;
  for (const [index, members] of [...bySignature.values()].entries()) {
    member.set(members, at);
    at += members.length;
    start[index + 1] = at;
  }
  return { count: bySignature.size, start, member };
}

/**
 * Deals a class's units (options of its first member) out to its members, first member first, whole members
 * only; left-over units are dropped.
 */
export function dealClass(
  instance: Instance,
  members: Int32Array,
  classUnits: readonly { readonly offset: number; readonly units: number }[],
  units: Units,
): void {
  const copies = instance.copies[members[0]!]!;
  const queue: number[] = [];
  for (const { offset, units: count } of classUnits)
    for (let unit = 0; unit < count; unit++) queue.push(offset);
  const first = instance.optionStart[members[0]!]!;
  let at = 0;
  for (const item of members) {
    let covered = 0;
    const from = at;
    while (covered < copies && at < queue.length) covered += instance.covers[first + queue[at++]!]!;
    if (covered < copies) return;
    for (let unit = from; unit < at; unit++) units[instance.optionStart[item]! + queue[unit]!]! += 1;
  }
}

/**
 * The same assignment with the members of each class served in item order: the first members get places before
 * later ones, and the options that are listed first. Gain and use of rows are unchanged.
 */
export function inClassOrder(instance: Instance, classes: Classes, units: Units): Units {
  const ordered = units.slice();
  for (let index = 0; index < classes.count; index++) {
    const members = classes.member.subarray(classes.start[index]!, classes.start[index + 1]!);
    if (members.length < 2) continue;
    const width = instance.optionStart[members[0]! + 1]! - instance.optionStart[members[0]!]!;
    const counts = Array.from({ length: width }, (_, offset) => ({ offset, units: 0 }));
    for (const item of members) {
      const first = instance.optionStart[item]!;
      for (const count of counts) {
        count.units += units[first + count.offset]!;
        ordered[first + count.offset] = 0;
      }
    }
    dealClass(instance, members, counts, ordered);
  }
  return ordered;
}
