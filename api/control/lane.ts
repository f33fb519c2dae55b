/** One kind of work, done step by step for as long as there is any, never twice at the same time. */
export interface Lane {
  /** There may be work: begin soon. Cheap, any number of times. */
  poke(): void;
  /** What it does at present; null when nothing. */
  active(): Promise<void> | null;
}

/**
 * @param step does one step; true when there may be more to do at once
 * @param failed hears what a step threw: the lane rests until it is poked again
 */
export function createLane(step: () => Promise<boolean>, failed: (error: unknown) => void): Lane {
  let active: Promise<void> | null = null;
  let isPoked = false;
  const work = async (): Promise<void> => {
    try {
      while (isPoked) {
        isPoked = false;
        if (await step()) isPoked = true;
      }
    } catch (error) {
      isPoked = false;
      failed(error);
    }
  };
  const poke = (): void => {
    isPoked = true;
    active ??= work().finally(() => {
      active = null;
      if (isPoked) poke();
    });
  };
  return { poke, active: () => active };
}
