import { type Catalog, flavorOf, offerIndexOf } from "../compile/catalog.ts";
import { recordingSolver } from "../milp/record.ts";
import type { Solver } from "../milp/solver.ts";
import type { Intent } from "../model/intent.ts";
import type { RecordedAnswer, TenantShare } from "../model/plan.ts";
import type { Floor } from "../model/terms.ts";
import type { Books } from "../quota/books.ts";
import { heldMicro } from "../quota/demand.ts";
import {
  type Claimant,
  type Demand,
  entitlements,
  type ServingWay,
  type ShareProblem,
} from "../quota/entitlement.ts";
import type { Accounts } from "./accounts.ts";
import type { Batch, Contender } from "./batch.ts";
import type { Served } from "./serve.ts";

/** LPs above this many columns are asked per GPU model instead of per offer. */
const mostWays = 2_000;

/** What tenants are entitled to in a batch, and how to measure what they get. */
export interface Fairness {
  /** What is still missing of each tenant's entitlement, as floors on an assignment. */
  readonly floors: readonly Floor[];
  readonly answers: readonly RecordedAnswer[];
  /** Entitlements against what an outcome gives, by tenant. */
  sharesOf(served: readonly Served[]): TenantShare[];
}

/** Value of one GPU of an intent: its list price where the intent would go alone, micro-units per hour. */
type GpuValue = (intent: Pick<Intent, "name">) => number;

function valuesOf(contenders: readonly Contender[], others: readonly Served[]): GpuValue {
  const perGpu = ({ scope: { need }, result: { shares } }: Served): number =>
    shares.reduce((sum, { billedMicro }) => sum + billedMicro, 0) /
    Math.max(1, need.gpus * shares.reduce((sum, { replicas }) => sum + replicas, 0));
  const values = new Map([
    ...others.map((one) => [one.stated.name, Math.floor(perGpu(one))] as const),
    ...contenders.map(
      ({ scope: { need }, candidates }) =>
        [
          need.intent.name,
          Math.max(1, Math.floor(candidates[0]!.billedMicro / (need.gpus * need.together))),
        ] as const,
    ),
  ]);
  return ({ name }) => values.get(name) ?? 0;
}

/** List price of what tenants hold. */
function heldBy({ snapshot }: Catalog): Map<string, number> {
  const held = new Map<string, number>();
  for (const holding of snapshot.holdings) {
    const micro = heldMicro(snapshot, holding, snapshot.offers[offerIndexOf(snapshot, holding.offer)]);
    held.set(holding.tenant, (held.get(holding.tenant) ?? 0) + micro);
  }
  return held;
}

const weightOf = ({ tree }: Books, tenant: string): number => {
  const node = tree.index.get(tenant);
  return node === undefined ? 1 : tree.nodes[node]!.weight;
};

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Capacities that whole units can use: of 7 GPUs that are only ever taken by twos, 6. */
function usableCapacity({ instance }: Batch): number[] {
  const { useRow, useAmount, capacity } = instance;
  const step = new Float64Array(instance.rows);
  for (const [use, row] of useRow.entries())
    if (useAmount[use]! <= capacity[row]!) step[row] = gcd(useAmount[use]!, step[row]!);
  return Array.from(capacity, (limit, row) =>
    step[row]! > 0 ? Math.floor(limit / step[row]!) * step[row]! : limit,
  );
}

/** Demand of one item, option by option; rows are in shares of their capacity, which keeps the LP well scaled. */
function demandOf(batch: Batch, item: number, capacity: readonly number[], gpuValue: GpuValue): Demand {
  const { instance, contenders, unit } = batch;
  const { need } = contenders[item]!.scope;
  const ways: ServingWay[] = [];
  for (let option = instance.optionStart[item]!; option < instance.optionStart[item + 1]!; option++) {
    const covers = Math.min(instance.covers[option]!, instance.copies[item]!);
    const uses: [number, number][] = [];
    let isPossible = true;
    for (let use = instance.useStart[option]!; use < instance.useStart[option + 1]!; use++) {
      const row = instance.useRow[use]!;
      isPossible &&= instance.useAmount[use]! <= capacity[row]!;
      uses.push([row, instance.useAmount[use]! / capacity[row]! / covers]);
    }
    const hosted = Math.min(unit[option]!.replicas, need.replicas);
    if (isPossible) ways.push({ value: (gpuValue(need.intent) * need.gpus * hosted) / covers, uses });
  }
  return { units: instance.copies[item]!, ways };
}

/** Every offer and limit of the batch as it is. */
function exactDemands(batch: Batch, gpuValue: GpuValue): { capacity: number[]; demands: Demand[] } {
  const capacity = usableCapacity(batch);
  return {
    capacity: capacity.map(() => 1),
    demands: batch.contenders.map((_, item) => demandOf(batch, item, capacity, gpuValue)),
  };
}

