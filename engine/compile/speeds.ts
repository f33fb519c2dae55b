import { findGpuModel, type GpuModel } from "../catalog/gpus.ts";
import { relativeSpeed } from "../catalog/speed.ts";
import type { GpuTraits, WorkloadKind } from "../model/flavor.ts";
import { correctedSpeed } from "../score/performance.ts";
import type { Catalog } from "./catalog.ts";

/** A model of the GPU catalogue, null for others, and its speed. */
interface Known {
  readonly model: GpuModel | null;
  readonly speed: number;
}

/**
 * Speed of one GPU of a row's offer for a kind of work, NaN where unknown. The same as `gpuSpeed`, but looked up once per
 * model, and once per description of a GPU that the catalogue does not know.
 */
export function speedsOf(catalog: Catalog, kind: WorkloadKind): (row: number) => number {
  const known = catalog.speeds.get(kind);
  if (known !== undefined) return known;
  const models = new Map<string, Known>();
  const others = new Map<GpuTraits, number>();
  const { rows } = catalog.columns;
  const gpu = rows.block("gpu");
  const speedOther = (traits: GpuTraits): number => {
    let speed = others.get(traits);
    if (speed === undefined) {
      speed = relativeSpeed(traits, kind);
      others.set(traits, speed);
    }
    return speed;
  };
  const find = (name: string): Known => {
    const model = findGpuModel(name);
    const found = { model, speed: model === null ? Number.NaN : relativeSpeed(model, kind) };
    models.set(name, found);
    return found;
  };
  const speedAt = (row: number): number => {
    const traits = gpu[row]!;
    const { model, speed } = models.get(traits.model) ?? find(traits.model);
    return model === null
      ? correctedSpeed(speedOther(traits), undefined, undefined)
      : correctedSpeed(speed, rows.flavor[row]!.scores[kind], model.scores[kind]);
  };
  catalog.speeds.set(kind, speedAt);
  return speedAt;
}
