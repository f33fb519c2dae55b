import { bestScores, fill, orderBy } from "./construct.ts";
import {
  createInstance,
  type Instance,
  type ItemInput,
  type OptionInput,
  type RowInput,
  type Units,
} from "./instance.ts";
import { polish } from "./polish.ts";
import { note, offerState, type Run, tighten, usePrices } from "./progress.ts";
import { createState, load } from "./state.ts";

/** An instance whose interchangeable offers are one, and the way back. */
export interface Grouped {
  readonly instance: Instance;
  /** Per option of the grouped instance: the options of the original that it stands for, in the order of offers. */
  readonly members: readonly (readonly number[])[];
  /** Per row of the original: its row in the grouped instance. */
  readonly rowOf: Int32Array;
}

/** Grouping is worth it where it leaves at most this share of the options. */
const mostLeft = 0.8;

/** The rows of one offer, and the options that use them. */
interface OfferView {
  readonly rows: number[];
  readonly options: number[];
}

/** Rows that belong to one offer: its capacities and guards, and rows that a single option uses. */
function localRows({ rows, rowKind, useRow }: Instance): Uint8Array {
  const users = new Int32Array(rows);
  for (const row of useRow) users[row]! += 1;
  return Uint8Array.from(rowKind, (kind, row) =>
    kind === "capacity" || kind === "sale" || kind === "guard" || (kind === "cap" && users[row] === 1)
      ? 1
      : 0,
  );
}

/** Offers as rows that are used together; null where an option uses none. */
function offersOf(instance: Instance, isLocal: Uint8Array): OfferView[] | null {
  const { options, useStart, useRow, rows } = instance;
  const parent = Int32Array.from({ length: rows }, (_, row) => row);
  const root = (row: number): number => {
    let at = row;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  };
  const firstOf = new Int32Array(options).fill(-1);
  for (let option = 0; option < options; option++)
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
      const row = useRow[use]!;
      if (isLocal[row] === 0) continue;
      if (firstOf[option]! < 0) firstOf[option] = row;
      else parent[Math.max(root(row), root(firstOf[option]!))] = Math.min(root(row), root(firstOf[option]!));
    }
  const byRoot = new Map<number, OfferView>();
  for (let row = 0; row < rows; row++) {
    if (isLocal[row] === 0) continue;
    const view = byRoot.get(root(row)) ?? { rows: [], options: [] };
    view.rows.push(row);
    byRoot.set(root(row), view);
  }
  for (let option = 0; option < options; option++) {
    if (firstOf[option]! < 0) return null;
    byRoot.get(root(firstOf[option]!))!.options.push(option);
  }
  return [...byRoot.values()];
}

/** What makes offers interchangeable: capacities in order, and for every option its item, its costs and its uses. */
function signatureOf(instance: Instance, { rows, options }: OfferView, itemOf: Int32Array): string {
  const { cost, forgone, covers, useStart, useRow, useAmount, capacity, rowKind } = instance;
  const place = new Map(rows.map((row, index) => [row, -1 - index]));
  const parts: (number | string)[] = rows.flatMap((row) => [rowKind[row]!, capacity[row]!]);
  for (const option of options) {
    parts.push("|", itemOf[option]!, cost[option]!, forgone[option]!, covers[option]!);
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      parts.push(place.get(useRow[use]!) ?? useRow[use]!, useAmount[use]!);
  }
  return parts.join(",");
}

/** Offers that nobody can tell apart, in the order of their first one. */
function groupsOf(instance: Instance, offers: readonly OfferView[], itemOf: Int32Array): OfferView[][] {
  // most offers differ in what is cheap to see: only the others are looked at closely
  const rough = Map.groupBy(offers, ({ rows, options }) =>
    [rows.length, options.length, instance.capacity[rows[0]!]!, itemOf[options[0] ?? 0]!].join(","),
  );
  return [...rough.values()].flatMap((alike) =>
    alike.length === 1
      ? [alike]
      : [...Map.groupBy(alike, (offer) => signatureOf(instance, offer, itemOf)).values()],
  );
}

/**
 * Whole numbers of large units per offer, that the sum of capacities does not know: of units of at least `size`, no
 * more go into the group than into its offers one by one. Exact where each size divides the next one.
 */
interface Nested {
  readonly row: number;
  readonly size: number;
}

/** Sizes that do not fill an offer without rest. */
function nestedOf(instance: Instance, [first]: readonly OfferView[], count: number): Nested[] {
  const row = first!.rows.find((one) => instance.rowKind[one] === "capacity");
  if (count < 2 || row === undefined) return [];
  const sizes = new Set<number>();
  for (const option of first!.options)
    for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++)
      if (instance.useRow[use] === row && instance.useAmount[use]! > 1) sizes.add(instance.useAmount[use]!);
  return [...sizes]
    .sort((a, b) => a - b)
    .slice(0, 8)
    .map((size) => ({ row, size }));
}

