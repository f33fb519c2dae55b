/** Arrays keep room for further rows behind their end. */
const HEADROOM = 1.125;

/** Values per row. */
export type Column = Float64Array | Float32Array | Int32Array | Uint8Array;

/** The array with `length` elements, in place where its buffer has room. */
export function lengthened<T extends Column>(values: T, length: number): T {
  if (values.length >= length) return values;
  const make = values.constructor as unknown as {
    new (buffer: ArrayBufferLike, offset: number, length: number): T;
    new (length: number): T;
  };
  const end = values.byteOffset + length * values.BYTES_PER_ELEMENT;
  if (end <= values.buffer.byteLength) return new make(values.buffer, values.byteOffset, length);
  const larger = new make(Math.ceil(length * HEADROOM));
  larger.set(values as never);
  return new make(larger.buffer, 0, length);
}
