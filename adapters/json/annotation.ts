import type { Flavor } from "../../engine/model/flavor.ts";
import type { Choice } from "./choices.ts";
import type { OfferDraft } from "./draft.ts";

/** What the text of an annotation is. */
export type AnnotationForm =
  | { readonly kind: "choice"; readonly choice: Choice }
  | { readonly kind: "boolean" }
  | { readonly kind: "bytes" }
  | { readonly kind: "frequency" }
  | { readonly kind: "capability" }
  | { readonly kind: "money" }
  | { readonly kind: "number"; readonly min: number; readonly max: number; readonly whole?: true }
  | { readonly kind: "list" }
  | { readonly kind: "word"; readonly pattern: RegExp; readonly accepts: string };

/** One node annotation: its spelling, its meaning and where it goes. */
export interface Annotation {
  /** The spelling that is written; read besides `aliases`, and with `_` for `-`. */
  readonly key: string;
  readonly aliases: readonly string[];
  readonly form: AnnotationForm;
  readonly description: string;
  /** True for annotations of this project, not of the original's list. */
  readonly ours?: true;
  readonly required?: true;
  /** Stores the parsed value; its type follows from `form`. */
  readonly store: (draft: OfferDraft, value: never) => void;
  /** The text that says the same about an offer, or undefined when it states nothing. */
  readonly tell: (flavor: Flavor) => string | undefined;
}

/** Prefix of the annotations about GPUs. */
export const gpu = "gpu.fluidos.eu/";

/** A number or boolean as the text of an annotation. */
export function text(value: number | boolean | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

/** Names as the text of an annotation. */
export function list(value: readonly string[] | undefined): string | undefined {
  return value === undefined ? undefined : value.join(",");
}

/** true or false. */
export const boolean: AnnotationForm = { kind: "boolean" };
/** 0 to 1. */
export const fraction: AnnotationForm = { kind: "number", min: 0, max: 1 };
/** Any number from 0. */
export const positive: AnnotationForm = { kind: "number", min: 0, max: 1e9 };
/** Any whole number from 0. */
export const wholeNumber: AnnotationForm = { kind: "number", min: 0, max: 1e9, whole: true };
/** 0 to 100. */
export const percent: AnnotationForm = { kind: "number", min: 0, max: 100 };
/** The form of region names. */
export const place: AnnotationForm = {
  kind: "word",
  pattern: /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
  accepts: 'lower-case letters, digits and hyphens such as "eu-central-1"',
};
/** Any text. */
export const word: AnnotationForm = { kind: "word", pattern: /\S/, accepts: "a text that is not empty" };

type Block = "gpu" | "energy" | "network" | "compliance" | "security" | "performance";

/** Stores a value as one trait of a block of the draft. */
export function into<B extends Block, K extends keyof OfferDraft[B]>(
  block: B,
  trait: K,
): Annotation["store"] {
  return (draft, value) => {
    draft[block][trait] = value;
  };
}

/** A true-or-false trait, read and written. */
export function flag(
  block: "gpu" | "compliance" | "security" | "energy",
  trait: string,
): Pick<Annotation, "form" | "store" | "tell"> {
  return {
    form: boolean,
    store: (draft, value) => {
      (draft[block] as Record<string, unknown>)[trait] = value;
    },
    tell: (flavor) => text((flavor[block] as Readonly<Record<string, boolean | undefined>>)[trait]),
  };
}
