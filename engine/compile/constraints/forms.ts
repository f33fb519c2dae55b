import type { Change } from "../../model/decision.ts";
import type { Flavor } from "../../model/flavor.ts";
import type { Intent } from "../../model/intent.ts";
import { flavorOf } from "../catalog.ts";
import type { DictionaryName, NumberName, YesNoName } from "../columns.ts";
import { type ConstraintSpec, type Relaxation, type Scope, withField } from "./spec.ts";

/** A value as the documented JSON form writes it. */
export type JsonValue = Change["from"];

interface NumberForm {
  readonly name: string;
  readonly column: NumberName;
  readonly bound: "min" | "max";
  /** The stated bound in the column's unit, or undefined. */
  readonly stated: (intent: Intent) => number | undefined;
  /** Path in the canonical intent, and in the JSON form. */
  readonly field: readonly string[];
  readonly path: string;
  readonly write: (value: number) => JsonValue;
}

/** "At least" and "at most" on a numeric trait of one offer. */
export function numberConstraint(form: NumberForm): ConstraintSpec {
  const { name, column, bound, stated, field, path, write } = form;
  return {
    name,
    predicates: ({ catalog, need }) => {
      const value = stated(need.intent);
      if (value === undefined) return null;
      return [catalog.columns.within(column, { [bound]: value, unknown: "fail" })];
    },
    relax: ({ catalog, need }, rows) => {
      const known = rows.map(catalog.columns.at(column)).filter((value) => !Number.isNaN(value));
      const from = stated(need.intent);
      const to =
        known.length === 0
          ? undefined
          : known.reduce((a, b) => (bound === "min" ? Math.max(a, b) : Math.min(a, b)));
      return {
        intent: withField(need.intent, field, to),
        change: {
          path,
          from: from === undefined ? null : write(from),
          to: to === undefined ? null : write(to),
        },
      };
    },
  };
}

interface FlagForm {
  readonly name: string;
  readonly column: YesNoName;
  readonly required: (intent: Intent) => boolean | undefined;
  readonly field: readonly string[];
  readonly path: string;
}

/** A yes/no trait that must be yes when the intent says true. */
export function flagConstraint(form: FlagForm): ConstraintSpec {
  const { name, column, required, field, path } = form;
  return {
    name,
    predicates: ({ catalog, need }) =>
      required(need.intent) === true ? [catalog.columns.is(column, 1)] : null,
    relax: ({ need }) => ({
      intent: withField(need.intent, field, undefined),
      change: { path, from: true, to: false },
    }),
  };
}

interface ChoiceForm {
  readonly name: string;
  readonly dictionary: DictionaryName;
  /** Null when the intent does not state the constraint. */
  readonly accepts: (intent: Intent) => ((flavor: Flavor) => boolean) | null;
  /** Smallest change that admits the offer; undefined trait: drop the constraint. */
  readonly admit: (intent: Intent, flavor: Flavor) => Relaxation | null;
}

/** A trait with named values, decided once per distinct value. */
export function choiceConstraint(form: ChoiceForm): ConstraintSpec {
  return {
    name: form.name,
    predicates: ({ catalog, need }: Scope) => {
      const accepts = form.accepts(need.intent);
      return accepts === null ? null : [catalog.columns.accepted(form.dictionary, accepts)];
    },
    relax: ({ catalog, need }, rows) => {
      const best = rows[0];
      return best === undefined ? null : form.admit(need.intent, flavorOf(catalog, best));
    },
  };
}

/** A change of one field. */
export function changed(
  intent: Intent,
  field: readonly string[],
  value: unknown,
  change: { readonly path: string; readonly from: JsonValue; readonly to: JsonValue },
): Relaxation {
  return { intent: withField(intent, field, value), change };
}

/** MiB as a Kubernetes quantity: 40960 is `40Gi`, 1000 is `1000Mi`. */
export function quantityOfMib(mib: number): string {
  return mib % 1024 === 0 ? `${mib / 1024}Gi` : `${mib}Mi`;
}

/** `major * 100 + minor` as `major.minor`. */
export function capabilityText(value: number): string {
  return `${Math.floor(value / 100)}.${value % 100}`;
}
