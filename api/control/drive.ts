import { AdapterError } from "../../adapters/port.ts";
import type { Clock, Env } from "../env.ts";
import { StoreError } from "../store/errors.ts";
import type { IntentRow } from "../store/schema.ts";
import type { IntentView } from "../store/store.ts";
import { advance, type Deadlines, drivenPhases, type Step, type StepContext } from "./advance.ts";
import type { Phase } from "./lifecycle.ts";
import type { Planner } from "./planner.ts";
import { reconcile } from "./reconcile.ts";

/** Intents that one step drives. */
const DRIVEN = 200;
/** Intents on their way that one comparison looks at; the next goes on after them. */
const SWEPT = 2000;
/** An offer that let an intent down is left out for this long. */
const AVOID_MS = 15_000;

const transitional = drivenPhases.filter((phase) => phase !== "running");
const driven: ReadonlySet<Phase> = new Set(drivenPhases);

export interface DriveOptions {
  readonly deadlines: Deadlines;
  readonly mostFailures: number;
  /** Writes one step of an intent; null when somebody else was faster. */
  readonly move: (intent: IntentRow, step: Exclude<Step, null>) => Promise<IntentRow | null>;
  /** Something was given back, or is to be decided again. */
  readonly freed: () => void;
  /** Something has to wait: look again in a while. */
  readonly backOff: () => void;
}

/** Moves on what is on its way. */
export interface Drive {
  /** One step of everything that may have one; true when there may be more. */
  step(): Promise<boolean>;
  /** The next step compares everything with the federation, whatever the hints said. */
  sweep(): void;
  /** Keys of which the federation says that something happened. */
  hint(keys: readonly string[]): void;
}

/**
 * Intents are driven when an event or the federation names them; from time to time all are looked at, because hints may
 * get lost.
 */
export function createDrive(
  env: Pick<Env, "store" | "federation" | "log"> & { readonly clock: Clock },
  planner: Planner,
  { deadlines, mostFailures, move, freed, backOff }: DriveOptions,
): Drive {
  const { store, federation, clock, log } = env;
  const { books } = planner;
  const due = new Set<string>();
  let isSweep = true;
  /** The last comparison looked at intents up to this one, and there may be more; empty: at all. */
  let sweptTo = "";
  books.subscribe((intents) => {
    // a replica that does not decide hears of everything and drives nothing: it begins with a look at all
    if (intents === null || due.size > SWEPT) {
      isSweep = true;
      due.clear();
    } else for (const id of intents) due.add(id);
  });

  const driveOne = async (context: StepContext, view: IntentView): Promise<boolean> => {
    const { intent } = view;
    try {
      const step = await advance(context, view);
      const after = step === null ? null : await move(intent, step);
      if (after !== null && intent.phase === "releasing") freed();
      return after !== null;
    } catch (error) {
      if (error instanceof StoreError && error.code === "fenced") throw error;
      // one intent that cannot be moved must not keep the others
      const code = error instanceof AdapterError || error instanceof StoreError ? error.code : "broken";
      const fields = { intent: intent.id, phase: intent.phase, code };
      if (code === "broken") log.error({ ...fields, error: String(error) }, "a step failed");
      else log.warn(fields, "a step has to wait");
      backOff();
      return false;
    }
  };
  const contextOf = async (views: readonly IntentView[]): Promise<StepContext> => {
    const live = views.flatMap(({ allocations }) =>
      allocations.filter(({ released_ms }) => released_ms === null),
    );
    const observed = await federation.observe(live.map(({ id }) => id));
    const clearing = new Set<string>();
    for (const { intent_phase, offer } of books.rows.values())
      if (intent_phase === "releasing") clearing.add(offer);
    return {
      federation,
      clock,
      deadlines,
      mostFailures,
      avoid: (offer) => planner.avoid(offer, AVOID_MS),
      observed: new Map(observed.map((held) => [held.key, held])),
      clearing,
    };
  };
  const drive = async (ids: readonly string[]): Promise<boolean> => {
    const views = (await store.system.viewsOf(ids)).filter(({ intent }) => driven.has(intent.phase));
    if (views.length === 0) return false;
    const context = await contextOf(views);
    const moved = await Promise.all(views.map((view) => driveOne(context, view)));
    for (const [index, { intent }] of views.entries()) if (moved[index] === true) due.add(intent.id);
    return moved.includes(true);
  };
  const compare = async (): Promise<void> => {
    isSweep = false;
    const { troubled } = await reconcile({ federation, clock, log, books });
    for (const id of troubled) due.add(id);
    const ids = await store.system.idsIn({ phases: transitional, after: sweptTo, limit: SWEPT });
    for (const id of ids) due.add(id);
    sweptTo = ids.length < SWEPT ? "" : ids.at(-1)!;
  };

  return {
    async step() {
      // a comparison refreshes them itself, after it has looked at the federation
      if (!isSweep) await books.refresh();
      if (isSweep) await compare();
      const ids = [...due].slice(0, DRIVEN);
      if (ids.length === 0) return false;
      for (const id of ids) due.delete(id);
      const moved = await drive(ids);
      return moved || due.size > 0;
    },
    sweep() {
      isSweep = true;
    },
    hint(keys) {
      for (const key of keys) {
        const row = books.rows.get(key);
        if (row === undefined) isSweep = true;
        else due.add(row.intent_id);
      }
    },
  };
}
