import type { Predicate } from "../../kernel/query.ts";
import type { Availability } from "../../model/intent.ts";
import type { Micro, Money } from "../../model/money.ts";
import { convert, formatMicro } from "../../model/money.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import { formatTime } from "../../model/time.ts";
import { RESTART_HOURS } from "../../score/spot.ts";
import { flavorOf } from "../catalog.ts";
import { billedMicro, type Need, slotsWhenFree, taskSeconds } from "../need.ts";
import { changed } from "./forms.ts";
import { replicasWithinCarbon } from "./policy.ts";
import { bitmapOf, type ConstraintSpec, type Scope } from "./spec.ts";

const moneyText = (money: Money): string => `${formatMicro(money.micro)} ${money.currency}`;

/** The smallest amount in `currency` worth at least `micro` of the snapshot's currency. */
function inCurrency(micro: Micro, currency: string, snapshot: Snapshot): Money {
  if (currency === snapshot.currency) return { micro, currency };
  const rate = snapshot.rates[currency]!;
  let amount = Number((BigInt(micro) * 1_000_000n) / BigInt(rate));
  while ((convert({ micro: amount, currency }, snapshot.currency, snapshot.rates) ?? 0) < micro) amount++;
  return { micro: amount, currency };
}

/** A price that cannot be compared: the offer's currency has no rate in the snapshot. */
const priced: ConstraintSpec = {
  name: "offer.currency",
  predicates: ({ catalog }) => [catalog.columns.is("priced", 1)],
};

/** Billed price per hour of the replicas that run together, all at this offer's price. */
function hourlyMicro({ catalog, need }: Scope, row: number): Micro {
  return billedMicro(catalog, need, row, need.together);
}

/** Billed price per hour of what the offer must host by itself: the cap on the whole is kept where offers are joined. */
function leastHourlyMicro({ catalog, need }: Scope, row: number): Micro {
  return billedMicro(catalog, need, row, need.perOffer);
}

/**
 * Nothing passes: a cap in a currency without a rate cannot be kept, and dropping it would break a promise; a closed
 * window lets nobody in.
 */
function nothingPasses({ catalog }: Scope): readonly Predicate[] {
  return [{ kind: "bitmap", failed: bitmapOf(catalog.options.count, () => true) }];
}

const hourly: ConstraintSpec = {
  name: "max_hourly_cost",
  predicates: (scope) => {
    const { catalog, need } = scope;
    const cap = need.capMicro;
    if (cap === undefined) return null;
    if (cap === null) return nothingPasses(scope);
    const { columns, options } = catalog;
    // parts are billed by the offer's own share of a GPU: judged row by row
    if (need.part !== undefined)
      return [
        {
          kind: "bitmap",
          failed: bitmapOf(options.count, (row) => leastHourlyMicro(scope, row) > cap),
        },
      ];
    const perGpu = Math.floor(cap / (need.gpus * need.perOffer));
    const unit = columns.within("unitMicro", { max: perGpu, unknown: "pass" });
    if (need.perOffer === 1) {
      return [unit, columns.within("wholeMicro", { max: cap, unknown: "pass" })];
    }
    const failed = bitmapOf(
      options.count,
      (row) => leastHourlyMicro(scope, row) > cap && options.wholeMicro[row]! >= 0,
    );
    return [unit, { kind: "bitmap", failed }];
  },
  relax: (scope, rows) => {
    const { catalog, need } = scope;
    const from = need.intent.constraints.maxHourlyCost;
    if (from === undefined || need.capMicro === null) return null;
    const least = rows.reduce((best, row) => Math.min(best, hourlyMicro(scope, row)), Infinity);
    const to = inCurrency(least, from.currency, catalog.snapshot);
    return changed(need.intent, ["constraints", "maxHourlyCost"], to, {
      path: "constraints.max_hourly_cost",
      from: moneyText(from),
      to: moneyText(to),
    });
  },
};

/** Tasks that the offer of a row runs at once when it is free: as many as fit and as the carbon cap allows. */
const tasksAtOnce = (catalog: Scope["catalog"], need: Need, row: number): number =>
  Math.min(slotsWhenFree(catalog, need, row), replicasWithinCarbon({ catalog, need }, row));

/** Price of all tasks to their end (C-36): hourly price of one task times its runtime times the tasks. */
export function totalMicro({ catalog, need }: Pick<Scope, "catalog" | "need">, row: number): Micro {
  const slots = Math.max(1, Math.min(tasksAtOnce(catalog, need, row), need.replicas));
  const waves = Math.ceil(need.replicas / slots);
  const divisible = !Number.isNaN(catalog.options.unitMicro[row]!);
  const hourlyAtOnce = divisible
    ? billedMicro(catalog, need, row, need.replicas)
    : catalog.options.wholeMicro[row]! * waves;
  return Math.ceil((hourlyAtOnce * taskSeconds(catalog, need, row)) / 3600);
}

