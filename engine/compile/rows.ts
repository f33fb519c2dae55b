import type { Flavor } from "../model/flavor.ts";
import { convert, type Money } from "../model/money.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { type Column, lengthened } from "./lengthened.ts";
import type { SpotRates } from "./spot-history.ts";

/**
 * The rows of the table: one per flavor and price kind, sorted by flavor id, on demand before spot.
 * Prices are micro-units per hour in the snapshot's currency; NaN where they do not apply or cannot be converted.
 */
export interface Options {
  readonly count: number;
  /** Index into `snapshot.offers`. */
  readonly flavor: Int32Array;
  readonly spot: Uint8Array;
  /** 1 for the spot row of a flavor that also sells on demand. */
  readonly extraSpot: Uint8Array;
  /** Price of one GPU, where the offer is divisible. */
  readonly unitMicro: Float64Array;
  /** Price of the whole offer, where it is not. */
  readonly wholeMicro: Float64Array;
  /** Expected interruptions per hour, 0 for on demand. */
  readonly interruptionRate: Float64Array;
  /** What of the offer is free, NaN for unknown; a total that nothing is known to be taken from is free. */
  readonly gpusFree: Float64Array;
  readonly cpuMilliFree: Float64Array;
  readonly memoryMibFree: Float64Array;
  readonly podsFree: Float64Array;
}

/** Parts of an offer that readers share between equal ones. */
export type BlockName =
  | "gpu"
  | "capacity"
  | "energy"
  | "network"
  | "performance"
  | "security"
  | "compliance"
  | "coordinates";

/** The distinct blocks of rows, by identity. */
export interface Kinds<B extends BlockName> {
  readonly all: readonly Flavor[B][];
  /** A row that has the block. */
  readonly sample: ArrayLike<number>;
  /** Index of a row's block. */
  readonly of: Int32Array;
}

/** Rows looked at to see whether blocks are shared. */
const PROBED = 1024;

/**
 * The offer of each row, and blocks of it side by side: an offer is a handful of objects scattered in memory, and each
 * is looked for once. What depends on one block is decided once per distinct block.
 */
export class Rows {
  /** Follows the catalogue as rows are added. */
  options: Options;
  readonly flavor: Flavor[];
  readonly #blocks: Map<BlockName, unknown[]>;
  readonly #kinds: Map<BlockName, Kinds<BlockName>> = new Map();

  constructor(options: Options, flavor: Flavor[], blocks: readonly (readonly [BlockName, unknown[]])[]) {
    this.options = options;
    this.flavor = flavor;
    this.#blocks = new Map(blocks);
  }

  /** A block of every row. */
  block<B extends BlockName>(name: B): readonly Flavor[B][] {
    let known = this.#blocks.get(name) as Flavor[B][] | undefined;
    if (known === undefined) {
      known = this.flavor.map((flavor) => flavor[name]);
      this.#blocks.set(name, known);
    }
    return known;
  }

  /** The distinct blocks of rows as they are now. */
  kinds<B extends BlockName>(name: B): Kinds<B> {
    let known = this.#kinds.get(name) as Kinds<B> | undefined;
    if (known === undefined) {
      const blocks = this.block(name);
      known = areShared(blocks) ? numbered(blocks) : each(blocks);
      this.#kinds.set(name, known as Kinds<BlockName>);
    }
    return known;
  }

