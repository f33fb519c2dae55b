import fc from "fast-check";
import { expect, test } from "vitest";
import { arrange, migGeometry, migMilli, slicesOf } from "../../engine/catalog/mig.ts";

const gpu = (model: string, gb: number, families: readonly string[] = [model]) => ({
  model,
  families,
  memoryMib: gb * 1024,
});

test.for([
  {
    name: "A100 40 GB",
    traits: gpu("nvidia-a100", 40),
    profiles: "1g.5gb 1g.10gb 2g.10gb 3g.20gb 4g.20gb 7g.40gb",
  },
  {
    name: "A100 80 GB",
    traits: gpu("nvidia-a100-80-sxm", 80, ["nvidia-a100-80", "nvidia-a100"]),
    profiles: "1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb",
  },
  {
    name: "H100 80 GB",
    traits: gpu("nvidia-h100", 80),
    profiles: "1g.10gb 1g.20gb 2g.20gb 3g.40gb 4g.40gb 7g.80gb",
  },
  {
    name: "H100 NVL 94 GB",
    traits: gpu("nvidia-h100-nvl", 94, ["nvidia-h100"]),
    profiles: "1g.12gb 1g.24gb 2g.24gb 3g.47gb 4g.47gb 7g.94gb",
  },
  {
    name: "H200",
    traits: gpu("nvidia-h200", 141),
    profiles: "1g.18gb 1g.35gb 2g.35gb 3g.71gb 4g.71gb 7g.141gb",
  },
  { name: "A30", traits: gpu("nvidia-a30", 24), profiles: "1g.6gb 2g.12gb 4g.24gb" },
])("$name is cut into its documented profiles", ({ traits, profiles }) => {
  expect(
    migGeometry(traits)!
      .profiles.map(({ name }) => name)
      .join(" "),
  ).toBe(profiles);
});

test("other GPUs have no known geometry", () => {
  expect(migGeometry(gpu("nvidia-t4", 16))).toBeNull();
});

const a100 = migGeometry(gpu("nvidia-a100", 40))!;
const a30 = migGeometry(gpu("nvidia-a30", 24))!;
const times = (count: number, name: string): string[] => Array.from({ length: count }, () => name);

test.for([
  { names: times(7, "1g.5gb"), legal: true },
  { names: times(8, "1g.5gb"), legal: false },
  { names: times(3, "2g.10gb"), legal: true },
  // the fourth pair of memory slices has no two compute slices
  { names: times(4, "2g.10gb"), legal: false },
  { names: times(4, "1g.10gb"), legal: true },
  { names: [...times(3, "2g.10gb"), "1g.5gb"], legal: true },
  { names: ["3g.20gb", "3g.20gb"], legal: true },
  { names: ["3g.20gb", "4g.20gb"], legal: true },
  { names: ["4g.20gb", "4g.20gb"], legal: false },
  { names: ["3g.20gb", "3g.20gb", "1g.5gb"], legal: false },
  { names: ["4g.20gb", "2g.10gb", "1g.5gb"], legal: true },
  { names: ["7g.40gb"], legal: true },
  { names: ["7g.40gb", "1g.5gb"], legal: false },
  { names: ["9g.90gb"], legal: false },
])("an A100 holds $names: $legal", ({ names, legal }) => {
  expect(arrange(a100, names) !== null).toBe(legal);
});

test("an A30 holds two halves, or one half and two quarters, not more", () => {
  expect(arrange(a30, ["2g.12gb", "2g.12gb"])).toEqual([0, 2]);
  expect(arrange(a30, ["1g.6gb", "2g.12gb", "1g.6gb"])).not.toBeNull();
  expect(arrange(a30, ["1g.6gb", "2g.12gb", "2g.12gb"])).toBeNull();
});

test("instances never overlap, start where they may, and are found whenever some order of placing finds them", () => {
  const geometries = [a100, a30];
  fc.assert(
    fc.property(
      fc
        .constantFrom(...geometries)
        .chain((geometry) =>
          fc.tuple(
            fc.constant(geometry),
            fc.array(fc.constantFrom(...geometry.profiles.map(({ name }) => name)), { maxLength: 7 }),
          ),
        ),
      ([geometry, names]) => {
        const starts = arrange(geometry, names);
        if (starts === null) {
          // first fit in the given order must not do better than the search
          const taken = new Uint8Array(geometry.slices);
          const all = names.every((name) => {
            const { slices, starts: allowed } = geometry.profiles.find((one) => one.name === name)!;
            const start = allowed.find((at) => !taken.subarray(at, at + slices).includes(1));
            if (start !== undefined) taken.fill(1, start, start + slices);
            return start !== undefined;
          });
          expect(all).toBe(false);
          return;
        }
        const covered = names.flatMap((name, at) => {
          expect(geometry.profiles.find((one) => one.name === name)!.starts).toContain(starts[at]);
          return Array.from({ length: slicesOf(geometry, name) }, (_, slice) => starts[at]! + slice);
        });
        expect(new Set(covered).size).toBe(covered.length);
        expect(Math.max(-1, ...covered)).toBeLessThan(geometry.slices);
      },
    ),
  );
});

test("an instance is billed by its compute slices, rounded up", () => {
  expect(migMilli(a100, "1g.5gb")).toBe(143);
  expect(migMilli(a100, "3g.20gb")).toBe(429);
  expect(migMilli(a100, "7g.40gb")).toBe(1000);
  expect(migMilli(a30, "1g.6gb")).toBe(250);
});
