import * as z from "zod";
import { areaNames, findRegion, resolvePlace } from "../../engine/catalog/regions.ts";
import { EngineError } from "../../engine/model/errors.ts";
import type { Coordinates } from "../../engine/model/flavor.ts";
import type {
  Availability,
  Constraints,
  FallbackStrategy,
  Negotiation,
  Place,
} from "../../engine/model/intent.ts";
import { canonicalCertification } from "./choices.ts";
import { choice, stated, whole, yes } from "./field.ts";
import {
  bandwidthLeaf,
  carbonLeaf,
  dayLeaf,
  durationLeaf,
  leaf,
  minuteLeaf,
  moneyLeaf,
  percentLeaf,
  timeLeaf,
  timezoneLeaf,
  wordLeaf,
} from "./leaf.ts";

const share = z.number().min(0).max(1);

/** What `location` and its kin accept. */
export const placeAccepts: string = `an area (${[...areaNames].join(", ")}), a country (name or ISO code), or a known region or zone`;

/**
 * The place a text names: an area, a country, a region of the catalog, or a zone of such a region.
 *
 * @throws {EngineError} `invalid_format` when the catalog knows no such place
 */
export function readPlace(text: string): Place {
  const place = resolvePlace(text.trim());
  if (place !== null) return place;
  const zone = text.trim().toLowerCase();
  const region = /^(.+?)(?:\/[a-z0-9-]+|-?[a-z])$/.exec(zone)?.[1];
  if (region !== undefined && findRegion(region) !== null) return { text: zone, kind: "zone" };
  throw new EngineError("invalid_format", `"${text}" is no known place`);
}

const placeLeaf: z.ZodType<Place, string> = leaf(
  z.string({ error: () => placeAccepts }),
  placeAccepts,
  readPlace,
);

const availability = z.strictObject({
  window_start: minuteLeaf.describe("Start of the daily window."),
  window_end: minuteLeaf.describe("End of the daily window; before the start it is on the next day."),
  timezone: timezoneLeaf.describe("Time zone of the window."),
  days_of_week: z
    .array(choice("intent.constraints.availability.days_of_week[]"))
    .min(1)
    .describe("Days on which the window opens."),
  blackout_dates: z.array(dayLeaf).optional().describe("Days without a window."),
  maintenance_windows: z
    .array(
      z.strictObject({
        start: timeLeaf.describe("First start."),
        end: timeLeaf.describe("First end."),
        frequency: choice<"weekly" | "monthly">(
          "intent.constraints.availability.maintenance_windows[].frequency",
        )
          .optional()
          .describe("Default weekly."),
      }),
    )
    .optional()
    .describe("Times in which the workload is down anyway."),
});

const security = z.strictObject({
  network_isolation: choice<"public" | "private">("intent.constraints.security.network_isolation")
    .optional()
    .describe("Default public."),
  firewall_rules: z
    .array(
      z.strictObject({
        port: whole().min(1).max(65535).describe("Port."),
        protocol: choice<"TCP" | "UDP">("intent.constraints.security.firewall_rules[].protocol").describe(
          "TCP or UDP.",
        ),
        source: wordLeaf.describe("CIDR the rule applies to."),
        action: choice<"allow" | "deny">("intent.constraints.security.firewall_rules[].action").describe(
          "allow or deny.",
        ),
      }),
    )
    .optional()
    .describe("Rules for traffic to the workload."),
  vpn_access: yes("Requires an offer with VPN access."),
  bastion_host: yes("Requires an offer with a bastion host."),
  intrusion_detection: yes("Requires an offer with intrusion detection."),
  vulnerability_scanning: yes("Requires an offer with vulnerability scanning."),
});

const compliance = z.strictObject({
  data_residency: z.array(placeLeaf).optional().describe("Areas or countries in which data must stay."),
  certifications: z.array(wordLeaf).optional().describe("Certifications the offer must hold, all of them."),
  encryption_at_rest: yes("Requires encryption at rest."),
  encryption_in_transit: yes("Requires encryption in transit."),
  audit_logging: yes("Requires audit logging."),
  gdpr_compliant: yes("Requires an offer stated as GDPR compliant."),
  hipaa_compliant: yes("Requires an offer stated as HIPAA compliant."),
});

const point = {
  latitude: z.number().min(-90).max(90).describe("Degrees north."),
  longitude: z.number().min(-180).max(180).describe("Degrees east."),
};

const originAccepts = 'a known region such as "eu-central-1", or {"latitude": 50.1, "longitude": 8.7}';

/**
 * A region of the catalog, or a point.
 *
 * @throws {EngineError} `invalid_format` when the region is unknown
 */
