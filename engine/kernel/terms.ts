import type { Block, KernelMemory } from "./memory.ts";
import { integerTerms, type Scale } from "./quantize.ts";
import type { Query } from "./query.ts";
import { LANES } from "./score-panels.ts";

/** Bytes of a panel's address with its weights. */
export const PANEL_BYTES = 32;

interface TermsSource {
  readonly memory: KernelMemory;
  readonly panels: readonly Block[];
  scale(column: number): Scale;
}

/** Panels that a query's terms lie in. */
export function panelCount({ terms }: Query): number {
  return new Set(terms.map(({ column }) => Math.floor(column / LANES))).size;
}

/** Writes at an address the panels of a query's terms with their integer weights; returns the margin in the same unit. */
export function writeTerms(source: TermsSource, query: Query, address: number): number {
  const { weights, margin } = integerTerms(
    query.terms.map(({ column, weight }) => ({ weight, scale: source.scale(column) })),
    query.margin,
  );
  const byPanel = new Map<number, Int16Array>();
  query.terms.forEach(({ column }, index) => {
    const panel = Math.floor(column / LANES);
    const lanes = byPanel.get(panel) ?? new Int16Array(LANES);
    lanes[column % LANES]! += weights[index]!;
    byPanel.set(panel, lanes);
  });
  let at = address;
  for (const [panel, lanes] of byPanel) {
    source.memory.i32[at >> 2] = source.panels[panel]!.at;
    source.memory.i16.set(lanes, (at + 16) >> 1);
    at += PANEL_BYTES;
  }
  return margin;
}
