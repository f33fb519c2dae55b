import { quota, reserve, revoke, suspend, token, unreserve } from "./operations/access.ts";
import { cancelMoving, crowd } from "./operations/crowds.ts";
import { hook, useHook } from "./operations/hooks.ts";
import { commitFault, incident, jump, wait } from "./operations/incidents.ts";
import { amend, cancel, read, retry, reuseKey, submit, submitBad } from "./operations/intents.ts";
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
};

/** The operation of a step. */
export function drawOperation({ weights }: Swarm, rng: Rng): OperationName {
  const total = operationNames.reduce((sum, name) => sum + weights[name], 0);
  let left = rng.int(total);
  for (const name of operationNames) {
    left -= weights[name];
    if (left < 0) return name;
  }
  return "read";
}

/** Does an operation; what it asks for comes back when the driver lets it. */
export async function operate(world: World, name: OperationName, rng: Rng, step: number): Promise<void> {
  await operations[name](world, rng, step);
}