export function readOrigin(value: string | Coordinates): NonNullable<Constraints["origin"]> {
  if (typeof value !== "string") return { coordinates: value };
  const region = findRegion(value.trim());
  if (region === null) throw new EngineError("invalid_format", `"${value}" is no known region`);
  return { region: region.name, coordinates: region.coordinates };
}

/** `constraints.origin`, also the hub of a snapshot. */
export const originLeaf: z.ZodType<NonNullable<Constraints["origin"]>> = leaf(
  z.union([z.string(), z.strictObject(point)], { error: () => originAccepts }),
  originAccepts,
  readOrigin,
);

const schema = z.strictObject({
  max_hourly_cost: moneyLeaf.optional().describe("Cap on the billed price of the whole workload per hour."),
  max_total_cost: moneyLeaf.optional().describe("Cap on the billed price of the whole run."),
  location: placeLeaf.optional().describe("Area, country, region or zone."),
  locations: z.array(placeLeaf).optional().describe("Any of these places."),
  availability_zone: wordLeaf.optional().describe("Zone, exact."),
  max_latency_ms: z.number().min(0).optional().describe("Longest round trip from the origin, milliseconds."),
  deadline: timeLeaf.optional().describe("Finish-by for batch, start-by for services."),
  preemptible: yes("Accepts spot offers."),
  providers: z.array(wordLeaf).optional().describe("Allow-list of providers, any case."),
  preferred_providers: z
    .array(wordLeaf)
    .optional()
    .describe("Providers that are preferred but not required."),
  spread: z
    .strictObject({
      by: choice<NonNullable<Constraints["spread"]>["by"]>("intent.constraints.spread.by").describe(
        "Failure domain.",
      ),
      min_domains: whole().min(2).describe("Fewest domains that hold a replica."),
    })
    .optional()
    .describe("Spreads replicas over failure domains."),
  origin: originLeaf.optional().describe("Where latency is felt; default the snapshot's hub."),
  availability: availability.optional().describe("When the workload may run."),
  energy: z
    .strictObject({
      max_carbon_footprint: carbonLeaf.optional().describe("Most grams of CO2 per hour, whole workload."),
      renewable_energy_only: yes("Requires an offer on renewable energy alone."),
      energy_efficiency_rating: choice<NonNullable<Constraints["energy"]["efficiencyRating"]>>(
        "intent.constraints.energy.energy_efficiency_rating",
      )
        .optional()
        .describe("Worst rating accepted."),
      power_usage_effectiveness: z.number().min(1).optional().describe("Highest PUE accepted."),
      green_certified_only: yes("Requires a green certificate."),
    })
    .optional()
    .describe("Energy."),
  security: security.optional().describe("Security."),
  performance: z
    .strictObject({
      min_network_bandwidth: bandwidthLeaf.optional().describe("Least network bandwidth."),
      max_jitter_ms: z.number().min(0).optional().describe("Most jitter, milliseconds."),
      min_uptime_percent: percentLeaf.optional().describe("Least stated uptime."),
      max_cold_start_time: durationLeaf.optional().describe("Longest cold start."),
      gpu_utilization_target: share
        .optional()
        .describe(
          "GPU utilization aimed at, 0 to 1; the autoscaler's target instead of `target_gpu_percent`.",
        ),
      memory_utilization_target: share
        .optional()
        .describe("Memory utilization aimed at, 0 to 1; a target of the autoscaler."),
    })
    .optional()
    .describe("Performance."),
  compliance: compliance.optional().describe("Compliance."),
  negotiation: z
    .strictObject({
      max_negotiation_rounds: whole().min(0).optional().describe("Default 3."),
      price_flexibility: share
        .optional()
        .describe(
          "Share by which a stated price cap may be exceeded when nothing else fits; only when stated (0.15 is usual).",
        ),
      resource_flexibility: share
        .optional()
        .describe(
          "Share by which stated minimums may be missed when nothing else fits; only when stated (0.10 is usual).",
        ),
      timeout_seconds: whole().min(0).optional().describe("Default 300."),
      fallback_strategy: z
        .array(choice<FallbackStrategy>("intent.constraints.negotiation.fallback_strategy[]"))
        .optional()
        .describe("What to try when nothing matches, in order."),
      auto_accept_threshold: share
        .optional()
        .describe(
          "When stated, all rounds are heard and the first within this share of the cheapest is taken (0.05 is usual); otherwise the first that places.",
        ),
    })
    .optional()
    .describe("What may give when nothing matches."),
});

type Parsed = z.output<typeof schema>;

const weekdays: Readonly<Record<string, number>> = { Mon: 0, Tue: 1, Wed: 2, Thu: 3, Fri: 4, Sat: 5, Sun: 6 };
const lower = (names: readonly string[] | undefined): string[] =>
  (names ?? []).map((name) => name.trim().toLowerCase());