/** GPUs by model only: looser, and small enough for any batch. */
function demandsByModel(batch: Batch, gpuValue: GpuValue): { capacity: number[]; demands: Demand[] } {
  const models = new Map<string, number>();
  const seen = new Set<string>();
  const capacity: number[] = [];
  const demands = batch.contenders.map(({ scope, candidates }): Demand => {
    const { catalog, need } = scope;
    const own = new Set<number>();
    for (const { row } of candidates) {
      const flavor = flavorOf(catalog, row);
      const model = models.get(flavor.gpu.model) ?? models.size;
      models.set(flavor.gpu.model, model);
      own.add(model);
      if (seen.has(flavor.id)) continue;
      seen.add(flavor.id);
      capacity[model] = (capacity[model] ?? 0) + flavor.capacity.gpusFree;
    }
    const ways = [...own].map((model): ServingWay => ({ value: gpuValue(need.intent), uses: [[model, 1]] }));
    return { units: need.gpus * need.replicas, ways };
  });
  return { capacity, demands };
}

/** Value of what an outcome gives one intent. */
function gotBy({ scope, result, verdict }: Served, gpuValue: GpuValue): number {
  if (verdict.outcome !== "placed") return 0;
  const replicas = result.shares.reduce((sum, share) => sum + share.replicas, 0);
  return gpuValue(scope.need.intent) * scope.need.gpus * replicas;
}

/** A batch and what is served outside of it. */
export interface FairCase {
  /** With the capacity that the others leave. */
  readonly batch: Batch;
  /** Served intents that do not compete: their places are fixed. */
  readonly others: readonly Served[];
}

/**
 * Entitlements of the tenants in a batch: weighted max-min shares, in money at list price, of what each can use. Over
 * the batch's own options and limits while that is a small linear program, else over GPU models.
 */
export async function fairnessOf(
  accounts: Accounts,
  { batch, others }: FairCase,
  solver: Solver | undefined,
): Promise<Fairness> {
  const { books, catalog } = accounts;
  const gpuValue = valuesOf(batch.contenders, others);
  const held = heldBy(catalog);
  for (const one of others)
    held.set(one.stated.tenant, (held.get(one.stated.tenant) ?? 0) + gotBy(one, gpuValue));
  const fixed = new Set(others.map(({ stated }) => stated.name));
  const isSmall = batch.instance.options <= mostWays;
  const { capacity, demands } = isSmall ? exactDemands(batch, gpuValue) : demandsByModel(batch, gpuValue);
  const items = Map.groupBy(
    batch.contenders.keys(),
    (item) => batch.contenders[item]!.scope.need.intent.tenant,
  );
  const tenants = [...items.keys()].sort();
  const problem: ShareProblem = {
    capacity,
    claimants: tenants.map(
      (tenant): Claimant => ({
        weight: weightOf(books, tenant),
        held: held.get(tenant) ?? 0,
        demands: items
          .get(tenant)!
          .map((item) => demands[item]!)
          .filter(({ ways }) => ways.length > 0),
      }),
    ),
  };
  const answers: (RecordedAnswer | null)[] = [];
  const { values, from } = await entitlements(
    problem,
    solver === undefined ? undefined : recordingSolver(solver, answers),
  );
  const entitled = values.map((value) => Math.floor(value * (1 - 1e-6)));
  return {
    answers: answers.filter((answer) => answer !== null),
    floors: tenants.map((tenant, index): Floor => {
      return {
        least: Math.max(0, entitled[index]! - (held.get(tenant) ?? 0)),
        concerns: (intent) => intent.tenant === tenant,
        amountOf: ({ intent, gpus }) => gpuValue(intent) * gpus,
      };
    }),
    sharesOf: (served) =>
      tenants.map((tenant, index): TenantShare => {
        const own = served.filter(({ stated }) => stated.tenant === tenant);
        const got = own.reduce(
          (sum, one) => sum + (fixed.has(one.stated.name) ? 0 : gotBy(one, gpuValue)),
          held.get(tenant) ?? 0,
        );
        const largest = own.reduce(
          (most, { stated, scope: { need } }) => Math.max(most, gpuValue(stated) * need.gpus * need.replicas),
          0,
        );
        return {
          tenant,
          weight: weightOf(books, tenant),
          entitledMicro: entitled[index]!,
          gotMicro: got,
          largestMicro: largest,
          isBacklogged: own.some(({ verdict }) => verdict.outcome !== "placed"),
          from,
        };
      }),
  };
}

/** Money per hour by which backlogged tenants fall short of their entitlement less one largest job. */
export function shortfallOf(shares: readonly TenantShare[]): number {
  return shares.reduce(
    (sum, { entitledMicro, gotMicro, largestMicro, isBacklogged }) =>
      sum + (isBacklogged ? Math.max(0, entitledMicro - largestMicro - gotMicro) : 0),
    0,
  );
}
