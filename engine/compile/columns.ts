import type { Predicate, Table } from "../kernel/query.ts";
import type { Flavor } from "../model/flavor.ts";
import { carbonGrams } from "../score/performance.ts";
import {
  type Bounds,
  type Flags,
  FlagTrait,
  NamedTrait,
  type Names,
  type Numbers,
  NumberTrait,
} from "./asked.ts";
import type { Rows } from "./rows.ts";
import {
  type FlagName,
  flagTraits,
  type NameTrait,
  type NumericName,
  nameTraits,
  numericTraits,
  type SiteTrait,
  type Trait,
} from "./traits.ts";

/** Numbers of `Options`: what changes while an offer stands. */
export const freeNumbers: readonly NumberName[] = ["gpusFree", "cpuMilliFree", "memoryMibFree", "podsFree"];
const optionNumbers = [
  "gpusFree",
  "cpuMilliFree",
  "memoryMibFree",
  "podsFree",
  "unitMicro",
  "wholeMicro",
] as const;

/** Numbers that constraints bound: traits, what follows from several, and those of `Options`. */
export type NumberName = NumericName | "carbonGramsPerGpuHour" | (typeof optionNumbers)[number];

const isOfOptions = (name: NumberName): name is (typeof optionNumbers)[number] =>
  (optionNumbers as readonly string[]).includes(name);

/** Yes or no: traits, and of an option whether it is on spot, is so besides on demand, has a price in the snapshot's currency. */
export type YesNoName = FlagName | "spot" | "extraSpot" | "priced";

/** Named values. */
export type DictionaryName = NameTrait | SiteTrait;

/** 0 no, 1 yes, 2 unknown. */
const flagOf = (value: boolean | undefined): 0 | 1 | 2 => (value === undefined ? 2 : value ? 1 : 0);

const isPriced = ({ options: { unitMicro, wholeMicro } }: Rows, row: number): 0 | 1 =>
  unitMicro[row]! >= 0 || wholeMicro[row]! >= 0 ? 1 : 0;

/**
 * Predicates on what offers are. A trait is read when it is first asked for: an intent concerns a few of some fifty. What
 * is asked for often becomes a column of the table.
 */
export class Columns {
  readonly rows: Rows;
  readonly #table: Table;
  readonly #numbers: Map<NumberName, NumberTrait> = new Map();
  readonly #flags: Map<YesNoName, FlagTrait> = new Map();
  readonly #names: Map<DictionaryName, NamedTrait> = new Map();

  constructor(table: Table, rows: Rows) {
    this.#table = table;
    this.rows = rows;
  }

  /** Value of a row, NaN for unknown. */
  at(name: NumberName): (row: number) => number {
    return this.#number(name).at;
  }

  /** A number within bounds. */
  within(name: NumberName, bounds: Bounds): Predicate {
    return this.#number(name).within(bounds);
  }

  /** Stated to be yes (1) or no (0). */
  is(name: YesNoName, wanted: 0 | 1): Predicate {
    return this.#flag(name).is(wanted);
  }

  /** Column of the table. */
  flag(name: YesNoName): number {
    return this.#flag(name).column();
  }

