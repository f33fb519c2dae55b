import type { GpuTraits } from "../model/flavor.ts";

/** Where instances of one MIG profile may start and how many memory slices each covers. */
interface MigProfile {
  readonly name: string;
  readonly slices: number;
  readonly starts: readonly number[];
}

/** MIG geometry of one kind of GPU: memory slices, and the profiles that may be cut out of them. */
export interface MigGeometry {
  readonly slices: number;
  readonly profiles: readonly MigProfile[];
}

/**
 * The seven-compute-slice layout that A100, H100 and H200 share, by the memory of one slice, two, four and all of them
 * as the profile names round it, GB.
 */
const sevenths = (one: number, two: number, four: number, all: number): MigGeometry => ({
  slices: 8,
  profiles: [
    { name: `1g.${one}gb`, slices: 1, starts: [0, 1, 2, 3, 4, 5, 6] },
    { name: `1g.${two}gb`, slices: 2, starts: [0, 2, 4, 6] },
    { name: `2g.${two}gb`, slices: 2, starts: [0, 2, 4] },
    { name: `3g.${four}gb`, slices: 4, starts: [0, 4] },
    { name: `4g.${four}gb`, slices: 4, starts: [0] },
    { name: `7g.${all}gb`, slices: 8, starts: [0] },
  ],
});

/** Four compute and four memory slices. */
const a30: MigGeometry = {
  slices: 4,
  profiles: [
    { name: "1g.6gb", slices: 1, starts: [0, 1, 2, 3] },
    { name: "2g.12gb", slices: 2, starts: [0, 2] },
    { name: "4g.24gb", slices: 4, starts: [0] },
  ],
};

/** Geometry by catalog family and memory in GB, the first that matches. */
const geometries: readonly (readonly [family: string, leastGb: number, geometry: MigGeometry])[] = [
  ["nvidia-a30", 0, a30],
  ["nvidia-a100", 60, sevenths(10, 20, 40, 80)],
  ["nvidia-a100", 0, sevenths(5, 10, 20, 40)],
  ["nvidia-h100", 90, sevenths(12, 24, 47, 94)],
  ["nvidia-h100", 0, sevenths(10, 20, 40, 80)],
  ["nvidia-h200", 0, sevenths(18, 35, 71, 141)],
];

/**
 * MIG geometry of a GPU, or null where none is known (A100, H100, H200 and A30 are).
 *
 * @see NVIDIA Multi-Instance GPU User Guide, "Supported MIG Profiles"
 */
export function migGeometry({ model, families, memoryMib }: GpuTraits): MigGeometry | null {
  const gb = (memoryMib ?? 0) / 1024;
  const found = geometries.find(
    ([family, least]) => (model === family || families.includes(family)) && gb >= least,
  );
  return found === undefined ? null : found[2];
}

/** Memory slices of a profile, 0 where the geometry has none of that name. */
export const slicesOf = ({ profiles }: MigGeometry, name: string): number =>
  profiles.find((profile) => profile.name === name)?.slices ?? 0;

/** GPU thousandths that one instance stands for: its compute slices out of all, rounded up. */
export function migMilli({ slices }: MigGeometry, name: string): number {
  const all = slices === 8 ? 7 : slices;
  return Math.ceil((1000 * Number.parseInt(name, 10)) / all);
}

/**
 * A start for each of the profiles on one device such that no two overlap, or null where there is none. In what order
 * they were made is not known, so any arrangement counts.
 */
export function arrange({ slices, profiles }: MigGeometry, names: readonly string[]): number[] | null {
  const wanted = names.map((name) => profiles.find((profile) => profile.name === name));
  if (wanted.includes(undefined)) return null;
  const order = [...wanted.keys()].sort((a, b) => wanted[b]!.slices - wanted[a]!.slices || a - b);
  const starts: number[] = names.map(() => -1);
  const taken = new Uint8Array(slices);
  const put = (at: number): boolean => {
    if (at === order.length) return true;
    const { slices: size, starts: allowed } = wanted[order[at]!]!;
    for (const start of allowed) {
      if (taken.subarray(start, start + size).includes(1)) continue;
      taken.fill(1, start, start + size);
      starts[order[at]!] = start;
      if (put(at + 1)) return true;
      taken.fill(0, start, start + size);
    }
    return false;
  };
  return put(0) ? starts : null;
}
