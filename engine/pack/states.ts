import { assert } from "../model/errors.ts";
import type { PodClass } from "./classes.ts";
import { DEVICE_MILLI, type PackNode } from "./model.ts";

/** Nodes of the same hardware: model, devices, CPU and memory. */
export interface NodeKind {
  /** Model id, see `Classes.models`. */
  readonly model: number;
  readonly gpus: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Rows of the nodes. */
  readonly nodes: readonly number[];
}

/** Kinds in order of first appearance, and the kind of every node. */
export function kindsOf(
  nodes: readonly PackNode[],
  modelOf: Int32Array,
): { readonly kinds: NodeKind[]; readonly of: Int32Array } {
  const kinds: (NodeKind & { readonly nodes: number[] })[] = [];
  const known = new Map<string, number>();
  const of = Int32Array.from(nodes, ({ gpus, cpuMilli, memoryMib }, row) => {
    const model = modelOf[row]!;
    const key = `${model} ${gpus} ${cpuMilli} ${memoryMib}`;
    let kind = known.get(key);
    if (kind === undefined) {
      kind = kinds.push({ model, gpus, cpuMilli, memoryMib, nodes: [] }) - 1;
      known.set(key, kind);
    }
    kinds[kind]!.nodes.push(row);
    return kind;
  });
  return { kinds, of };
}

/**
 * Interned device states: what is free on each device of a node, without order, per kind of node. The same state has
 * the same id, so everything that depends on it is computed once.
 */
export interface GpuStates {
  readonly kinds: readonly NodeKind[];
  /** Free thousandths of the devices of a state, ascending. */
  free(state: number): readonly number[];
  kind(state: number): number;
  /** Free thousandths in total. */
  total(state: number): number;
  /** Devices that are free altogether. */
  whole(state: number): number;
  /** Largest free part of a device, 0 without devices. */
  largest(state: number): number;
  /** Id of a kind's devices with this much free each, in any order. */
  intern(kind: number, free: ArrayLike<number>): number;
  /**
   * Ways to place a class, flat: free part of the device taken, then the state it leads to, tightest first. One way
   * for whole devices; none where it does not fit; devices apart from the kind's rules (models, CPU) are not looked at.
   */
  ways(state: number, pod: PodClass): readonly number[];
  /** States so far. */
  count(): number;
}

export function createStates(kinds: readonly NodeKind[]): GpuStates {
  const frees: (readonly number[])[] = [];
  const kindOf: number[] = [];
  const totals: number[] = [];
  const wholes: number[] = [];
  const ids = kinds.map(() => new Map<string, number>());
  const waysOf: (readonly number[])[][] = [];

  const intern = (kind: number, free: ArrayLike<number>): number => {
    assert(free.length === kinds[kind]!.gpus, `${free.length} devices for a kind with ${kinds[kind]!.gpus}`);
    const sorted = ascending(free);
    const key = String.fromCharCode(...sorted);
    const known = ids[kind]!.get(key);
    if (known !== undefined) return known;
    const state = frees.push(sorted) - 1;
    ids[kind]!.set(key, state);
    kindOf.push(kind);
    totals.push(sorted.reduce((sum, milli) => sum + milli, 0));
    wholes.push(sorted.filter((milli) => milli === DEVICE_MILLI).length);
    waysOf.push([]);
    return state;
  };

  const findWays = (state: number, pod: PodClass): number[] => {
    const free = frees[state]!;
    const kind = kindOf[state]!;
    if (pod.gpus === 0) return [0, state];
    if (pod.gpus > 1 || pod.gpuMilli === DEVICE_MILLI) {
      if (wholes[state]! < pod.gpus) return [];
      const left = free.length - pod.gpus;
      return [
        DEVICE_MILLI,
        intern(
          kind,
          free.map((milli, at) => (at < left ? milli : 0)),
        ),
      ];
    }
    const ways: number[] = [];
    free.forEach((milli, at) => {
      if (milli < pod.gpuMilli || milli === free[at - 1]) return;
      ways.push(
        milli,
        intern(
          kind,
          free.map((other, index) => (index === at ? milli - pod.gpuMilli : other)),
        ),
      );
    });
    return ways;
  };

  return {
    kinds,
    free: (state) => frees[state]!,
    kind: (state) => kindOf[state]!,
    total: (state) => totals[state]!,
    whole: (state) => wholes[state]!,
    largest: (state) => frees[state]!.at(-1) ?? 0,
    intern,
    ways: (state, pod) => (waysOf[state]![pod.demand] ??= findWays(state, pod)),
    count: () => frees.length,
  };
}

/** A sorted copy; by insertion, as devices are few and mostly in order. */
function ascending(values: ArrayLike<number>): number[] {
  const sorted: number[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    let at = index;
    for (; at > 0 && sorted[at - 1]! > value; at--) sorted[at] = sorted[at - 1]!;
    sorted[at] = value;
  }
  return sorted;
}
