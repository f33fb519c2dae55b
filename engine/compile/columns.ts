import type { Table } from "../kernel/query.ts";
import type { Flavor } from "../model/flavor.ts";
import { lengthened } from "./lengthened.ts";
import type { Options, Rows } from "./rows.ts";
import {
  type DictionaryName,
  type FlagName,
  flagTraits,
  type NumericName,
  nameTraits,
  numericTraits,
} from "./traits.ts";

/**
 * Distinct values of a trait. A predicate on the trait is decided once per distinct value, by looking at its entry, a
 * flavor that has it, and becomes a set of allowed codes.
 */
export interface Dictionary {
  /** One flavor per code. */
  readonly entries: readonly Flavor[];
  /** Of the table. */
  readonly column: number;
}

interface Numbers {
  readonly column: number;
  values: Float64Array;
}

interface Flags {
  readonly column: number;
}

interface Names extends Dictionary {
  /** Code of a row's value, -1 for unknown; a value not seen before gets a new code, and the row's flavor its entry. */
  readonly codeOf: (row: number) => number;
}

/** 0 no, 1 yes, 2 unknown. */
const flagOf = (value: boolean | undefined): 0 | 1 | 2 => (value === undefined ? 2 : value ? 1 : 0);

/**
 * The columns of the table that traits of offers fill, each read when it is first asked for: an intent concerns a few of
 * some fifty.
 */
export class Columns {
  readonly rows: Rows;
  readonly #table: Table;
  readonly #numbers: Map<NumericName, Numbers> = new Map();
  readonly #flags: Map<FlagName, Flags> = new Map();
  readonly #names: Map<DictionaryName, Names> = new Map();

  constructor(table: Table, rows: Rows) {
    this.#table = table;
    this.rows = rows;
  }

  /** Column of a trait in the table. */
  numeric(name: NumericName): number {
    return this.#numeric(name).column;
  }

  /** Values per row, NaN for unknown, for exact comparison: what the table has. */
  values(name: NumericName): Float64Array {
    return this.#numeric(name).values;
  }

  /** Column of a trait in the table. */
  flag(name: FlagName): number {
    let known = this.#flags.get(name);
    if (known === undefined) {
      const { rows } = this;
      const read = flagTraits[name];
      const values = new Uint8Array(rows.options.count);
      for (let row = 0; row < values.length; row++) values[row] = flagOf(read(rows, row));
      known = { column: this.#table.addFlag({ name, values }) };
      this.#flags.set(name, known);
    }
    return known.column;
  }

  dictionary(name: DictionaryName): Dictionary {
    let known = this.#names.get(name);
    if (known === undefined) {
      const { flavor, options } = this.rows;
      const entries: Flavor[] = [];
      const codeOf = name === "place" ? placeCodes(flavor, entries) : nameCodes(this.rows, name, entries);
      const codes = new Int32Array(options.count);
      for (let row = 0; row < codes.length; row++)
        codes[row] = row > 0 && flavor[row] === flavor[row - 1] ? codes[row - 1]! : codeOf(row);
      const column = this.#table.addCategory({ name, codes, size: entries.length });
      known = { entries, column, codeOf };
      this.#names.set(name, known);
    }
    return known;
  }

  /** Makes the columns as long as the rows are. */
  lengthen(options: Options): void {
    this.rows.options = options;
    for (const known of this.#numbers.values()) known.values = lengthened(known.values, options.count);
  }

  /**
   * Writes the traits of rows whose offers or options have changed, in the columns that were read before.
   *
   * @param only the traits that may have changed; absent: all
   */
  rewrite(changed: readonly number[], only?: readonly NumericName[]): void {
    for (const [name, known] of this.#numbers) {
      if (only?.includes(name) === false) continue;
      for (const row of changed) {
        const value = numericTraits[name](this.rows, row) ?? Number.NaN;
        known.values[row] = value;
        this.#table.setNumeric(known.column, row, value);
      }
    }
    if (only !== undefined) return;
    for (const row of changed) {
      for (const [name, { column }] of this.#flags)
        this.#table.setFlag(column, row, flagOf(flagTraits[name](this.rows, row)));
      for (const { column, codeOf } of this.#names.values())
        this.#table.setCategory(column, row, codeOf(row));
    }
  }

  #numeric(name: NumericName): Numbers {
    let known = this.#numbers.get(name);
    if (known === undefined) {
      const { rows } = this;
      const read = numericTraits[name];
      const values = new Float64Array(rows.options.count);
      for (let row = 0; row < values.length; row++) values[row] = read(rows, row) ?? Number.NaN;
      known = { column: this.#table.addNumeric({ name, values }), values };
      this.#numbers.set(name, known);
    }
    return known;
  }
}

function nameCodes(
  rows: Rows,
  name: Exclude<DictionaryName, "place">,
  entries: Flavor[],
): (row: number) => number {
  const known = new Map<string, number>();
  const read = nameTraits[name];
  return (row) => {
    const text = read(rows, row);
    if (text === undefined) return -1;
    let code = known.get(text);
    if (code === undefined) {
      code = entries.push(rows.flavor[row]!) - 1;
      known.set(text, code);
    }
    return code;
  };
}

const isSameList = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((text, index) => text === b[index]));

/**
 * Codes of the distinct places offers are in: region, zone, country and areas together, unknown only where none is
 * stated. Few places share the narrowest name that is stated, so that it finds them, and they are compared as they are:
 * joining texts per offer would cost more than all else.
 */
function placeCodes(flavors: readonly Flavor[], entries: Flavor[]): (row: number) => number {
  const known = new Map<string | undefined, number[]>();
  return (row) => {
    const flavor = flavors[row]!;
    const { region, zone, country, areas } = flavor;
    if (region === undefined && country === undefined && areas.length === 0) return -1;
    const narrowest = zone ?? region ?? country;
    const codes = known.get(narrowest);
    if (codes !== undefined)
      for (const code of codes) {
        const entry = entries[code]!;
        const isSame = entry.region === region && entry.zone === zone && entry.country === country;
        if (isSame && isSameList(entry.areas, areas)) return code;
      }
    const code = entries.push(flavor) - 1;
    if (codes === undefined) known.set(narrowest, [code]);
    else codes.push(code);
    return code;
  };
}