function toAvailability(block: NonNullable<Parsed["availability"]>): Availability {
  const days = new Set(block.days_of_week.map((day) => weekdays[day] ?? 0));
  return {
    windowStart: block.window_start,
    windowEnd: block.window_end,
    timezone: block.timezone,
    daysOfWeek: [...days].sort((a, b) => a - b),
    blackoutDates: [...new Set(block.blackout_dates ?? [])].sort(),
    maintenanceWindows: (block.maintenance_windows ?? []).map((window) => ({
      start: window.start,
      end: window.end,
      frequency: window.frequency ?? "weekly",
    })),
  };
}

function toNegotiation(block: Parsed["negotiation"]): Negotiation {
  return {
    maxRounds: block?.max_negotiation_rounds ?? 3,
    timeoutSeconds: block?.timeout_seconds ?? 300,
    fallbacks: block?.fallback_strategy ?? [],
    ...stated({
      priceFlexibility: block?.price_flexibility,
      resourceFlexibility: block?.resource_flexibility,
      autoAcceptThreshold: block?.auto_accept_threshold,
    }),
  };
}

function toDemands(block: Parsed): Pick<Constraints, "energy" | "security" | "performance" | "compliance"> {
  const { energy, security, performance, compliance } = block;
  return {
    energy: stated({
      maxCarbonGramsPerHour: energy?.max_carbon_footprint,
      renewableOnly: energy?.renewable_energy_only,
      efficiencyRating: energy?.energy_efficiency_rating,
      maxPue: energy?.power_usage_effectiveness,
      greenCertifiedOnly: energy?.green_certified_only,
    }),
    security: {
      firewallRules: security?.firewall_rules ?? [],
      ...stated({
        networkIsolation: security?.network_isolation,
        vpnAccess: security?.vpn_access,
        bastionHost: security?.bastion_host,
        intrusionDetection: security?.intrusion_detection,
        vulnerabilityScanning: security?.vulnerability_scanning,
      }),
    },
    performance: stated({
      minNetworkBandwidthGbps: performance?.min_network_bandwidth,
      maxJitterMs: performance?.max_jitter_ms,
      minUptimePercent: performance?.min_uptime_percent,
      maxColdStartSeconds: performance?.max_cold_start_time,
      gpuUtilizationTarget: performance?.gpu_utilization_target,
      memoryUtilizationTarget: performance?.memory_utilization_target,
    }),
    compliance: {
      dataResidency: compliance?.data_residency ?? [],
      certifications: [...new Set((compliance?.certifications ?? []).map(canonicalCertification))].sort(),
      ...stated({
        encryptionAtRest: compliance?.encryption_at_rest,
        encryptionInTransit: compliance?.encryption_in_transit,
        auditLogging: compliance?.audit_logging,
        gdpr: compliance?.gdpr_compliant,
        hipaa: compliance?.hipaa_compliant,
      }),
    },
  };
}

/** Constraints of the parsed block; without a block nothing is constrained. */
function toConstraints(block: Parsed): Constraints {
  return {
    locations: [...(block.location === undefined ? [] : [block.location]), ...(block.locations ?? [])],
    providers: [...new Set(lower(block.providers))].sort(),
    preferredProviders: [...new Set(lower(block.preferred_providers))].sort(),
    negotiation: toNegotiation(block.negotiation),
    ...toDemands(block),
    ...stated({
      maxHourlyCost: block.max_hourly_cost,
      maxTotalCost: block.max_total_cost,
      availabilityZone: block.availability_zone?.trim().toLowerCase(),
      maxLatencyMs: block.max_latency_ms,
      deadline: block.deadline,
      preemptible: block.preemptible,
      spread:
        block.spread === undefined
          ? undefined
          : { by: block.spread.by, minDomains: block.spread.min_domains },
      origin: block.origin,
      availability: block.availability === undefined ? undefined : toAvailability(block.availability),
    }),
  };
}

/** `intent.constraints` of the canonical form, read into the engine's type. */
export const constraintsSchema: z.ZodType<Constraints> = schema
  .superRefine((block, context) => {
    if (block.location !== undefined && block.locations !== undefined)
      context.addIssue({
        code: "custom",
        path: ["locations"],
        message: "either location or locations, not both",
        params: { code: "conflicting_fields" },
      });
    for (const [index, { start, end }] of (block.availability?.maintenance_windows ?? []).entries())
      if (end <= start)
        context.addIssue({
          code: "custom",
          path: ["availability", "maintenance_windows", index, "end"],
          message: "an end after the start",
          params: { code: "conflicting_fields" },
        });
  })
  .transform(toConstraints);