const total: ConstraintSpec = {
  name: "max_total_cost",
  predicates: (scope) => {
    const { catalog, need } = scope;
    const cap = need.totalCapMicro;
    if (cap === null) return nothingPasses(scope);
    if (cap === undefined || need.runtime.source === "none") return null;
    return [
      { kind: "bitmap", failed: bitmapOf(catalog.options.count, (row) => totalMicro(scope, row) > cap) },
    ];
  },
  relax: (scope, rows) => {
    const { catalog, need } = scope;
    const from = need.intent.constraints.maxTotalCost;
    if (from === undefined || need.totalCapMicro === null) return null;
    const least = rows.reduce((best, row) => Math.min(best, totalMicro(scope, row)), Infinity);
    const to = inCurrency(least, from.currency, catalog.snapshot);
    return changed(need.intent, ["constraints", "maxTotalCost"], to, {
      path: "constraints.max_total_cost",
      from: moneyText(from),
      to: moneyText(to),
    });
  },
};

/** Earliest end (batch) or start (service) on the option of a row, milliseconds since 1970. */
export function reachableMs(
  { catalog, need }: { catalog: Scope["catalog"]; need: Need },
  row: number,
): number {
  const flavor = flavorOf(catalog, row);
  const startMs = need.atMs + Math.ceil((flavor.performance.coldStartSeconds ?? 0) * 1000);
  if (need.runtime.source === "none") return startMs;
  const slots = Math.max(1, need.together > 1 ? need.replicas : tasksAtOnce(catalog, need, row));
  const waves = need.together > 1 ? 1 : Math.ceil(need.replicas / Math.min(slots, need.replicas));
  return startMs + Math.ceil(taskSeconds(catalog, need, row) * 1000 * waves);
}

/**
 * Time that a run on spot capacity keeps until its deadline: an interruption at the worst moment loses a stretch between
 * checkpoints (all of it without them) and costs a restart, and the rest is then done on demand. So a deadline that
 * on-demand capacity can meet is not missed for the sake of a lower price. Milliseconds; 0 on demand and for services.
 */
function spotReserveMs({ catalog, need }: Pick<Scope, "catalog" | "need">, row: number): number {
  const { segmentHours } = need.exposure;
  if (catalog.options.spot[row] !== 1 || segmentHours === undefined) return 0;
  const segment = Math.min(segmentHours * 3600, taskSeconds(catalog, need, row));
  return Math.ceil((segment + RESTART_HOURS * 3600) * 1000);
}

/** When the work of a row is done; with the reserve, even if its spot capacity is lost once at the worst moment. */
const doneMs = (scope: Scope, row: number): number =>
  reachableMs(scope, row) + (scope.keepsReserve === true ? spotReserveMs(scope, row) : 0);

const deadline: ConstraintSpec = {
  name: "deadline",
  predicates: (scope) => {
    const { deadlineMs } = scope.need;
    if (deadlineMs === undefined) return null;
    return [
      {
        kind: "bitmap",
        failed: bitmapOf(scope.catalog.options.count, (row) => doneMs(scope, row) > deadlineMs),
      },
    ];
  },
  relax: (scope, rows) => {
    const earliest = rows.reduce((best, row) => Math.min(best, doneMs(scope, row)), Infinity);
    const to = formatTime(Math.ceil(earliest / 1000) * 1000);
    return changed(scope.need.intent, ["constraints", "deadline"], to, {
      path: "constraints.deadline",
      from: scope.need.intent.constraints.deadline ?? null,
      to,
    });
  },
};

const windowText = ({ windowStart, windowEnd, timezone, daysOfWeek }: Availability): string => {
  const clock = (minutes: number): string =>
    `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  const days = daysOfWeek.map((day) => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day]).join(" ");
  return `${clock(windowStart)}-${clock(windowEnd)} ${timezone} ${days}`;
};

/**
 * The workload's own availability window: closed, it admits nothing; open, it admits a batch of known runtime where it
 * ends before the window does, and everything else.
 */
const availability: ConstraintSpec = {
  name: "availability",
  predicates: (scope) => {
    const { need, catalog } = scope;
    const { period, runtime } = need;
    if (period === undefined) return null;
    if (period === null) return nothingPasses(scope);
    if (
      runtime.source === "none" ||
      runtime.source === "assumed" ||
      period.endMs === Number.POSITIVE_INFINITY
    )
      return null;
    return [
      {
        kind: "bitmap",
        failed: bitmapOf(catalog.options.count, (row) => reachableMs(scope, row) > period.endMs),
      },
    ];
  },
  relax: ({ need }) => {
    const { availability: stated } = need.intent.constraints;
    return changed(need.intent, ["constraints", "availability"], undefined, {
      path: "constraints.availability",
      from: stated === undefined ? null : windowText(stated),
      to: null,
    });
  },
};

/** What a placement may cost and when it may run. */
export const costConstraints: readonly ConstraintSpec[] = [priced, hourly, total, deadline, availability];
