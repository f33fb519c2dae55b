import { cpus } from "node:os";
import { version } from "../engine/version.ts";

/** Where figures were measured: they mean little without it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly engine: string;
}

export function machine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? "unknown",
    cores: all.length,
    node: process.version,
    engine: version,
  };
}

/** A figure that a bench is held to. */
export interface Aim {
  readonly name: string;
  /** What is asked for, in words: `<= 300 ms`. */
  readonly aim: string;
  readonly value: number;
  readonly met: boolean;
}

/** One topic of a bench: its figures, the aims that follow from them, and lines for people. */
export interface Topic {
  readonly result: Readonly<Record<string, unknown>>;
  readonly aims: readonly Aim[];
  readonly lines: readonly string[];
}

/** An upper or lower limit on a measured value. */
export function aim(
  name: string,
  value: number,
  limit: { readonly most: number } | { readonly least: number },
  unit = "",
): Aim {
  const [sign, bound, met] =
    "most" in limit ? ["<=", limit.most, value <= limit.most] : [">=", limit.least, value >= limit.least];
  return { name, aim: `${sign} ${bound}${unit === "" ? "" : ` ${unit}`}`, value, met: met as boolean };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Half the distance between the quartiles over the median: how far to trust it. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
  return (at(0.75) - at(0.25)) / 2 / median(values);
}

/** Prints a result as JSON alone, or as the lines of a table. */
export function print(
  json: boolean,
  result: { readonly aims: readonly Aim[] },
  lines: readonly string[],
): void {
  if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else
    process.stdout.write(
      `${[...lines, ...result.aims.map(({ name, aim: wanted, value, met }) => `${met ? "met   " : "missed"} ${name}: ${wanted}, measured ${Number(value.toPrecision(4))}`)].join("\n")}\n`,
    );
}
