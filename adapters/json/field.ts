import * as z from "zod";
import { type Choice, intentChoices } from "./choices.ts";

/** An enumeration by its path in `intentChoices`. */
export function choice<T extends string>(path: string): z.ZodType<T, T> {
  const { values } = intentChoices[path] as Choice;
  return z.enum(values) as unknown as z.ZodType<T, T>;
}

/** An optional true or false. */
export function yes(description: string): z.ZodOptional<z.ZodBoolean> {
  return z.boolean().optional().describe(description);
}

/** A whole number; chain the bounds. */
export function whole(): z.ZodInt {
  return z.int({ error: (issue) => (issue.code === "invalid_type" ? "a whole number" : undefined) });
}

/** The object without its undefined members, so that only stated values are present. */
export function stated<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: Partial<T> = {};
  for (const key of Object.keys(value) as (keyof T)[]) if (value[key] !== undefined) kept[key] = value[key];
  return kept as { [K in keyof T]?: Exclude<T[K], undefined> };
}

/** Text order by code unit, the same everywhere. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
