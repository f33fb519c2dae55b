import { z } from "@hono/zod-openapi";
import { placeAccepts, readPlace } from "../../../adapters/json/intent-constraints.ts";
import { show as quoted } from "../../../adapters/json/notes.ts";
import { findGpuModel } from "../../../engine/catalog/gpus.ts";
import { liesIn } from "../../../engine/compile/constraints/place.ts";
import type { Flavor } from "../../../engine/model/flavor.ts";
import { formatMicro, type Money } from "../../../engine/model/money.ts";
import { formatTime } from "../../../engine/model/time.ts";
import { ApiError } from "../problem.ts";
import { count, flag, paging, queried, time, word } from "../query.ts";
import { json, type Route } from "../route.ts";
import { anyObject, pageOf, resourceSchema } from "../shapes.ts";

const PAGE = 200;

const priceText = (money: Money | undefined): string | null =>
  money === undefined ? null : `${formatMicro(money.micro)} ${money.currency}`;

const amount = (money: Money | undefined): object | null =>
  money === undefined ? null : { amount: money.micro / 1_000_000, currency: money.currency, period: "hour" };

const memoryText = (mib: number | undefined): string | null =>
  mib === undefined ? null : mib % 1024 === 0 ? `${mib / 1024}Gi` : `${mib}Mi`;

/** An offer in the original's shape and in ours. */
function show(flavor: Flavor): Record<string, unknown> {
  const { id, capacity, gpu, price, provider, region, zone } = flavor;
  return {
    offer: id,
    model: gpu.model,
    count: capacity.gpus,
    memory: memoryText(gpu.memoryMib),
    location: region ?? zone ?? null,
    cost_per_hour: priceText(price.onDemand ?? price.spot),
    provider,
    region: region ?? null,
    zone: zone ?? null,
    free: capacity.gpusFree,
    utilization: capacity.gpus === 0 ? 0 : Math.round((1 - capacity.gpusFree / capacity.gpus) * 1000) / 1000,
    sold: flavor.divisible ? "gpu" : "node",
    basis: price.basis,
    on_demand: amount(price.onDemand),
    spot: amount(price.spot),
    preemptible: price.onDemand === undefined,
    traits: {
      gpu: { ...gpu, families: undefined },
      network: flavor.network,
      energy: flavor.energy,
      compliance: flavor.compliance,
      security: flavor.security,
      performance: flavor.performance,
    },
  };
}

interface Filter {
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly location?: string | undefined;
  readonly spot?: boolean | undefined;
  readonly min_free?: number | undefined;
  readonly min_memory_gib?: number | undefined;
}

/**
 * Whether an offer lies in a place: one that the catalog knows, or a name that some offer has.
 *
 * @throws {ApiError} 400 when it is neither
 */
function readLocation(text: string, offers: readonly Flavor[]): (flavor: Flavor) => boolean {
  const name = text.trim().toLowerCase();
  const isNamed = ({ region, zone, country }: Flavor): boolean =>
    region === name || zone === name || country?.toLowerCase() === name;
  try {
    const place = readPlace(name);
    return (flavor) => liesIn(flavor, place) || isNamed(flavor);
  } catch {
    if (offers.some(isNamed)) return isNamed;
    const path = "query.location";
    const message = `found ${quoted(text)}; accepted: ${placeAccepts}`;
    throw new ApiError("INVALID_FORMAT", `${path}: ${message}`, {
      problems: [{ path, code: "invalid_format", message }],
    });
  }
}

/** True when the offer passes every filter that is stated; a trait that is not stated passes none. */
function passes(filter: Filter, flavor: Flavor, place: ((flavor: Flavor) => boolean) | undefined): boolean {
  const { gpu, provider, price, capacity } = flavor;
  const model =
    filter.model === undefined ? undefined : (findGpuModel(filter.model)?.name ?? filter.model.toLowerCase());
  return (
    (model === undefined || gpu.families.includes(model) || gpu.model === model) &&
    (filter.provider === undefined || provider === filter.provider.toLowerCase()) &&
    (place === undefined || place(flavor)) &&
    (filter.spot === undefined || (price.spot !== undefined) === filter.spot) &&
    (filter.min_free === undefined || capacity.gpusFree >= filter.min_free) &&
    (filter.min_memory_gib === undefined || (gpu.memoryMib ?? 0) >= filter.min_memory_gib * 1024)
  );
}

interface Use {
  gpus: number;
  free: number;
  offers: number;
}

/** Capacity and use of offers together, by some name of theirs. */
function useBy(offers: readonly Flavor[], nameOf: (flavor: Flavor) => string): object[] {
  const groups = new Map<string, Use>();
  for (const flavor of offers) {
    const name = nameOf(flavor);
    const use = groups.get(name) ?? { gpus: 0, free: 0, offers: 0 };
    use.gpus += flavor.capacity.gpus;
    use.free += flavor.capacity.gpusFree;
    use.offers += 1;
    groups.set(name, use);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, use]) => ({ name, ...use, utilization: use.gpus === 0 ? 0 : 1 - use.free / use.gpus }));
}

