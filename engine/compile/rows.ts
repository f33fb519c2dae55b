import type {
  Capacity,
  Coordinates,
  EnergyTraits,
  Flavor,
  GpuTraits,
  NetworkTraits,
} from "../model/flavor.ts";
import { convert, type Money } from "../model/money.ts";
import type { Snapshot } from "../model/snapshot.ts";
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
}

/**
 * The offer of each row, and the blocks of it that most columns are read from, side by side: an offer is a handful of
 * objects scattered in memory, and each is looked for once.
 */
export interface Rows {
  readonly flavor: Flavor[];
  readonly gpu: GpuTraits[];
  readonly capacity: Capacity[];
  readonly energy: EnergyTraits[];
  readonly network: NetworkTraits[];
  readonly scores: Flavor["scores"][];
  readonly site: (Coordinates | undefined)[];
  /** Follows the catalogue as rows are added. */
  options: Options;
}

/** Puts an offer in a row. */
export function setRow(rows: Rows, row: number, flavor: Flavor): void {
  rows.flavor[row] = flavor;
  rows.gpu[row] = flavor.gpu;
  rows.capacity[row] = flavor.capacity;
  rows.energy[row] = flavor.energy;
  rows.network[row] = flavor.network;
  rows.scores[row] = flavor.scores;
  rows.site[row] = flavor.coordinates;
}

/** One price of an offer. */
export interface Sale {
  readonly flavor: Flavor;
  /** Of the flavor, in `snapshot.offers`. */
  readonly index: number;
  readonly money: Money;
  readonly isSpot: boolean;
}

/** Writes a row's prices: per GPU where any number can be bought, else of the whole offer. Pro rata rounds up. */
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
}

/** What an offer costs, on demand before spot. */
export function salesOf(flavor: Flavor, index: number): Sale[] {
  const { onDemand, spot } = flavor.price;
  const sales: Sale[] = [];
  if (onDemand !== undefined) sales.push({ flavor, index, money: onDemand, isSpot: false });
  if (spot !== undefined) sales.push({ flavor, index, money: spot, isSpot: true });
  return sales;
}

/** Reads the rows of a snapshot, in one pass over its offers. */
export function readRows(snapshot: Snapshot, spotRates: SpotRates): Rows {
  const { offers } = snapshot;
  const most = offers.length * 2;
  const options: Options = {
    count: most,
    flavor: new Int32Array(most),
    spot: new Uint8Array(most),
    extraSpot: new Uint8Array(most),
    unitMicro: new Float64Array(most),
    wholeMicro: new Float64Array(most),
    interruptionRate: new Float64Array(most),
  };
  const list = <T>(): T[] => new Array<T>(most);
  const rows: Rows = {
    flavor: list(),
    gpu: list(),
    capacity: list(),
    energy: list(),
    network: list(),
    scores: list(),
    site: list(),
    options,
  };
  let count = 0;
  for (let index = 0; index < offers.length; index++) {
    const flavor = offers[index]!;
    const { onDemand, spot } = flavor.price;
    if (onDemand !== undefined) {
      setRow(rows, count, flavor);
      setOption(options, count++, { flavor, index, money: onDemand, isSpot: false }, snapshot, spotRates);
    }
    if (spot !== undefined) {
      setRow(rows, count, flavor);
      setOption(options, count++, { flavor, index, money: spot, isSpot: true }, snapshot, spotRates);
    }
  }
  for (const list of Object.values(rows)) if (Array.isArray(list)) list.length = count;
  rows.options = {
    count,
    flavor: options.flavor.subarray(0, count),
    spot: options.spot.subarray(0, count),
    extraSpot: options.extraSpot.subarray(0, count),
    unitMicro: options.unitMicro.subarray(0, count),
    wholeMicro: options.wholeMicro.subarray(0, count),
    interruptionRate: options.interruptionRate.subarray(0, count),
  };
  return rows;
}
