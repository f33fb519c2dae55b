import { resolvePlace } from "../../catalog/regions.ts";
import type { Flavor } from "../../model/flavor.ts";
import type { Intent, Place } from "../../model/intent.ts";
import { latencyColumn, latencyTrait } from "../score-columns.ts";
import { changed, choiceConstraint } from "./forms.ts";
import { bitmapOfOffers, type ConstraintSpec, withField } from "./spec.ts";

/** True when the offer lies in the place. */
export function liesIn(flavor: Flavor, place: Place): boolean {
  switch (place.kind) {
    case "area":
      return flavor.areas.includes(place.text);
    case "country":
      return flavor.country?.toLowerCase() === place.text;
    case "region":
      return flavor.region === place.text;
    case "zone":
      return flavor.zone === place.text;
  }
}

const names = (places: readonly Place[]): string => places.map((place) => place.text).join(", ");

/** The widest name that says where an offer is: its country, else its region. */
function placeOf(flavor: Flavor): Place | null {
  if (flavor.region !== undefined)
    return resolvePlace(flavor.region) ?? { text: flavor.region, kind: "region" };
  return flavor.country === undefined ? null : { text: flavor.country.toLowerCase(), kind: "country" };
}

const location: ConstraintSpec = choiceConstraint({
  name: "location",
  dictionary: "place",
  accepts: ({ constraints }: Intent) =>
    constraints.locations.length === 0
      ? null
      : (flavor) => constraints.locations.some((place) => liesIn(flavor, place)),
  admit: (intent, flavor) => {
    const from = names(intent.constraints.locations);
    const place = placeOf(flavor);
    const locations = place === null ? [] : [...intent.constraints.locations, place];
    return changed(intent, ["constraints", "locations"], locations, {
      path: "constraints.locations",
      from,
      to: place === null ? "any" : names(locations),
    });
  },
});

const zone: ConstraintSpec = choiceConstraint({
  name: "availability_zone",
  dictionary: "zone",
  accepts: ({ constraints }: Intent) => {
    const wanted = constraints.availabilityZone;
    return wanted === undefined ? null : (flavor) => flavor.zone === wanted;
  },
  admit: (intent, flavor) =>
    changed(intent, ["constraints", "availabilityZone"], flavor.zone, {
      path: "constraints.availability_zone",
      from: intent.constraints.availabilityZone ?? null,
      to: flavor.zone ?? "any",
    }),
});

const providers: ConstraintSpec = choiceConstraint({
  name: "providers",
  dictionary: "provider",
  accepts: ({ constraints }: Intent) =>
    constraints.providers.length === 0 ? null : (flavor) => constraints.providers.includes(flavor.provider),
  admit: (intent, flavor) => {
    const { providers: from } = intent.constraints;
    const to = [...from, flavor.provider];
    return changed(intent, ["constraints", "providers"], to, {
      path: "constraints.providers",
      from: from.join(", "),
      to: to.join(", "),
    });
  },
});

/** Round trip from the intent's origin, or from the hub. */
const latency: ConstraintSpec = {
  name: "max_latency_ms",
  predicates: ({ catalog, need }) => {
    const max = need.intent.constraints.maxLatencyMs;
    if (max === undefined) return null;
    const bounds = { max, unknown: "fail" } as const;
    return [latencyTrait(catalog, need).within(bounds, catalog.spareNumeric)];
  },
  relax: ({ catalog, need }, rows) => {
    const { at } = latencyColumn(catalog, need);
    const known = rows.map(at).filter((value) => !Number.isNaN(value));
    const to = known.length === 0 ? undefined : Math.ceil(Math.min(...known));
    return {
      intent: withField(need.intent, ["constraints", "maxLatencyMs"], to),
      change: {
        path: "constraints.max_latency_ms",
        from: need.intent.constraints.maxLatencyMs ?? null,
        to: to ?? null,
      },
    };
  },
};

const residency: ConstraintSpec = choiceConstraint({
  name: "compliance.data_residency",
  dictionary: "residency",
  accepts: ({ constraints }: Intent) => {
    const wanted = constraints.compliance.dataResidency;
    if (wanted.length === 0) return null;
    return (flavor) => {
      const stated = flavor.compliance.residency?.map((text) => text.toLowerCase()) ?? [];
      return wanted.some((place) => stated.includes(place.text));
    };
  },
  admit: (intent) =>
    changed(intent, ["constraints", "compliance", "dataResidency"], [], {
      path: "constraints.compliance.data_residency",
      from: names(intent.constraints.compliance.dataResidency),
      to: null,
    }),
});

/** Outages and maintenance now; not the user's to change. */
const available: ConstraintSpec = {
  name: "offer.available",
  predicates: ({ catalog, asIfFree }) => {
    const { down, downForGood } = catalog.downtime;
    const offers = asIfFree ? downForGood : down;
    if (offers.size === 0) return null;
    return [{ kind: "bitmap", failed: bitmapOfOffers(catalog, offers, () => true) }];
  },
};

/** Where the offer is, and whether it is up. */
export const placeConstraints: readonly ConstraintSpec[] = [
  available,
  location,
  zone,
  providers,
  latency,
  residency,
];