/** The instance with interchangeable offers as one of as many times the capacity; null where that gains little. */
export function groupOffers(instance: Instance): Grouped | null {
  const { items, optionStart, useStart, useRow, useAmount, capacity, rowKind } = instance;
  const itemOf = new Int32Array(instance.options);
  for (let item = 0; item < items; item++) itemOf.fill(item, optionStart[item]!, optionStart[item + 1]!);
  const offers = offersOf(instance, localRows(instance));
  if (offers === null) return null;
  const groups = groupsOf(instance, offers, itemOf);
  const left = groups.reduce((sum, [first]) => sum + first!.options.length, 0);
  if (left > mostLeft * instance.options) return null;

  const rows: RowInput[] = [];
  const rowOf = new Int32Array(instance.rows).fill(-1);
  const nested = new Map<number, readonly (Nested & { readonly to: number })[]>();
  for (const group of groups) {
    for (const [place, row] of group[0]!.rows.entries()) {
      for (const one of group) rowOf[one.rows[place]!] = rows.length;
      rows.push({ kind: rowKind[row]!, capacity: capacity[row]! * group.length });
    }
    const inside = nestedOf(instance, group, group.length).map((one) => {
      rows.push({ kind: "guard", capacity: Math.floor(capacity[one.row]! / one.size) * group.length });
      return { ...one, to: rows.length - 1 };
    });
    nested.set(group[0]!.rows[0]!, inside);
  }
  for (let row = 0; row < instance.rows; row++)
    if (rowOf[row]! < 0) {
      rowOf[row] = rows.length;
      rows.push({ kind: rowKind[row]!, capacity: capacity[row]! });
    }

  const standsFor = new Map<number, { group: OfferView[]; members: number[] }>();
  for (const group of groups)
    for (const [place, option] of group[0]!.options.entries())
      standsFor.set(option, { group, members: group.map((one) => one.options[place]!) });
  const members: number[][] = [];
  const inputs: ItemInput[] = [];
  for (let item = 0; item < items; item++) {
    const own: OptionInput[] = [];
    for (let option = optionStart[item]!; option < optionStart[item + 1]!; option++) {
      const found = standsFor.get(option);
      if (found === undefined) continue;
      members.push(found.members);
      const uses: [number, number][] = [];
      for (let use = useStart[option]!; use < useStart[option + 1]!; use++) {
        uses.push([rowOf[useRow[use]!]!, useAmount[use]!]);
        for (const { row, size, to } of nested.get(found.group[0]!.rows[0]!) ?? [])
          if (row === useRow[use] && useAmount[use]! >= size)
            uses.push([to, Math.floor(useAmount[use]! / size)]);
      }
      own.push({
        cost: instance.cost[option]!,
        forgone: instance.forgone[option]!,
        covers: instance.covers[option]!,
        uses,
      });
    }
    inputs.push({
      copies: instance.copies[item]!,
      worth: instance.worth[item]!,
      tier: instance.tier[item]!,
      options: own,
    });
  }
  return { instance: createInstance(rows, inputs), members, rowOf };
}

/**
 * Units of grouped offers dealt to the offers themselves: large units first, each into the first offer that has room,
 * items in their order. What finds none is left out.
 */
export function expand(original: Instance, { members }: Grouped, units: Units): Units {
  const { useStart, useRow, useAmount } = original;
  const free = original.capacity.slice();
  const dealt = new Int32Array(original.options);
  const sizeOf = (option: number): number => useAmount[useStart[option]!] ?? 0;
  const used = Array.from(units.keys()).filter((option) => units[option]! > 0);
  used.sort((a, b) => sizeOf(members[b]![0]!) - sizeOf(members[a]![0]!) || a - b);
  const fits = (option: number): boolean => {
    for (let use = useStart[option]!; use < useStart[option + 1]!; use++)
      if (free[useRow[use]!]! < useAmount[use]!) return false;
    return true;
  };
  for (const option of used)
    for (let unit = 0; unit < units[option]!; unit++) {
      const to = members[option]!.find(fits);
      if (to === undefined) break;
      dealt[to]! += 1;
      for (let use = useStart[to]!; use < useStart[to + 1]!; use++) free[useRow[use]!]! -= useAmount[use]!;
    }
  return dealt;
}

/** Takes what the grouped instance proves, and its answer dealt to the offers, filled up and improved. */
export async function useGrouped(
  run: Run,
  grouped: Grouped,
  outcome: Pick<Run, "units" | "bound" | "prices" | "pricesFrom">,
): Promise<void> {
  const { instance, options } = run;
  tighten(run, outcome.bound);
  usePrices(
    run,
    Float64Array.from(grouped.rowOf, (row) => outcome.prices[row]!),
    outcome.pricesFrom,
  );
  const state = createState(instance);
  load(state, expand(instance, grouped, outcome.units));
  fill(state, orderBy(bestScores(instance, run.scores)), run.scores);
  polish(state, state.work + options.work * 0.05);
  offerState(run, state);
  await note(run, "groups");
}
