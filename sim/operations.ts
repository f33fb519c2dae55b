import { quota, reserve, revoke, suspend, token, unreserve } from "./operations/access.ts";
import { cancelMoving, cancelReturning, clear, crowd, rush } from "./operations/crowds.ts";
import { hook, useHook } from "./operations/hooks.ts";
import { commitFault, incident, jump, wait } from "./operations/incidents.ts";
import { amend, cancel, read, retry, reuseKey, scale, submit, submitBad } from "./operations/intents.ts";
import { limit } from "./operations/limits.ts";
import { dryRun, list, page, pry } from "./operations/lists.ts";
import { openStream, readStream } from "./operations/streams.ts";
import type { Rng } from "./random.ts";
import { type OperationName, operationNames, type Swarm } from "./swarm.ts";
import type { World } from "./world.ts";

type Operation = (world: World, rng: Rng, step: number) => Promise<void> | void;

const operations: Readonly<Record<OperationName, Operation>> = {
  submit,
  retry,
  reuseKey,
  submitBad,
  cancel,
  amend,
  read,
  list,
  pry,
  page,
  openStream,
  readStream,
  dryRun,
  hook,
  useHook,
  reserve,
  unreserve,
  token,
  revoke,
  quota,
  suspend,
  wait,
  price: (world, rng) => incident(world, rng, "price"),
  interrupt: (world, rng) => incident(world, rng, "interrupt"),
  fail: (world, rng) => incident(world, rng, "fail"),
  outage: (world, rng) => incident(world, rng, "outage"),
  rival: (world, rng) => incident(world, rng, "rival"),
  crash: (world) => world.crash(),
  restart: (world) => world.restart(),
  pause: (world) => world.pause(),
  jump,
  commitFault,
  crowd,
  cancelMoving,
  limit,
  rush,
  clear,
  scale,
  cancelReturning,
};

/** The operation of a step. */
export function drawOperation({ weights }: Swarm, rng: Rng): OperationName {
  // what a regression drew before there was an operation knows nothing of it
  const weightOf = (name: OperationName): number => weights[name] ?? 0;
  const total = operationNames.reduce((sum, name) => sum + weightOf(name), 0);
  let left = rng.int(total);
  for (const name of operationNames) {
    left -= weightOf(name);
    if (left < 0) return name;
  }
  return "read";
}

/** Does an operation; what it asks for comes back when the driver lets it. */
export async function operate(world: World, name: OperationName, rng: Rng, step: number): Promise<void> {
  await operations[name](world, rng, step);
}
