import * as z from "zod";
import type { JsonObject } from "./decision.ts";
import { intentSchema } from "./intent-schema.ts";
import { snapshotSchema } from "./snapshot.ts";

/** The documents whose JSON Schema is published. */
export const schemaNames = ["intent", "snapshot"] as const;

/** One of the published schemas. */
export type SchemaName = (typeof schemaNames)[number];

const titles: Readonly<Record<SchemaName, string>> = {
  intent: "FLARE intent: what a workload needs and where it may run, canonical spelling",
  snapshot: "FLARE snapshot: offers, tenants, holdings and everything else a plan depends on",
};

/** Removes bounds that only say "an integer that JSON can hold". */
function withoutNoise(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNoise);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, member]) =>
          !(key === "maximum" && member === Number.MAX_SAFE_INTEGER) &&
          !(key === "minimum" && member === Number.MIN_SAFE_INTEGER),
      )
      .map(([key, member]) => [key, withoutNoise(member)]),
  );
}

/**
 * The JSON Schema (2020-12) of a document as it is written, generated from the schema that reads it. It describes the
 * canonical spelling; the readers accept the documented aliases besides.
 */
export function forgeJsonSchema(name: SchemaName): JsonObject {
  const schema = z.toJSONSchema(name === "intent" ? intentSchema : snapshotSchema, { io: "input" });
  const { $schema, ...rest } = withoutNoise(schema) as JsonObject;
  return { $schema: $schema ?? "", title: titles[name], ...rest };
}
