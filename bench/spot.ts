import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { countOf, FlagError } from "./flags.ts";
import { type Aim, aim, machine, print } from "./report.ts";
import { greedy, onDemand, ours, type Policy, uniformProgress } from "./spot-policies.ts";
import { generateSeries, type Instance, optimum, play, readSeries, type Series } from "./spot-series.ts";

const priceRatio = 0.4;
const hours = 48;
const slacks = [1.1, 1.3, 1.6] as const;
const changeovers = [1, 4] as const;
const policies: readonly (readonly [string, Policy])[] = [
  ["greedy", greedy],
  ["uniform_progress", uniformProgress],
  ["ours", ours],
];
/** Share of greedy's gap to the optimum that the published study closed, by zones, changeover and deadline. */
const published: Readonly<Record<string, number>> = {
  "1 zone, 1 slot, 1.1x": 91,
  "1 zone, 1 slot, 1.3x": 88,
  "1 zone, 1 slot, 1.6x": 84,
  "1 zone, 4 slots, 1.1x": 62,
  "1 zone, 4 slots, 1.3x": 60,
  "1 zone, 4 slots, 1.6x": 51,
  "3 zones, 1 slot, 1.1x": 89,
  "3 zones, 1 slot, 1.3x": 76,
  "3 zones, 1 slot, 1.6x": 40,
};

