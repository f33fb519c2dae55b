import { showDecision } from "../control/documents.ts";
import { readRecord } from "../control/plan-log.ts";
import type { Planner } from "../control/planner.ts";
import type { DecisionRow } from "../store/schema.ts";
import type { SystemStore } from "../store/store.ts";

/** Tells everything about a decision: criteria, runners-up, counterfactuals. */
export interface Explainer {
  /**
   * The document of a decision with its explanation. Decisions are made without, because explaining takes longer than
   * deciding; it follows from the log whenever somebody asks.
   *
   * @param charge called when it has to be computed
   */
  explained(row: DecisionRow, charge: () => void): Promise<object>;
}

/** Explanations that are kept. */
const MOST_KNOWN = 500;

interface Shown {
  readonly name: string;
  readonly outcome: string;
  readonly placements: readonly unknown[];
}

export function createExplainer(
  store: Pick<SystemStore, "plan" | "catalog">,
  planner: Pick<Planner, "explain">,
): Explainer {
  const known = new Map<number, Promise<object>>();
  const explain = async (row: DecisionRow): Promise<object> => {
    const stored = JSON.parse(row.document) as Shown;
    const record = await readRecord(store, row.plan_id);
    if (record === null) return stored;
    const { decisions, currency } = await planner.explain(record);
    const decision = decisions.find(({ intent }) => intent === row.intent_id);
    if (decision === undefined) return stored;
    const shown = showDecision(decision, stored.name, currency);
    // another version of the engine may decide otherwise: what was done is what is told
    const isSame =
      JSON.stringify([shown["outcome"], shown["placements"]]) ===
      JSON.stringify([stored.outcome, stored.placements]);
    return isSame ? shown : stored;
  };
  return {
    explained(row, charge) {
      const found = known.get(row.seq);
      if (found !== undefined) return found;
      charge();
      const [oldest] = known.keys();
      if (known.size >= MOST_KNOWN && oldest !== undefined) known.delete(oldest);
      const answer = explain(row);
      known.set(row.seq, answer);
      answer.catch(() => known.delete(row.seq));
      return answer;
    },
  };
}
