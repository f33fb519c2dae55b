import { AdapterError, type Federation } from "../adapters/port.ts";
import { StoreError } from "../api/store/errors.ts";
import { createLook } from "./checks.ts";
import { converge } from "./liveness.ts";
import type { Planting } from "./process.ts";
import { drawSwarm, type Swarm } from "./swarm.ts";
import type { Violation } from "./violation.ts";
import { createWorld, type World } from "./world.ts";

/** A small story: what clients do in a world without faults. */
export interface Story {
  readonly name: string;
  tell(world: World): Promise<void>;
}

/** How the call fails: it is not made, or it is made and its answer is lost. */
export type Failure = "not made" | "answer lost";

export interface NthResult {
  /** Calls to the outside during the story. */
  readonly calls: number;
  /** The call that failed, by name; null: the story has fewer calls. */
  readonly failed: string | null;
  readonly violation: Violation | Error | null;
}

/** Nothing goes wrong by itself, and no message waits. */
const calm = (seed: number): Swarm => ({
  ...drawSwarm(seed),
  held: { store: 0, federation: 0, plan: 0, http: 0 },
  lateMs: 0,
  shuffles: false,
  skewMs: 0,
  processes: 1,
  faults: { unreached: 0, answerLost: 0, repeated: 0, refused: 0, http: 0, planner: 0, solver: 0 },
});

/** Counts every call to the outside and lets one of them fail. */
function failNth(n: number, failure: Failure) {
  let calls = 0;
  let failed: string | null = null;
  let isCounting = false;
  const attempt = async <T>(name: string, run: () => Promise<T>, error: () => Error): Promise<T> => {
    if (!isCounting || ++calls !== n) return run();
    failed = name;
    if (failure === "answer lost") await run();
    throw error();
  };
  const lost = (): Error => new AdapterError("timeout", "the answer was lost");
  const federation = (inner: Federation): Federation => ({
    ...inner,
    catalog: () => attempt("catalog", () => inner.catalog(), lost),
    observe: (keys) => attempt("observe", () => inner.observe(keys), lost),
    reserve: (request) => attempt("reserve", () => inner.reserve(request), lost),
    purchase: (key) => attempt("purchase", () => inner.purchase(key), lost),
    peer: (key) => attempt("peer", () => inner.peer(key), lost),
    deploy: (key, intent) => attempt("deploy", () => inner.deploy(key, intent), lost),
    release: (key) => attempt("release", () => inner.release(key), lost),
  });
  const planting: Planting = {
    federation,
    plans: (inner) => ({
      ...inner,
      run: (job) =>
        attempt(
          "plan",
          () => inner.run(job),
          () => new Error("the planning thread ended"),
        ),
    }),
    http: (inner) => ({
      send: (request) =>
        attempt(
          "http",
          () => inner.send(request),
          () => new Error("no answer"),
        ),
    }),
    // a commit whose answer is lost is not an outcome that this store has: its process would have ended
    around: (run) =>
      failure === "answer lost"
        ? run()
        : attempt("store", run, () => new StoreError("unavailable", "the database cannot be written")),
  };
  return {
    planting,
    count: (on: boolean) => {
      isCounting = on;
    },
    outcome: () => ({ calls, failed }),
  };
}

/** Tells a story in which the `n`th call to the outside fails, and checks that all is well in the end. */
export async function tellWithFailure(
  story: Story,
  { n, failure, seed = 3 }: { readonly n: number; readonly failure: Failure; readonly seed?: number },
): Promise<NthResult> {
  const nth = failNth(n, failure);
  const world = await createWorld(seed, nth.planting, calm(seed));
  world.calmSinceMs = Number.POSITIVE_INFINITY;
  const look = createLook(world);
  let violation: NthResult["violation"] = null;
  try {
    nth.count(true);
    await story.tell(world);
    nth.count(false);
    await look(true);
    await converge(world, () => look(false));
  } catch (error) {
    violation = error as Error;
  }
  world.close();
  return { ...nth.outcome(), violation };
}