interface Group {
  readonly zones: string;
  readonly changeover: number;
  readonly deadline: number;
  readonly instances: number;
  readonly missed: number;
  /** Per cent saved against on demand. */
  readonly saving: Readonly<Record<string, number>>;
  /** Per cent of greedy's gap to the optimum that ours closes; null where there is none to speak of. */
  readonly closed: number | null;
  readonly changes: number;
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** Plays every start of one set of zones at one changeover and deadline. */
function groupOf(zones: readonly Series[], changeover: number, slack: number, starts: number): Group {
  const { slotSeconds } = zones[0]!;
  const work = Math.round((hours * 3600) / slotSeconds);
  const deadline = Math.floor(work * slack);
  const most = Math.floor(work * 1.6);
  const first = Math.round((slotSeconds === 195 ? 3100 : 300) * Math.min(1, zones[0]!.isUp.length / 6000));
  const room = zones[0]!.isUp.length - first - most - 2;
  const costs: Record<string, number> = { on_demand: 0, greedy: 0, uniform_progress: 0, ours: 0, optimum: 0 };
  let [missed, changes] = [0, 0];
  for (let index = 0; index < starts; index++) {
    const start = first + Math.floor((room * index) / Math.max(1, starts - 1));
    const instance: Instance = {
      zones,
      start,
      work,
      deadline,
      changeover,
      priceRatio,
      history: Math.round((48 * 3600) / slotSeconds),
    };
    costs["on_demand"]! += play(instance, onDemand(instance)).cost;
    costs["optimum"]! += optimum(instance);
    for (const [name, policy] of policies) {
      const result = play(instance, policy(instance));
      costs[name]! += result.cost;
      if (name !== "ours") continue;
      if (!result.isDone) missed++;
      changes += result.changes;
    }
  }
  const saved = (name: string): number => 100 * (1 - costs[name]! / costs["on_demand"]!);
  const gap = costs["greedy"]! - costs["optimum"]!;
  return {
    zones: zones.map(({ name }) => name).join(" + "),
    changeover,
    deadline: slack,
    instances: starts,
    missed,
    saving: Object.fromEntries(
      ["greedy", "uniform_progress", "ours", "optimum"].map((name) => [name, round(saved(name))]),
    ),
    closed:
      gap < 0.005 * costs["on_demand"]! ? null : round((100 * (costs["greedy"]! - costs["ours"]!)) / gap),
    changes: round(changes / starts),
  };
}

/** Sets of zones of one slot length: each alone, and three together. */
function setsOf(series: readonly Series[]): Series[][] {
  const sets: Series[][] = [];
  for (const seconds of new Set(series.map(({ slotSeconds }) => slotSeconds))) {
    const group = series.filter(({ slotSeconds }) => slotSeconds === seconds);
    sets.push(...group.map((one) => [one]));
    for (let at = 0; at + 3 <= group.length; at += 3) sets.push(group.slice(at, at + 3));
  }
  return sets;
}

const made = (): Series[] =>
  [0.25, 0.6, 0.85, 0.4, 0.7, 0.9].map((share, index) =>
    generateSeries(`generated-${index + 1}`, 9000, 100 + index, share),
  );

/** Mean saving by number of zones, changeover and deadline, in the shape of the published table. */
function summaryOf(groups: readonly Group[]): { readonly name: string; readonly group: Group }[] {
  const keys = [...new Set(groups.map(keyOf))];
  return keys.map((name) => {
    const same = groups.filter((one) => keyOf(one) === name);
    const mean = (of: (group: Group) => number): number =>
      round(same.reduce((sum, one) => sum + of(one), 0) / same.length);
    const names = ["greedy", "uniform_progress", "ours", "optimum"];
    const saving = Object.fromEntries(names.map((policy) => [policy, mean(({ saving: by }) => by[policy]!)]));
    const gap = saving["optimum"]! - saving["greedy"]!;
    const closed = gap < 0.5 ? null : round((100 * (saving["ours"]! - saving["greedy"]!)) / gap);
    return {
      name,
      group: {
        ...same[0]!,
        instances: same.reduce((sum, one) => sum + one.instances, 0),
        missed: same.reduce((sum, one) => sum + one.missed, 0),
        changes: mean(({ changes }) => changes),
        saving,
        closed,
      },
    };
  });
}

const keyOf = ({ zones, changeover, deadline }: Group): string => {
  const count = zones.split(" + ").length;
  return `${count} zone${count === 1 ? "" : "s"}, ${changeover} slot${changeover === 1 ? "" : "s"}, ${deadline}x`;
};

function aimsOf(groups: readonly Group[], summary: ReturnType<typeof summaryOf>, isMade: boolean): Aim[] {
  const least = groups.reduce(
    (worst, { saving }) => Math.min(worst, saving["ours"]! - saving["greedy"]!),
    100,
  );
  const aims = [
    aim(
      "deadlines missed that on-demand could meet",
      groups.reduce((sum, { missed }) => sum + missed, 0),
      { most: 0 },
    ),
    aim("saving against greedy on the worst zone", round(least), { least: -0.5 }, "points"),
  ];
  // the published figures are shares of what real series left to gain
  if (isMade) return aims;
  for (const { name, group } of summary) {
    const wanted = published[name];
    if (wanted !== undefined && group.closed !== null)
      aims.push(aim(`share of greedy's gap closed: ${name}`, group.closed, { least: wanted }, "%"));
  }
  return aims;
}

/**
 * Runs of 48 h under a deadline on spot capacity (0.40 of the on-demand price): the engine's policy, greedy and uniform
 * progress against the optimum of somebody who knows the series, on the series of `--data DIR` (default
 * `../shared/data/spot`), else on generated ones of the same shape.
 */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      data: { type: "string" },
      starts: { type: "string", default: "24" },
    },
  });
  const folder = values.data ?? fileURLToPath(new URL("../../shared/data/spot", import.meta.url));
  const read = readSeries(folder);
  if (values.data !== undefined && read === null)
    throw new FlagError(`--data ${values.data}: no such folder`);
  const series = read ?? made();
  const groups = setsOf(series).flatMap((zones) =>
    changeovers.flatMap((changeover) =>
      slacks.map((slack) => groupOf(zones, changeover, slack, countOf("--starts", values.starts))),
    ),
  );
  const summary = summaryOf(groups.filter(({ zones }) => !zones.startsWith("2022")));
  const line = ({ group, name }: { readonly name: string; readonly group: Group }): string =>
    `${name.padEnd(24)} greedy ${group.saving["greedy"]} uniform ${group.saving["uniform_progress"]} ours ${group.saving["ours"]} optimum ${group.saving["optimum"]} % saved, ${group.closed ?? "-"} % of the gap closed, ${group.missed} missed`;
  const result = {
    bench: "spot",
    machine: machine(),
    data: read === null ? "generated series" : "series of the data folder",
    price_ratio: priceRatio,
    hours,
    summary: summary.map(({ name, group }) => ({ ...group, name, zones: undefined })),
    groups,
    aims: aimsOf(groups, summary, read === null),
  };
  print(values.json === true, result, [
    ...summary.map(line),
    ...groups.map((group) => line({ name: `${group.zones} c${group.changeover} ${group.deadline}x`, group })),
  ]);
}
