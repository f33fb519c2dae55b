import type { Coordinates } from "../model/flavor.ts";
import type { Place } from "../model/intent.ts";
import { countryRows, regionRows } from "./region-rows.ts";

/** What the catalogue knows of a place that providers sell in. */
export interface Region {
  /** Lower case. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly city: string;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  /** Lower case; `eu` is the European Union, `europe` the continent. */
  readonly areas: readonly string[];
  readonly coordinates: Coordinates;
  /** gCO2 per kWh of the grid, annual average. */
  readonly carbonIntensity: number;
  readonly pue: number;
  readonly uncertain: readonly string[];
}

const areasByCountry = new Map(countryRows.map(([code, , areas]) => [code, areas]));
const countryByName = new Map(
  countryRows.flatMap(([code, name]) => [[code.toLowerCase(), code] as const, [name, code] as const]),
);
for (const [name, code] of [
  ["uk", "GB"],
  ["usa", "US"],
  ["united states of america", "US"],
  ["czech republic", "CZ"],
] as const)
  countryByName.set(name, code);

/** Areas an intent may name in `location`. */
export const areaNames: readonly string[] = [...new Set(countryRows.flatMap(([, , areas]) => areas))].sort();

/** Areas of a country by ISO code; empty when unknown. */
export function areasOf(country: string): readonly string[] {
  return areasByCountry.get(country.toUpperCase()) ?? [];
}

/** Every region known, by name. */
export const regions: readonly Region[] = regionRows.map(
  ([name, aliases, city, country, latitude, longitude, carbonIntensity, pue, uncertain]) => ({
    name,
    aliases,
    city,
    country,
    areas: areasOf(country),
    coordinates: { latitude, longitude },
    carbonIntensity,
    pue,
    uncertain,
  }),
);

const byName = new Map(
  regions.flatMap((region) => [region.name, ...region.aliases].map((name) => [name, region] as const)),
);

/** The region behind a provider's name for it, case-insensitive, or null. A country code alone is not a region. */
export function findRegion(name: string): Region | null {
  return byName.get(name.trim().toLowerCase()) ?? null;
}

/**
 * Resolves what a user writes as a location: an area (`EU`, `Asia`), a country (ISO code or English name) or a region.
 * Null when it is none of them; zones are not resolved here. Areas come first: `US` and `Canada` are both areas and
 * countries with the same meaning.
 */
export function resolvePlace(text: string): Place | null {
  const wanted = text.trim().toLowerCase();
  if (areaNames.includes(wanted)) return { text: wanted, kind: "area" };
  const hyphened = wanted.replace(/[\s_]+/g, "-");
  if (areaNames.includes(hyphened)) return { text: hyphened, kind: "area" };
  const country = countryByName.get(wanted);
  if (country !== undefined) return { text: country.toLowerCase(), kind: "country" };
  const region = findRegion(wanted);
  return region === null ? null : { text: region.name, kind: "region" };
}
