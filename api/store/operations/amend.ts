import { isTerminal, type Phase } from "../../control/lifecycle.ts";
import type { Tx } from "../chain.ts";
import type { Amended, AmendIntent } from "../store.ts";
import type { TenantId } from "../tenant.ts";
import { changeIntent, intentOf } from "./intents.ts";

/** Phases in which nothing downstream is held: the next decision reads the new wish. */
const undecided: readonly Phase[] = ["queued", "waiting", "preempted"];

/** See `TenantStore.amendIntent`. */
export async function amendIntent(tx: Tx, tenant: TenantId, input: AmendIntent): Promise<Amended> {
  const { id, version, document, spec, priority, replan, ...act } = input;
  const intent = await intentOf(tx, id, tenant);
  if (intent === undefined) return { kind: "not_found" };
  if (intent.version !== version) return { kind: "version_differs", intent };
  const isEnding =
    intent.phase === "releasing" && intent.ending !== "queued" && intent.ending !== "preempted";
  if (isTerminal(intent.phase) || isEnding) return { kind: "ended", intent };
  const wish = { document, spec, priority, generation: intent.generation + 1 };
  const base = { ...act, id, version, event: "intent.amended" };
  const changed = await changeIntent(
    tx,
    !replan || intent.phase === "queued" || intent.phase === "preempted" || intent.phase === "releasing"
      ? { ...base, set: wish }
      : undecided.includes(intent.phase)
        ? { ...base, to: "queued", set: { ...wish, message: "Amended; it is decided again", due_ms: null } }
        : {
            ...base,
            to: "releasing",
            set: { ...wish, ending: "queued", message: "Amended; it is placed again", due_ms: null },
          },
  );
  return changed === null ? { kind: "not_found" } : { kind: "amended", intent: changed };
}
