import type { Plan } from "../../engine/model/plan.ts";
import { price, table } from "./table.ts";

/** How a batch went, as one table: outcomes, money, proof and time. */
export function renderSummary({ decisions, batch, currency, stoppedBy }: Plan, seconds: number): string {
  const count = (outcome: string): string =>
    String(decisions.filter((decision) => decision.outcome === outcome).length);
  const micro = decisions
    .flatMap(({ placements }) => placements)
    .reduce((sum, { costMicro }) => sum + costMicro, 0);
  const gap = batch === undefined ? 0 : batch.gap;
  const row = [
    count("placed"),
    count("waiting"),
    count("refused"),
    price(micro, currency),
    gap < 1e-6 ? "0 % (proven)" : `${(100 * gap).toFixed(3)} %`,
    batch?.solver ?? "none",
    `${seconds.toFixed(2)} s${stoppedBy === "completed" ? "" : `, stopped by ${stoppedBy}`}`,
  ];
  return `${table(["placed", "waiting", "refused", "cost", "gap", "solver", "time"], [row])}\n`;
}
