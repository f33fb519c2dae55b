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

/** Hash of all that makes items interchangeable; equal ones may still differ. */
function hashOf(instance: Instance, item: number): number {
  const { optionStart, useStart, useRow, useAmount, cost } = instance;
  const first = optionStart[item]!;
  const last = optionStart[item + 1]!;
  let hash = Math.imul(last - first, 0x9e3779b1) ^ (instance.worth[item]! | 0);
  for (let option = first; option < last; option++) hash = Math.imul(hash ^ (cost[option]! | 0), 0x01000193);
  for (let use = useStart[first]!; use < useStart[last]!; use++)
    hash = Math.imul(hash ^ useRow[use]! ^ ((useAmount[use]! | 0) << 8), 0x01000193);
  return hash;
}

/** True when two items have the same tier, worth, copies and options. */
function isSame(instance: Instance, a: number, b: number): boolean {
  const { tier, worth, copies, optionStart, useStart, useRow, useAmount, cost, covers } = instance;
  if (tier[a] !== tier[b] || worth[a] !== worth[b] || copies[a] !== copies[b]) return false;
  const width = optionStart[a + 1]! - optionStart[a]!;
  if (optionStart[b + 1]! - optionStart[b]! !== width) return false;
  for (let at = 0; at < width; at++) {
    const [one, other] = [optionStart[a]! + at, optionStart[b]! + at];
    if (cost[one] !== cost[other] || covers[one] !== covers[other]) return false;
    const [from, to] = [useStart[one]!, useStart[other]!];
    const uses = useStart[one + 1]! - from;
    if (useStart[other + 1]! - to !== uses) return false;
    for (let use = 0; use < uses; use++)
      if (useRow[from + use] !== useRow[to + use] || useAmount[from + use] !== useAmount[to + use])
        return false;
  }
  return true;
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
  const byHash = new Map<number, number[][]>();
  const all: number[][] = [];
  for (let item = 0; item < instance.items; item++) {
    const hash = hashOf(instance, item);
    const alike = byHash.get(hash);
    const members = sharesUnits(instance, item)
      ? undefined
      : alike?.find(([first]) => isSame(instance, first!, item));
    if (members !== undefined) {
      members.push(item);
      continue;
    }
    const own = [item];
    all.push(own);
    if (alike === undefined) byHash.set(hash, [own]);
    else alike.push(own);
  }
  const start = new Int32Array(all.length + 1);
  const member = new Int32Array(instance.items);
  let at = 0;
  for (const [index, members] of all.entries()) {
    member.set(members, at);
    at += members.length;
    start[index + 1] = at;
  }
  return { count: all.length, start, member };
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
