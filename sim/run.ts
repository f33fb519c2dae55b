import { createLook } from "./checks.ts";
import { converge } from "./liveness.ts";
import { drawOperation, operate } from "./operations.ts";
import type { Planting } from "./process.ts";
import { createRng, mix } from "./random.ts";
import type { Swarm } from "./swarm.ts";
import { Violation, type ViolationClass } from "./violation.ts";
import { createWorld, type World } from "./world.ts";

/** Steps between two full comparisons. */
const FULL_EVERY = 16;

export interface RunOptions {
  readonly seed: number;
  readonly steps: number;
  /** Steps that happen; absent: all. */
  readonly keep?: ReadonlySet<number>;
  /** Bugs planted around the service. */
  readonly planting?: Planting;
  /** What is on; absent: what the seed draws. */
  readonly swarm?: Swarm;
}

/** What became of a run. */
export interface RunResult {
  readonly seed: number;
  /** Steps that were done, up to the violation. */
  readonly steps: number;
  /** Hash of everything that happened and of all tables at the end: equal for equal runs. */
  readonly hash: string;
  readonly violation: {
    readonly kind: ViolationClass;
    readonly message: string;
    readonly step: number;
  } | null;
  /** Operation of each step that was done. */
  readonly operations: ReadonlyMap<number, string>;
  /** The last lines of what happened. */
  readonly lines: readonly string[];
  /** How often what happened. */
  readonly marks: ReadonlyMap<string, number>;
}

/** One step: an operation, some time, and some messages that arrive. */
async function doStep(world: World, step: number): Promise<string> {
  const { swarm, gates, trace } = world;
  world.begin(step);
  // operation and its details do not depend on what other draws of the step were made
  const rng = createRng(mix(world.seed, step, 1));
  const name = drawOperation(swarm, rng);
  trace.add(`${step} ${name} at ${world.time.nowMs()}`);
  trace.mark(`step: ${name}`);
  await operate(world, name, rng, step);
  await world.settle();
  const driver = createRng(mix(world.seed, step, 2));
  await world.pass(driver.int(swarm.paceMs));
  while (driver.chance(swarm.eagerness)) {
    const label = gates.openOne(driver);
    if (label === null) break;
    trace.add(`  ${label}`);
    await world.settle();
  }
  await world.revive();
  return name;
}

const toViolation = (error: unknown, step: number): RunResult["violation"] =>
  error instanceof Violation
    ? { kind: error.kind, message: error.message, step }
    : {
        kind: "broken",
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
        step,
      };

/** Runs one seed: steps with faults, then without any until everything is at rest. */
export async function run({ seed, steps, keep, planting, swarm }: RunOptions): Promise<RunResult> {
  const world = await createWorld(seed, planting, swarm);
  const look = createLook(world);
  const operations = new Map<number, string>();
  let violation: RunResult["violation"] = null;
  let step = 0;
  try {
    for (; step < steps; step++) {
      if (keep !== undefined && !keep.has(step)) continue;
      operations.set(step, "?");
      operations.set(step, await doStep(world, step));
      await look(operations.size % FULL_EVERY === 0);
    }
    world.begin(steps);
    await converge(world, () => look(false));
  } catch (error) {
    violation = toViolation(error, step);
  }
  world.trace.add(world.dump());
  const { lines, marks } = world.trace;
  const result = {
    seed,
    steps: operations.size,
    hash: world.trace.digest(),
    violation,
    operations,
    lines,
    marks,
  };
  world.close();
  return result;
}
