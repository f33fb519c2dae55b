import type { Planting } from "../process.ts";
import type { ViolationClass } from "../violation.ts";

/** A bug that somebody might make, planted around the service to see that it is found. */
export interface Bug {
  readonly name: string;
  /** What it breaks: one of these is reported. */
  readonly breaks: readonly ViolationClass[];
  /** A fresh planting for each run: it may count. */
  plant(): Planting;
}
