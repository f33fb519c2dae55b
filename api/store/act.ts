/** Who does something, for events and audit. */
export interface Act {
  /** `token:<id>`, or `control`. */
  readonly actor: string;
  readonly atMs: number;
  readonly requestId: string;
}
