/** Something that answers all intents of a case once. */
export interface Variant {
  readonly name: string;
  readonly intents: number;
  /** Answers that one call gives. */
  readonly size: number;
  run(): void;
}

/** Progress, where it does not disturb the result. */
export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Milliseconds a variant runs per round: long enough for a clock that may tick in milliseconds, short enough for many rounds. */
const ROUND_MS = 30;

/** Milliseconds of processor time of this thread: what others on the machine take is not in it. */
export function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Interleaved rounds: every variant once per round, so that what disturbs one disturbs all. Microseconds per intent. */
export function measure(
  variants: readonly Variant[],
  rounds: number,
  clock: () => number = processorMs,
): Map<string, number[]> {
  const repeats = variants.map((variant) => {
    for (let warm = performance.now() + ROUND_MS / 2; performance.now() < warm; ) variant.run();
    // by the clock that is measured with: others on the machine take part of every other one
    const start = clock();
    let count = 0;
    while (clock() - start < ROUND_MS) {
      variant.run();
      count++;
    }
    return count;
  });
  const times = new Map(variants.map(({ name, intents }) => [`${name} ${intents}`, [] as number[]]));
  for (let round = 0; round < rounds; round++)
    for (const [index, { name, intents, size, run }] of variants.entries()) {
      const start = clock();
      for (let repeat = 0; repeat < repeats[index]!; repeat++) run();
      times.get(`${name} ${intents}`)!.push(((clock() - start) * 1000) / repeats[index]! / size);
    }
  return times;
}
