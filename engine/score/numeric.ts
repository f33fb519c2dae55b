/**
 * Elementary functions that give the same bits on every JavaScript engine: `Math.log` and its siblings may differ
 * in the last place between engines, and a plan must not. Only additions, multiplications, divisions and square
 * roots are used, which IEEE 754 fixes. Relative error is below 1e-15 on the ranges we use.
 */

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const bits = new DataView(new ArrayBuffer(8));
const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);
/** Which of the two words holds sign and exponent on this machine. */
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;
const T3 = 1 / 3;
const T5 = 1 / 5;
const T7 = 1 / 7;
const T9 = 1 / 9;
const T11 = 1 / 11;
const T13 = 1 / 13;
const T15 = 1 / 15;
const T17 = 1 / 17;
const T19 = 1 / 19;
const T21 = 1 / 21;
const T23 = 1 / 23;
const T25 = 1 / 25;

/** Natural logarithm of a positive finite number; 0 gives -Infinity, negative or NaN gives NaN. */
export function ln(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Number.NaN;
  if (x === Infinity) return Infinity;
  let exponent = 0;
  // 2^54 lifts subnormals into the normal range.
  number[0] = x < 2.2250738585072014e-308 ? x * 18014398509481984 : x;
  if (x < 2.2250738585072014e-308) exponent = -54;
  const high = words[HIGH]!;
  exponent += (high >>> 20) - 1023;
  words[HIGH] = (high & 0xfffff) | 0x3ff00000;
  let mantissa = number[0]!;
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const q = s * s;
  // 2 artanh(s) = 2 (s + s^3/3 + s^5/5 + ...); |s| < 0.172, so twelve terms reach the last bit.
  const sum =
    q *
    (T3 +
      q *
        (T5 +
          q *
            (T7 +
              q *
                (T9 +
                  q *
                    (T11 +
                      q * (T13 + q * (T15 + q * (T17 + q * (T19 + q * (T21 + q * (T23 + q * T25)))))))))));
  return exponent * LN2_HIGH + (2 * s + (2 * s * sum + exponent * LN2_LOW));
}

/** e^x. Overflows to Infinity above 709.78, underflows to 0 below -745. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x > 709.782712893384) return Infinity;
  if (x < -745.2) return 0;
  const steps = Math.round(x / Math.LN2);
  const rest = x - steps * LN2_HIGH - steps * LN2_LOW;
  let sum = 1;
  for (let term = 18; term >= 1; term--) sum = 1 + (sum * rest) / term;
  return scaleByPowerOfTwo(sum, steps);
}

function scaleByPowerOfTwo(value: number, power: number): number {
  let scaled = value;
  let left = power;
  while (left > 1000) {
    scaled *= 1.0715086071862673e301; // 2^1000
    left -= 1000;
  }
  while (left < -1000) {
    scaled /= 1.0715086071862673e301;
    left += 1000;
  }
  bits.setUint32(0, (left + 1023) << 20);
  bits.setUint32(4, 0);
  return scaled * bits.getFloat64(0);
}

/** Sine and cosine of an angle in degrees within -360..360. */
export function sinCosDegrees(degrees: number): { readonly sin: number; readonly cos: number } {
  const quarter = Math.round(degrees / 90);
  const angle = (degrees - quarter * 90) * 0.017453292519943295;
  const square = angle * angle;
  let sin = 0;
  let cos = 0;
  for (let term = 10; term >= 1; term--) {
    sin = (-square / (2 * term * (2 * term + 1))) * (1 + sin);
    cos = (-square / (2 * term * (2 * term - 1))) * (1 + cos);
  }
  sin = angle * (1 + sin);
  cos = 1 + cos;
  switch (((quarter % 4) + 4) % 4) {
    case 1:
      return { sin: cos, cos: -sin };
    case 2:
      return { sin: -sin, cos: -cos };
    case 3:
      return { sin: -cos, cos: sin };
    default:
      return { sin, cos };
  }
}

/** Arc tangent of 0..Infinity, radians. */
function atan(x: number): number {
  if (x > 1) return 1.5707963267948966 - atan(1 / x);
  const half = x / (1 + Math.sqrt(1 + x * x));
  const quarter = half / (1 + Math.sqrt(1 + half * half));
  const square = quarter * quarter;
  let sum = 0;
  for (let power = 27; power >= 1; power -= 2) sum = 1 / power - square * sum;
  return 4 * quarter * sum;
}

/** Arc sine of 0..1, radians; values above 1 by rounding count as 1. */
export function asin(x: number): number {
  if (x >= 1) return 1.5707963267948966;
  return 2 * atan(x / (1 + Math.sqrt(1 - x * x)));
}
