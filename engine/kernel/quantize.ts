/**
 * Scores in 16-bit integers. A score column is held as `offset + step * q` with q in -32767 .. 32767, a weighted sum of
 * columns as an integer sum of `weight * q`: exact, in no order, and twice as many columns per cache line as f32. It only
 * chooses which rows to look at closer; the margin below covers all its rounding, so no row that belongs to the best is
 * ever left out.
 */
export interface Scale {
  readonly offset: number;
  readonly step: number;
}

const LARGEST = 32767;

/** Scale for finite values; a little wider than they are, so that updates seldom need a new one. */
export function scaleOf(values: Float32Array, rows: number): Scale {
  let low = Infinity;
  let high = -Infinity;
  for (let row = 0; row < rows; row++) {
    const value = values[row]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low <= high)) return { offset: 0, step: 0 };
  return { offset: low / 2 + high / 2, step: (high / 2 - low / 2) * (1.0625 / LARGEST) };
}

export function quantize({ offset, step }: Scale, value: number): number {
  return step === 0 ? 0 : Math.round((value - offset) / step);
}

/** False when a value needs a new scale. */
export function isWithin(scale: Scale, value: number): boolean {
  return scale.step === 0 ? value === scale.offset : Math.abs(quantize(scale, value)) <= LARGEST;
}

/** A weighted sum in integers. */
export interface IntegerTerms {
  /** Per term, -32767 .. 32767; their magnitudes add up to at most 32767, so that no sum leaves 32 bits. */
  readonly weights: readonly number[];
  /** Rows within this of another in integers may be within the wanted margin of it in truth. */
  readonly margin: number;
}

/**
 * @param terms weight and scale of each column, in any order
 * @param margin in units of the true score, 0 or more
 */
export function integerTerms(
  terms: readonly { readonly weight: number; readonly scale: Scale }[],
  margin: number,
): IntegerTerms {
  const shares = terms.map(({ weight, scale }) => weight * scale.step);
  const total = shares.reduce((sum, share) => sum + Math.abs(share), 0);
  if (!(total > 0)) return { weights: terms.map(() => 0), margin: 0 };
  const unit = (LARGEST - terms.length) / total;
  const weights = shares.map((share) => Math.round(share * unit));
  // each weight is off by half a unit times q at most, each value by half a step; twice, since two rows are compared
  const rounding = (terms.length + 1) * LARGEST + 1;
  return { weights, margin: Math.min(0x7fffffff, Math.ceil(margin * unit + rounding)) };
}
