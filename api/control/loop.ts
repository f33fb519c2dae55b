import { AdapterError } from "../../adapters/port.ts";
import type { Decision } from "../../engine/model/decision.ts";
import { parseTime } from "../../engine/model/time.ts";
import type { Cancel, Env } from "../env.ts";
import { StoreError } from "../store/errors.ts";
import type { AllocationRow, IntentRow } from "../store/schema.ts";
import type { ChangeIntent } from "../store/store.ts";
import { advance, type Deadlines, defaultDeadlines, drivenPhases, type StepContext } from "./advance.ts";
import { type Decided, intentOf, type Planner, showDecision } from "./planner.ts";

export interface LoopOptions {
  readonly deadlines?: Deadlines;
  /** Tries of placing before an intent fails, default 5. */
  readonly mostAttempts?: number;
  /** Intents decided together at most, default 200. */
  readonly batch?: number;
  /** Without any hint the loop looks again after this long, default 1,000 ms. */
  readonly pollMs?: number;
}

/** Drives intents from accepted to their end. */
export interface ControlLoop {
  /** Something may have changed: look soon. Cheap, any number of times. */
  wake(): void;
  /** One round now, after any that is under way; for tests and driven clocks. */
  round(): Promise<void>;
  /** Ends after the round that is under way. Everything that was not done is done after the next start. */
  stop(): Promise<void>;
}

/** Rounds of a loop at which the federation could not be reached wait this long, doubling. */
const BACKOFF_MS = 200;
const MOST_BACKOFF_MS = 10_000;

const keyOf = (intent: IntentRow, index: number): string => `${intent.id}-${intent.attempt + 1}-${index}`;

function allocationsOf(
  intent: IntentRow,
  decision: Decision,
  currency: string,
  atMs: number,
): AllocationRow[] {
  return decision.placements.map((placement, index) => ({
    id: keyOf(intent, index),
    intent_id: intent.id,
    tenant_id: intent.tenant_id,
    offer: placement.offer,
    provider: placement.provider,
    region: placement.region,
    gpus: placement.gpus,
    replicas: placement.replicas,
    spot: placement.spot ? 1 : 0,
    cost_micro: placement.costMicro,
    currency,
    state: "planned",
    contract: null,
    service_url: null,
    created_ms: atMs,
    expires_ms: null,
    billed_ms: null,
    released_ms: null,
  }));
}

/**
 * The control loop: each round moves on what is on its way, then decides about what waits. Truth is the store and
 * what the federation says; hints only make it look sooner.
 */
