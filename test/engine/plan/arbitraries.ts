import fc from "fast-check";
import type { Flavor } from "../../../engine/model/flavor.ts";
import type { Intent } from "../../../engine/model/intent.ts";
import { eur, flavor, intent } from "../builders.ts";

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

/** Drops undefined members, which exact optional types forbid. */
const stated = <T extends object>(members: T): T =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as T;

/** ISO 4217's code for tests: no table has a rate for it. */
const RATELESS = "XTS";

/** Offers with few, small, whole values so that ties and exact fits are common; traits are often missing. */
export const offers: fc.Arbitrary<Flavor[]> = fc
  .array(
    fc.record({
      provider: fc.constantFrom("alpha", "beta"),
      place: fc.constantFrom(["eu-central-1", "DE", "eu"], ["us-east-1", "US", "us"]),
      model: fc.constantFrom("nvidia-a100", "nvidia-t4", "amd-mi300x"),
      memory: maybe(fc.integer({ min: 1, max: 4 })),
      tier: maybe(fc.constantFrom("premium", "budget")),
      gpus: fc.integer({ min: 1, max: 4 }),
      used: fc.integer({ min: 0, max: 2 }),
      cpu: maybe(fc.integer({ min: 1, max: 4 })),
      price: fc.integer({ min: 0, max: 4 }),
      spot: maybe(fc.integer({ min: 0, max: 3 })),
      onlySpot: fc.boolean(),
      currency: fc.constantFrom("EUR", "EUR", "EUR", RATELESS),
      basis: fc.constantFrom("node" as const, "gpu" as const),
      divisible: fc.boolean(),
      latency: fc.integer({ min: 1, max: 4 }),
      tflops: fc.constantFrom(100, 200, 300),
      gdpr: maybe(fc.boolean()),
      uptime: maybe(fc.integer({ min: 98, max: 100 })),
    }),
    { maxLength: 9 },
  )
  .map((list) =>
    list.map((one, index) => {
      const money = (amount: number) => ({ micro: amount * 1_000_000, currency: one.currency });
      const spot = one.spot === undefined ? {} : { spot: money(one.spot) };
      const onDemand = one.onlySpot && one.spot !== undefined ? {} : { onDemand: money(one.price) };
      const [region, country, area] = one.place as [string, string, string];
      const base = flavor(`offer-${index}`, {
        provider: one.provider,
        region,
        zone: `${region}a`,
        country,
        areas: [area],
        capacity: stated({
          gpus: one.gpus,
          gpusFree: Math.max(0, one.gpus - one.used),
          cpuMilli: one.cpu === undefined ? undefined : one.cpu * 1000,
          memoryMib: 4096,
        }) as never,
        price: { basis: one.basis, ...onDemand, ...spot },
        divisible: one.divisible,
        network: { latencyMs: one.latency },
        compliance: stated({ gdpr: one.gdpr }) as never,
        performance: stated({ uptimePercent: one.uptime }) as never,
      });
      return {
        ...base,
        gpu: stated({
          ...base.gpu,
          model: one.model,
          families: [one.model],
          memoryMib: one.memory === undefined ? undefined : one.memory * 1024,
          tier: one.tier,
          fp16Tflops: one.tflops,
        }) as Flavor["gpu"],
      };
    }),
  );

/** One-replica services over the same small values. */
export const intents: fc.Arbitrary<Intent> = fc
  .record({
    objective: fc.constantFrom("cost", "performance", "latency", "energy", "balanced"),
    count: fc.integer({ min: 1, max: 3 }),
    memory: maybe(fc.integer({ min: 1, max: 4 })),
    model: maybe(fc.constantFrom("nvidia-a100", "nvidia-t4")),
    tier: maybe(fc.constantFrom("premium", "budget")),
    cpu: maybe(fc.integer({ min: 1, max: 4 })),
    cap: maybe(fc.integer({ min: 0, max: 8 })),
    latency: maybe(fc.integer({ min: 1, max: 4 })),
    spot: maybe(fc.boolean()),
    place: maybe(fc.constantFrom("eu", "us")),
    provider: maybe(fc.constantFrom("alpha", "beta")),
    gdpr: maybe(fc.boolean()),
    uptime: maybe(fc.integer({ min: 98, max: 100 })),
  })
  .map((one) =>
    intent({
      objective: one.objective as Intent["objective"],
      gpu: stated({
        count: one.count,
        memoryMibMin: one.memory === undefined ? undefined : one.memory * 1024,
        model: one.model,
        tier: one.tier,
      }) as never,
      workload: {
        resources: stated({ cpuMilli: one.cpu === undefined ? undefined : one.cpu * 1000 }) as never,
      },
      constraints: stated({
        maxHourlyCost: one.cap === undefined ? undefined : eur(one.cap),
        maxLatencyMs: one.latency,
        preemptible: one.spot,
        locations: one.place === undefined ? [] : [{ text: one.place, kind: "area" as const }],
        providers: one.provider === undefined ? [] : [one.provider],
        compliance: stated({ dataResidency: [], certifications: [], gdpr: one.gdpr }),
        performance: stated({ minUptimePercent: one.uptime }),
      }) as never,
    }),
  );
