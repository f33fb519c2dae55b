import { intentRows } from "./intent.ts";
import { limitRows } from "./limits.ts";
import { offerRows } from "./offers.ts";
import type { Row } from "./proof.ts";
import { serviceRows } from "./service.ts";
import { worldRows } from "./world.ts";

/** Every promise of the original, in the order of its number. */
export const rows: readonly Row[] = [
  ...serviceRows,
  ...intentRows,
  ...limitRows,
  ...offerRows,
  ...worldRows,
].sort((a, b) => (a.id < b.id ? -1 : 1));