export function createControlLoop(env: Env, planner: Planner, options: LoopOptions = {}): ControlLoop {
  const { store, federation, clock, timers, log, ids } = env;
  const { deadlines = defaultDeadlines, mostAttempts = 5, batch = 200, pollMs = 1000 } = options;
  let isStopped = false;
  let isWoken = false;
  let active: Promise<void> | null = null;
  let timer: Cancel | null = null;
  let backoffMs = 0;
  let decidedOn = "";

  const act = () => ({ actor: "control", atMs: clock.wallMs(), requestId: ids.next("round") });

  const move = async (
    intent: IntentRow,
    change: Omit<ChangeIntent, "id" | "version" | keyof ReturnType<typeof act>>,
  ) => store.system.changeIntent({ ...act(), id: intent.id, version: intent.version, ...change });

  /** One step for every intent on its way; true when any moved. */
  const drive = async (): Promise<boolean> => {
    const rows = await store.system.inPhases({ phases: drivenPhases, limit: 1000 });
    if (rows.length === 0) return false;
    const observed = new Map((await federation.observe()).map((held) => [held.key, held]));
    const context: StepContext = { federation, clock, deadlines, mostAttempts, observed };
    const moved = await Promise.all(
      rows.map(async ({ id }): Promise<boolean> => {
        const view = await store.system.intentById(id);
        if (view === null || !drivenPhases.includes(view.intent.phase)) return false;
        try {
          const step = await advance(context, view);
          return step !== null && (await move(view.intent, step)) !== null;
        } catch (error) {
          // one intent that cannot be moved must not keep the others
          const code = error instanceof AdapterError || error instanceof StoreError ? error.code : "broken";
          const fields = { intent: id, phase: view.intent.phase, code };
          if (code === "broken") log.error({ ...fields, error: String(error) }, "a step failed");
          else log.warn(fields, "a step has to wait");
          backoffMs = Math.min(MOST_BACKOFF_MS, Math.max(BACKOFF_MS, backoffMs * 2));
          return false;
        }
      }),
    );
    return moved.includes(true);
  };

  const settle = (
    intent: IntentRow,
    decision: Decision,
    decided: Decided,
  ): Promise<IntentRow | null> | null => {
    const atMs = clock.wallMs();
    const { outcome, reason, message } = decision;
    const document = JSON.stringify(showDecision(decision, intent.name, decided.currency));
    const entry = { plan_id: decided.log.id, at_ms: atMs, outcome, reason, document };
    if (outcome === "placed")
      return move(intent, {
        to: "placing",
        decision: entry,
        newAllocations: allocationsOf(intent, decision, decided.currency, atMs),
        set: {
          reason: null,
          message,
          attempt: intent.attempt + 1,
          due_ms: atMs + deadlines.placing,
          expected_start_ms: null,
        },
      });
    const expected = decision.expectedStart === undefined ? null : parseTime(decision.expectedStart);
    if (outcome === "waiting") {
      // still the same answer: nothing worth an event
      if (intent.phase === "waiting" && intent.reason === reason && intent.expected_start_ms === expected)
        return null;
      return move(intent, {
        ...(intent.phase === "waiting" ? { event: "intent.still_waiting" } : { to: "waiting" }),
        decision: entry,
        set: { reason, message, expected_start_ms: expected },
      });
    }
    return move(intent, { to: "failed", decision: entry, set: { reason, message } });
  };

  /** Decides about new intents, and about waiting ones when the federation changed; true when any was placed. */
  const decide = async (): Promise<boolean> => {
    const { version } = await federation.catalog();
    const phases = version === decidedOn ? (["queued"] as const) : (["queued", "waiting"] as const);
    const rows = await store.system.inPhases({ phases, limit: batch });
    decidedOn = version;
    if (rows.length === 0) return false;
    const decided = await planner.decide(rows.map(intentOf));
    // first in the queue of writes: no move that follows from the plan is on disk before it
    const logged = store.system.logPlan(decided.log);
    const moves = rows.map(async (row) => {
      const decision = decided.decisions.get(row.id);
      return decision === undefined ? null : settle(row, decision, decided);
    });
    const [, ...after] = await Promise.all([logged, ...moves]);
    return after.some((row) => row?.phase === "placing");
  };

  const work = async (): Promise<void> => {
    backoffMs = 0;
    try {
      for (let busy = true; busy && !isStopped; ) {
        const moved = await drive();
        busy = (await decide()) || moved;
      }
    } catch (error) {
      backoffMs = Math.min(MOST_BACKOFF_MS, Math.max(BACKOFF_MS, backoffMs * 2));
      if (!isStopped) log.error({ error: String(error) }, "control round failed");
    }
  };

  const round = (): Promise<void> => {
    if (active === null)
      active = work().finally(() => {
        active = null;
        if (isStopped) return;
        if (isWoken) {
          isWoken = false;
          schedule(backoffMs);
        } else schedule(pollMs);
      });
    return active;
  };
  const schedule = (delayMs: number): void => {
    timer?.();
    timer = timers.after(delayMs, () => void round());
  };
  const wake = (): void => {
    if (isStopped) return;
    if (active !== null) isWoken = true;
    else schedule(0);
  };
  const unsubscribe = federation.subscribe(wake);

  return {
    wake,
    async round() {
      await active;
      await round();
    },
    async stop() {
      isStopped = true;
      unsubscribe();
      timer?.();
      await active;
    },
  };
}
