import type { Micro } from "../../engine/model/money.ts";

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json };

/** Micro-units as a JSON number of whole units: 1_800_000 is 1.8, exactly as written. */
export function forgeAmount(micro: Micro, currency: string): JsonObject {
  return { amount: micro / 1_000_000, currency };
}
