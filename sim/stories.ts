import type { Story } from "./nth.ts";
import { hook } from "./operations/hooks.ts";
import { amend, cancel, retry, submit } from "./operations/intents.ts";
import { createRng } from "./random.ts";
import type { World } from "./world.ts";

const rng = () => createRng(11);

async function pass(world: World, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await world.pass(1000);
    await world.revive();
  }
}

/** Stories in which every call to the outside is made to fail once. */
export const stories: readonly Story[] = [
  {
    name: "an intent is accepted and comes to run",
    async tell(world) {
      submit(world, rng(), 1);
      await world.settle();
      await pass(world, 5);
    },
  },
  {
    name: "an intent is cancelled while it is placed",
    async tell(world) {
      submit(world, rng(), 1);
      await world.settle();
      await world.pass(1);
      cancel(world, rng());
      await world.settle();
      await pass(world, 3);
    },
  },
  {
    name: "an intent is sent again, and amended, while others run",
    async tell(world) {
      submit(world, rng(), 1);
      submit(world, createRng(12), 2);
      await world.settle();
      retry(world, rng());
      await world.pass(500);
      amend(world, rng());
      await world.settle();
      await pass(world, 3);
    },
  },
  {
    name: "a webhook is told of an intent from its beginning to its end",
    async tell(world) {
      hook(world, rng(), 1);
      await world.settle();
      submit(world, rng(), 2);
      await pass(world, 2);
      cancel(world, rng());
      await pass(world, 2);
    },
  },
];
