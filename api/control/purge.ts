import type { Cancel, Env } from "../env.ts";

const EVERY_MS = 3_600_000;

/**
 * Deletes once an hour what has outlived its use. Returns how to end it.
 *
 * @param mayPurge default always: with several replicas, only while this one leads
 */
export function keepTidy(
  { store, clock, timers, log }: Pick<Env, "store" | "clock" | "timers" | "log">,
  mayPurge: () => boolean = () => true,
): () => Promise<void> {
  let active = Promise.resolve();
  let timer: Cancel | null = null;
  const purge = async (): Promise<void> => {
    try {
      if (mayPurge()) await store.system.purge(clock.wallMs());
    } catch (error) {
      log.warn({ error: String(error) }, "what is old could not be deleted");
    }
  };
  const next = (): void => {
    timer = timers.after(EVERY_MS, () => {
      active = purge().then(next);
    });
  };
  next();
  return async () => {
    timer?.();
    await active;
    timer?.();
  };
}