  /** A named value that is accepted. */
  accepted(name: DictionaryName, accepts: (flavor: Flavor) => boolean): Predicate {
    let known = this.#names.get(name);
    if (known === undefined) {
      known = new NamedTrait(this.#table, name, () => namesOf(this.rows, name));
      this.#names.set(name, known);
    }
    return known.accepted(accepts);
  }

  /**
   * Tells that the offers or options of rows have changed, or that rows were added.
   *
   * @param only the numbers that may have changed; absent: all, and everything else
   */
  rewrite(changed: readonly number[], only?: readonly NumberName[]): void {
    for (const [name, known] of this.#numbers) if (only?.includes(name) !== false) known.rewrite(changed);
    if (only !== undefined) return;
    for (const known of this.#flags.values()) known.rewrite(changed);
    for (const known of this.#names.values()) known.rewrite(changed);
  }

  #number(name: NumberName): NumberTrait {
    let known = this.#numbers.get(name);
    if (known === undefined) {
      const { at, read } = numberReader(this.rows, name);
      known = new NumberTrait(this.#table, name, at, read);
      this.#numbers.set(name, known);
    }
    return known;
  }

  #flag(name: YesNoName): FlagTrait {
    let known = this.#flags.get(name);
    if (known === undefined) {
      const { at, read } = flagReader(this.rows, name);
      known = new FlagTrait(this.#table, name, at, read);
      this.#flags.set(name, known);
    }
    return known;
  }
}

/** A trait's reader for blocks of any name: that it is given its own is up to the caller. */
const readerOf = <T>({ read }: Trait<T>): ((block: unknown) => T | undefined) => read as never;

interface NumberReader {
  readonly at: (row: number) => number;
  readonly read: () => Numbers;
}

function numberReader(rows: Rows, name: NumberName): NumberReader {
  if (name === "carbonGramsPerGpuHour") return carbonReader(rows);
  if (isOfOptions(name))
    return { at: (row) => rows.options[name][row]!, read: () => ({ values: rows.options[name] }) };
  const trait = numericTraits[name];
  const read = readerOf(trait);
  const blocks = rows.block(trait.block);
  return {
    at: (row) => read(blocks[row]) ?? Number.NaN,
    read: () => {
      const { all, of } = rows.kinds(trait.block);
      const values = new Float64Array(all.length);
      for (let kind = 0; kind < values.length; kind++) values[kind] = read(all[kind]) ?? Number.NaN;
      return { values, of };
    },
  };
}

function carbonReader(rows: Rows): NumberReader {
  const at = (row: number): number => {
    const { gpu, energy } = rows.flavor[row]!;
    return carbonGrams(gpu.powerWatts, energy.pue, energy.carbonIntensity);
  };
  const read = (): Numbers => {
    const values = new Float64Array(rows.options.count);
    for (let row = 0; row < values.length; row++) values[row] = at(row);
    return { values };
  };
  return { at, read };
}

interface FlagReader {
  readonly at: (row: number) => 0 | 1 | 2;
  readonly read: () => Flags;
}

function flagReader(rows: Rows, name: YesNoName): FlagReader {
  if (name === "spot" || name === "extraSpot")
    return { at: (row) => rows.options[name][row]! as 0 | 1, read: () => ({ values: rows.options[name] }) };
  if (name === "priced") {
    const read = (): Flags => {
      const values = new Uint8Array(rows.options.count);
      for (let row = 0; row < values.length; row++) values[row] = isPriced(rows, row);
      return { values };
    };
    return { at: (row) => isPriced(rows, row), read };
  }
  const trait = flagTraits[name];
  const read = readerOf(trait);
  const blocks = rows.block(trait.block);
  return {
    at: (row) => flagOf(read(blocks[row])),
    read: () => {
      const { all, of } = rows.kinds(trait.block);
      const values = new Uint8Array(all.length);
      for (let kind = 0; kind < values.length; kind++) values[kind] = flagOf(read(all[kind]));
      return { values, of };
    },
  };
}

function namesOf(rows: Rows, name: DictionaryName): Names {
  const entries: Flavor[] = [];
  const codes = new Int32Array(rows.options.count);
  if (name === "place" || name === "zone" || name === "provider") {
    const { flavor } = rows;
    const codeOf = name === "place" ? placeCodes(flavor, entries) : siteCodes(flavor, name, entries);
    for (let row = 0; row < codes.length; row++)
      codes[row] = row > 0 && flavor[row] === flavor[row - 1] ? codes[row - 1]! : codeOf(row);
    return { codes, entries, codeOf };
  }
  const trait = nameTraits[name];
  const read = readerOf(trait);
  const blocks = rows.block(trait.block);
  const numbered = numbering(rows.flavor, entries);
  const codeOf = (row: number): number => numbered(read(blocks[row]), row);
  const { sample, of } = rows.kinds(trait.block);
  const byKind = new Int32Array(sample.length);
  for (let kind = 0; kind < byKind.length; kind++) byKind[kind] = codeOf(sample[kind]!);
  for (let row = 0; row < codes.length; row++) codes[row] = byKind[of[row]!]!;
  return { codes, entries, codeOf };
}

/** Numbers texts in order of appearance; the flavor of the row that brings a new one becomes its entry. */
function numbering(
  flavors: readonly Flavor[],
  entries: Flavor[],
): (text: string | undefined, row: number) => number {
  const known = new Map<string, number>();
  return (text, row) => {
    if (text === undefined) return -1;
    let code = known.get(text);
    if (code === undefined) {
      code = entries.push(flavors[row]!) - 1;
      known.set(text, code);
    }
    return code;
  };
}

function siteCodes(
  flavors: readonly Flavor[],
  name: "zone" | "provider",
  entries: Flavor[],
): (row: number) => number {
  const numbered = numbering(flavors, entries);
  return (row) => numbered(flavors[row]![name], row);
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/**
 * Codes of the distinct places offers are in: region, zone, country and areas together, unknown only where none is
 * stated. Zone and region find the few that are compared as they are: joining texts per offer would cost more than all
 * else.
 */
function placeCodes(flavors: readonly Flavor[], entries: Flavor[]): (row: number) => number {
  const known = new Map<string | undefined, Map<string | undefined, number[]>>();
  return (row) => {
    const flavor = flavors[row]!;
    const { region, zone, country, areas } = flavor;
    if (region === undefined && country === undefined && areas.length === 0) return -1;
    let regions = known.get(zone);
    if (regions === undefined) {
      regions = new Map();
      known.set(zone, regions);
    }
    let codes = regions.get(region);
    if (codes === undefined) {
      codes = [];
      regions.set(region, codes);
    }
    for (const code of codes) {
      const entry = entries[code]!;
      if (entry.country === country && isSameList(entry.areas, areas)) return code;
    }
    const code = entries.push(flavor) - 1;
    codes.push(code);
    return code;
  };
}