const HOUR_MS = 3_600_000;
const MOST_POINTS = 1000;

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

/** Lowest and middle price per GPU and hour of a model, in whole units of the currency. */
function pricesOf(offers: readonly Flavor[], kind: "onDemand" | "spot"): object | null {
  const micro = offers.flatMap(({ price, capacity }) => {
    const money = price[kind];
    return money === undefined ? [] : [price.basis === "gpu" ? money.micro : money.micro / capacity.gpus];
  });
  const currencies = new Set(offers.flatMap(({ price }) => price[kind]?.currency ?? []));
  const middle = median(micro);
  if (middle === null || currencies.size !== 1) return null;
  const round = (value: number): number => Math.round(value) / 1_000_000;
  return {
    lowest: round(Math.min(...micro)),
    median: round(middle),
    currency: [...currencies][0],
    offers: micro.length,
  };
}

/** What the federation sells, how much of it is used, and what it costs. */
export const resourceRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/resources",
    permission: "resources:read",
    summary: "GPUs on offer: capacity, free now, prices, traits",
    answers: { 200: { description: "One page, by offer", schema: pageOf("available_gpus", resourceSchema) } },
    ...queried(
      z.object({
        ...paging,
        model: word.describe("GPU model or family."),
        provider: word.describe("Provider."),
        location: word.describe("Area, country, region or zone."),
        spot: flag.describe("Offers with a spot price, or without."),
        min_free: count(0, 1_000_000).describe("Fewest GPUs free now."),
        min_memory_gib: count(0, 1_000_000).describe("Least memory per GPU, GiB."),
      }),
      async ({ planner, tools, tenantId }, { limit = PAGE, cursor, ...filter }) => {
        const { offers, at, version } = await planner.snapshot();
        const after = cursor === undefined ? "" : await tools.cursors.read(tenantId, "resources", cursor);
        const place = filter.location === undefined ? undefined : readLocation(filter.location, offers);
        const matching = offers.filter((flavor) => flavor.id > after && passes(filter, flavor, place));
        const page = matching.slice(0, limit);
        const last = page.at(-1);
        return json(200, {
          available_gpus: page.map(show),
          at,
          version,
          next_cursor:
            matching.length > limit && last !== undefined
              ? await tools.cursors.make(tenantId, "resources", last.id)
              : null,
        });
      },
    ),
  },
  {
    method: "get",
    path: "/resources/utilization",
    permission: "resources:read",
    summary: "Use of the federation now, and GPUs in use through this service over time",
    answers: { 200: { description: "Now by provider, model and region, and a series", schema: anyObject } },
    ...queried(
      z.object({
        since: time.describe("Start of the series; default a day ago."),
        until: time.describe("End of the series; default now."),
        points: count(2, MOST_POINTS).describe("Points of the series; default 48."),
      }),
      async ({ planner, env }, query) => {
        const now = env.clock.wallMs();
        const { until = now, since = until - 24 * HOUR_MS, points = 48 } = query;
        if (since >= until)
          throw new ApiError("INVALID_FORMAT", "query.since: accepted: a time before query.until", {
            problems: [
              { path: "query.since", code: "out_of_range", message: "accepted: a time before query.until" },
            ],
          });
        const { offers, at } = await planner.snapshot();
        const used = await env.store.system.gpusInUse({ fromMs: since, untilMs: until, points });
        const total = offers.reduce((sum, { capacity }) => sum + capacity.gpus, 0);
        const series = used.map((gpus, index) => ({
          at: formatTime(since + Math.floor(((until - since) * index) / (points - 1))),
          gpus_used: gpus,
          gpus_total: total,
        }));
        return json(200, {
          at,
          by_provider: useBy(offers, ({ provider }) => provider),
          by_model: useBy(offers, ({ gpu }) => gpu.model),
          by_region: useBy(offers, ({ region, zone }) => region ?? zone ?? "unknown"),
          series,
        });
      },
    ),
  },
  {
    method: "get",
    path: "/resources/prices",
    permission: "resources:read",
    summary: "Prices per GPU and hour by model, and scarcity prices of the last contended batch",
    description:
      "Scarcity prices are a signal of what one more unit would have been worth; nobody is charged them.",
    answers: { 200: { description: "Prices by model, and scarcity", schema: anyObject } },
    async handle({ planner }) {
      const { offers, at } = await planner.snapshot();
      const byModel = new Map<string, Flavor[]>();
      for (const flavor of offers)
        byModel.set(flavor.gpu.model, [...(byModel.get(flavor.gpu.model) ?? []), flavor]);
      const scarcity = planner.scarcity();
      return json(200, {
        at,
        prices: [...byModel]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([model, list]) => ({
            model,
            on_demand: pricesOf(list, "onDemand"),
            spot: pricesOf(list, "spot"),
          })),
        scarcity:
          scarcity === null
            ? null
            : {
                at: formatTime(scarcity.atMs),
                is_signal: true,
                prices: scarcity.prices.map(({ offer, resource, micro }) => ({
                  offer,
                  resource,
                  amount: micro / 1_000_000,
                  currency: scarcity.currency,
                })),
              },
      });
    },
  },
];
