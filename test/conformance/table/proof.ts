/** A test that proves a row. */
export interface Proof {
  /** Below `test/`. */
  readonly file: string;
  /** The test's name as the file writes it. */
  readonly test: string;
  /** Text of the file that makes the row's own case of a table test, where the test is one. */
  readonly case?: string;
}

/** One promise of the original: what it is, and the tests that prove it, or why it comes later. */
export interface Row {
  /** `F-001` to `F-324`. */
  readonly id: string;
  readonly what: string;
  readonly proofs: readonly Proof[];
  /** Why there is no proof yet, in the size of an issue. */
  readonly later?: string;
}

/** A row with its proofs. */
export function shown(id: string, what: string, ...proofs: readonly Proof[]): Row {
  return { id, what, proofs };
}

/** A row that has none yet. */
export function later(id: string, what: string, reason: string): Row {
  return { id, what, proofs: [], later: reason };
}

/** A test of one file, by its name and, for a table test, by the text of its case. */
type ByName = (test: string, text?: string) => Proof;
/** A case of one table test. */
type ByCase = (text: string) => Proof;

const of =
  (file: string): ByName =>
  (test, text) => ({ file, test, ...(text === undefined ? {} : { case: text }) });

const tableOf =
  (file: string, test: string): ByCase =>
  (text) => ({ file, test, case: text });

// --- reading intents
/** The field is read into its place. */
export const reads: ByCase = tableOf("adapters/json/fields.test.ts", "%s %j is read into %s");
/** The spelling means the canonical one. */
export const spelled: ByCase = tableOf("adapters/json/intent.test.ts", "%s %j is read as %s %j");
/** The value is refused, by path, with what is accepted. */
export const refuses: ByCase = tableOf(
  "adapters/json/intent.test.ts",
  "%s of %j is refused by path, with what is accepted",
);
export const reader: ByName = of("adapters/json/intent.test.ts");
export const legacy: ByName = of("adapters/json/legacy.test.ts");

// --- deciding
/** The constraint alone rejects what misses it. */
export const decides: ByCase = tableOf(
  "conformance/constraints.test.ts",
  "$path: an offer that misses it is rejected by it alone",
);
export const capped: ByName = of("conformance/caps.test.ts");
export const constraint: ByName = of("conformance/constraints.test.ts");
export const catalog: ByName = of("conformance/catalog.test.ts");
export const timed: ByName = of("conformance/time.test.ts");
export const negotiated: ByName = of("conformance/negotiation.test.ts");
export const workload: ByName = of("conformance/workload.test.ts");
export const defect: ByName = of("conformance/defects.test.ts");
export const service: ByName = of("conformance/service.test.ts");
export const failure: ByName = of("conformance/errors.test.ts");
export const hooks: ByName = of("api/hooks/dispatcher.test.ts");
export const signIn: ByName = of("api/sso/code-flow.test.ts");
export const bearer: ByName = of("api/sso/bearer.test.ts");
export const reconciled: ByName = of("api/control/faults.test.ts");
export const fixture: ByName = of("conformance/fixtures.test.ts");
export const scenario: ByCase = tableOf(
  "golden/use-cases.test.ts",
  "$id, $name: the answer keeps every constraint",
);
export const useCase: ByName = of("golden/use-cases.test.ts");

// --- writing
export const forge: ByName = of("adapters/kubernetes/forge.test.ts");
export const purchase: ByName = of("adapters/kubernetes/purchase.test.ts");
export const scaled: ByName = of("adapters/kubernetes/workload.test.ts");
export const volumes: ByName = of("adapters/workload/volumes.test.ts");
export const network: ByName = of("adapters/workload/network.test.ts");
export const solver: ByName = of("adapters/fluidos/solver.test.ts");

// --- reading offers
/** The annotation is read into its place. */
export const annotation: ByCase = tableOf("adapters/json/annotations.test.ts", "%s: %s is read into %s");
/** The annotation's text is refused. */
export const badAnnotation: ByCase = tableOf(
  "adapters/json/annotations.test.ts",
  "%s: %s is refused with what is accepted",
);
export const annotations: ByName = of("adapters/json/annotations.test.ts");
export const labels: ByName = of("adapters/labels/labels.test.ts");
export const annotate: ByName = of("adapters/labels/annotate.test.ts");
export const migrate: ByName = of("adapters/json/migrate.test.ts");
export const node: ByName = of("adapters/json/node.test.ts");
export const fluidos: ByName = of("adapters/fluidos/read.test.ts");
export const prices: ByName = of("adapters/catalog/prices.test.ts");

// --- everything else
export const cli: ByName = of("cli/cli.test.ts");
export const single: ByName = of("engine/plan/single.test.ts");
export const preemption: ByName = of("engine/plan/preemption.test.ts");
export const batch: ByName = of("engine/plan/batch.test.ts");
