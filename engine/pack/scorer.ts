import type { PodClass } from "./classes.ts";

/**
 * A packing policy. The packer places each pod on the feasible node with the highest score less penalty; ties go to
 * the smallest `tie`, then to the first node.
 */
export interface Scorer {
  readonly name: string;
  /**
   * Score of placing the class on a node where it fits. Depends on the class and on what is free on that node alone,
   * so the packer keeps it until the node changes.
   */
  score(node: number, pod: PodClass): number;
  /**
   * Penalty by the node's kind, at least 0, for what moves between decisions (prices): one value per kind of node,
   * or null for none.
   */
  kindPenalties?(pod: PodClass): Float64Array | null;
  /** Further penalty of one node, at least 0, asked only where it could still win. */
  penalty?(node: number, pod: PodClass): number;
  /** Orders nodes of equal score: less is better. Depends on what is free on the node alone. */
  tie?(node: number): number;
  /** Free part of the device that a share takes on the chosen node, one of the values that fit. */
  device(node: number, pod: PodClass): number;
  /** Told of every placement, after it. */
  placed?(node: number, pod: PodClass): void;
  /** Told before every decision. */
  arrived?(pod: PodClass): void;
}
