/** What must hold, by the numbers of the invariants in docs/simulation.md. A violation is named by its class. */
export const violationClasses = [
  "oversubscription",
  "quota",
  "state-machine",
  "fencing",
  "tenant",
  "lost",
  "terminal",
  "idempotency",
  "event-log",
  "outbox",
  "fairness",
  "orphan",
  "liveness",
  "determinism",
  "rejected-changed",
  "answer",
  "broken",
] as const;
export type ViolationClass = (typeof violationClasses)[number];

/** An invariant does not hold. Thrown where it is found; ends the run. */
export class Violation extends Error {
  readonly kind: ViolationClass;

  constructor(kind: ViolationClass, message: string) {
    super(message);
    this.name = "Violation";
    this.kind = kind;
  }
}

/** @throws {Violation} unless it holds */
export function check(holds: boolean, kind: ViolationClass, message: () => string): asserts holds {
  if (!holds) throw new Violation(kind, message());
}