  /** Puts an offer in a row. */
  set(row: number, flavor: Flavor): void {
    this.flavor[row] = flavor;
    for (const [name, block] of this.#blocks) block[row] = flavor[name];
    this.#kinds.clear();
  }
}

/** True where the first rows have few distinct blocks. */
function areShared(blocks: readonly unknown[]): boolean {
  const probed = blocks.slice(0, PROBED);
  return new Set(probed).size < probed.length / 2;
}

/** Every row's block by itself. */
function each<B extends BlockName>(blocks: readonly Flavor[B][]): Kinds<B> {
  const of = new Int32Array(blocks.length);
  for (let row = 0; row < of.length; row++) of[row] = row;
  return { all: blocks, sample: of, of };
}

function numbered<B extends BlockName>(blocks: readonly Flavor[B][]): Kinds<B> {
  const known = new Map<unknown, number>();
  const all: Flavor[B][] = [];
  const sample: number[] = [];
  const of = new Int32Array(blocks.length);
  for (let row = 0; row < of.length; row++) {
    const block = blocks[row]!;
    let kind = known.get(block);
    if (kind === undefined) {
      kind = all.length;
      known.set(block, kind);
      all.push(block);
      sample.push(row);
    }
    of[row] = kind;
  }
  return { all, sample, of };
}

/** One price of an offer. */
export interface Sale {
  readonly flavor: Flavor;
  /** Of the flavor, in `snapshot.offers`. */
  readonly index: number;
  readonly money: Money;
  readonly isSpot: boolean;
}

/**
 * Writes what a row sells: at what price, per GPU where any number can be bought, else of the whole offer, pro rata rounded
 * up; and how much of it is free.
 */
export function setOption(
  options: Options,
  row: number,
  { flavor, index, money, isSpot }: Sale,
  { currency, rates }: Pick<Snapshot, "currency" | "rates">,
  spotRates: SpotRates,
): void {
  const { capacity, divisible, price } = flavor;
  const isPerGpu = price.basis === "gpu";
  const micro = convert(money, currency, rates) ?? Number.NaN;
  options.flavor[row] = index;
  options.spot[row] = isSpot ? 1 : 0;
  options.extraSpot[row] = isSpot && price.onDemand !== undefined ? 1 : 0;
  options.interruptionRate[row] = isSpot ? spotRates.perHour(flavor) : 0;
  options.unitMicro[row] = !divisible ? Number.NaN : isPerGpu ? micro : Math.ceil(micro / capacity.gpus);
  options.wholeMicro[row] = divisible ? Number.NaN : isPerGpu ? micro * capacity.gpus : micro;
  options.gpusFree[row] = capacity.gpusFree;
  options.cpuMilliFree[row] = capacity.cpuMilliFree ?? capacity.cpuMilli ?? Number.NaN;
  options.memoryMibFree[row] = capacity.memoryMibFree ?? capacity.memoryMib ?? Number.NaN;
  options.podsFree[row] = capacity.podsFree ?? capacity.pods ?? Number.NaN;
}

/** What an offer costs, on demand before spot. */
export function salesOf(flavor: Flavor, index: number): Sale[] {
  const { onDemand, spot } = flavor.price;
  const sales: Sale[] = [];
  if (onDemand !== undefined) sales.push({ flavor, index, money: onDemand, isSpot: false });
  if (spot !== undefined) sales.push({ flavor, index, money: spot, isSpot: true });
  return sales;
}

function emptyOptions(count: number): Options {
  return {
    count,
    flavor: new Int32Array(count),
    spot: new Uint8Array(count),
    extraSpot: new Uint8Array(count),
    unitMicro: new Float64Array(count),
    wholeMicro: new Float64Array(count),
    interruptionRate: new Float64Array(count),
    gpusFree: new Float64Array(count),
    cpuMilliFree: new Float64Array(count),
    memoryMibFree: new Float64Array(count),
    podsFree: new Float64Array(count),
  };
}

/** The options with another number of rows: the first ones, or with room for more behind them. */
export function sizedOptions(options: Options, count: number): Options {
  const size = <T extends Column>(values: T): T =>
    values.length < count ? lengthened(values, count) : (values.subarray(0, count) as T);
  return {
    count,
    flavor: size(options.flavor),
    spot: size(options.spot),
    extraSpot: size(options.extraSpot),
    unitMicro: size(options.unitMicro),
    wholeMicro: size(options.wholeMicro),
    interruptionRate: size(options.interruptionRate),
    gpusFree: size(options.gpusFree),
    cpuMilliFree: size(options.cpuMilliFree),
    memoryMibFree: size(options.memoryMibFree),
    podsFree: size(options.podsFree),
  };
}

/** Reads the rows of a snapshot, in one pass over its offers; null where these are not in the order of their ids. */
export function readRows(snapshot: Snapshot, spotRates: SpotRates): Rows | null {
  const { offers } = snapshot;
  const most = offers.length * 2;
  const options = emptyOptions(most);
  const list = <T>(): T[] => new Array<T>(most);
  const flavors = list<Flavor>();
  // what nearly every plan looks at, while the offer is at hand
  const [gpu, network, coordinates] = [list(), list(), list()];
  let count = 0;
  for (let index = 0; index < offers.length; index++) {
    const flavor = offers[index]!;
    if (index > 0 && !(offers[index - 1]!.id < flavor.id)) return null;
    const { onDemand, spot } = flavor.price;
    for (let isSpot = 0; isSpot < 2; isSpot++) {
      const money = isSpot === 0 ? onDemand : spot;
      if (money === undefined) continue;
      flavors[count] = flavor;
      gpu[count] = flavor.gpu;
      network[count] = flavor.network;
      coordinates[count] = flavor.coordinates;
      setOption(options, count++, { flavor, index, money, isSpot: isSpot === 1 }, snapshot, spotRates);
    }
  }
  for (const some of [flavors, gpu, network, coordinates]) some.length = count;
  return new Rows(sizedOptions(options, count), flavors, [
    ["gpu", gpu],
    ["network", network],
    ["coordinates", coordinates],
  ]);
}
