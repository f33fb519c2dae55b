import { EngineError } from "../model/errors.ts";
import type { TableColumns } from "./query.ts";

/**
 * A table's columns as bytes, to be saved, mapped or sent elsewhere: little-endian, every block at a multiple of 64, so
 * that the arrays of an opened file are views of its bytes.
 *
 *    0 u32 magic "FLKT"   4 u32 version   8 u32 bytes in all   12 u32 rows   16 u32 bytes of the shapes
 *   20 u32 check sum of everything after the header
 *   64 shapes, JSON: {numeric: names, category: [name, size][], flags: names, scores: names, removed: count}
 *      f64[rows] per numeric column, i32[rows] per category, u8[rows] per flag, f32[rows] per score, u32[] removed rows
 *
 * Layouts in kernel memory are not part of it: they follow from the values, and a newer version may choose others.
 */
const MAGIC = 0x544b4c46;
const VERSION = 1;
const HEADER = 64;
const ALIGNMENT = 64;

interface Shapes {
  readonly numeric: readonly string[];
  readonly category: readonly (readonly [name: string, size: number])[];
  readonly flags: readonly string[];
  readonly scores: readonly string[];
  readonly removed: number;
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Order-dependent sum of 32-bit words: finds torn and truncated files, not malice. */
function checkSum(bytes: Uint8Array<ArrayBuffer>): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + HEADER, (bytes.length - HEADER) >> 2);
  let sum = 1;
  for (const word of words) sum = (Math.imul(sum, 0x01000193) ^ word) >>> 0;
  return sum;
}

/** Writes columns in the form above. */
export function writeTable(columns: TableColumns): Uint8Array<ArrayBuffer> {
  const { rows, numeric, category, flags, scores, removed = new Uint32Array() } = columns;
  const shapes: Shapes = {
    numeric: numeric.map(({ name }) => name),
    category: category.map(({ name, size }) => [name, size]),
    flags: flags.map(({ name }) => name),
    scores: scores.map(({ name }) => name),
    removed: removed.length,
  };
  const text = new TextEncoder().encode(JSON.stringify(shapes));
  const blocks = [
    ...numeric.map(({ values }) => values),
    ...category.map(({ codes }) => codes),
    ...flags.map(({ values }) => values),
    ...scores.map(({ values }) => values),
    removed,
  ];
  const size = blocks.reduce(
    (sum, { byteLength }) => sum + aligned(byteLength),
    HEADER + aligned(text.length),
  );
  const bytes = new Uint8Array(size);
  bytes.set(text, HEADER);
  let at = HEADER + aligned(text.length);
  for (const block of blocks) {
    bytes.set(new Uint8Array(block.buffer, block.byteOffset, block.byteLength), at);
    at += aligned(block.byteLength);
  }
  new Uint32Array(bytes.buffer, 0, 6).set([MAGIC, VERSION, size, rows, text.length, checkSum(bytes)]);
  return bytes;
}

function refuse(message: string): never {
  throw new EngineError("invalid_format", `saved table: ${message}`);
}

/**
 * Columns out of saved bytes, as views of them where they are aligned.
 *
 * @throws {EngineError} `invalid_format` when the bytes are not a whole table of this version
 */
export function readTable(given: Uint8Array): TableColumns {
  if (given.length < HEADER) refuse(`a header has ${HEADER} bytes, got ${given.length}`);
  const bytes =
    given.byteOffset % ALIGNMENT === 0 && given.buffer instanceof ArrayBuffer
      ? (given as Uint8Array<ArrayBuffer>)
      : new Uint8Array(given);
  const [magic, version, size, rows, textLength, sum] = new Uint32Array(
    bytes.buffer,
    bytes.byteOffset,
    6,
  ) as unknown as [number, number, number, number, number, number];
  if (magic !== MAGIC) refuse(`starts with ${magic.toString(16)}, expected ${MAGIC.toString(16)}`);
  if (version !== VERSION) refuse(`version ${version}, this engine reads ${VERSION}`);
  if (size !== bytes.length) refuse(`${size} bytes announced, ${bytes.length} found`);
  if (checkSum(bytes) !== sum) refuse("check sum does not match");
  const text = new TextDecoder().decode(bytes.subarray(HEADER, HEADER + textLength));
  const shapes = JSON.parse(text) as Shapes;
  let next = bytes.byteOffset + HEADER + aligned(textLength);
  const take = (length: number): number => {
    const at = next;
    next += aligned(length);
    return at;
  };
  const { buffer } = bytes;
  return {
    rows,
    numeric: shapes.numeric.map((name) => ({ name, values: new Float64Array(buffer, take(rows * 8), rows) })),
    category: shapes.category.map(([name, size]) => ({
      name,
      codes: new Int32Array(buffer, take(rows * 4), rows),
      size,
    })),
    flags: shapes.flags.map((name) => ({ name, values: new Uint8Array(buffer, take(rows), rows) })),
    scores: shapes.scores.map((name) => ({ name, values: new Float32Array(buffer, take(rows * 4), rows) })),
    removed: new Uint32Array(buffer, take(shapes.removed * 4), shapes.removed),
  };
}
