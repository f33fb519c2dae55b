import { EngineError } from "../model/errors.ts";
import type { TableColumns } from "./query.ts";

/**
 * A table's columns as bytes, to be saved, mapped or sent elsewhere: little-endian, every block at a multiple of 64, so
 * that the arrays of an opened file are views of its bytes.
 *
 *    0 u32 magic "FLKT"   4 u32 version   8 u32 bytes in all   12 u32 rows   16 u32 bytes of the shapes
 *   20 u32 check sum of everything after the header   24 u32 bytes of the attachment
 *   64 shapes, JSON: {numeric: names, category: [name, size][], flags: names, scores: names, removed: count}
 *      f64[rows] per numeric column, i32[rows] per category, u8[rows] per flag, f32[rows] per score, u32[] removed rows
 *      the attachment: UTF-8 text, which means nothing to the table
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

/** True where bytes begin as a saved table does, of whatever version. */
export function isSavedTable(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) === MAGIC;
}

/**
 * Writes columns in the form above.
 *
 * @throws {EngineError} `out_of_range` when they take 4 GiB or more
 */
export function writeTable(columns: TableColumns, attachment = ""): Uint8Array<ArrayBuffer> {
  const { rows, numeric, category, flags, scores, removed = new Uint32Array() } = columns;
  const shapes: Shapes = {
    numeric: numeric.map(({ name }) => name),
    category: category.map(({ name, size }) => [name, size]),
    flags: flags.map(({ name }) => name),
    scores: scores.map(({ name }) => name),
    removed: removed.length,
  };
  const encoder = new TextEncoder();
  const text = encoder.encode(JSON.stringify(shapes));
  const attached = encoder.encode(attachment);
  const blocks = [
    ...numeric.map(({ values }) => values),
    ...category.map(({ codes }) => codes),
    ...flags.map(({ values }) => values),
    ...scores.map(({ values }) => values),
    removed,
    attached,
  ];
  const size = blocks.reduce(
    (sum, { byteLength }) => sum + aligned(byteLength),
    HEADER + aligned(text.length),
  );
  if (size > 0xffffffff)
    throw new EngineError("out_of_range", `a saved table has less than 4 GiB, not ${size} bytes`);
  const bytes = new Uint8Array(size);
  bytes.set(text, HEADER);
  let at = HEADER + aligned(text.length);
  for (const block of blocks) {
    bytes.set(new Uint8Array(block.buffer, block.byteOffset, block.byteLength), at);
    at += aligned(block.byteLength);
  }
  const head = [MAGIC, VERSION, size, rows, text.length, checkSum(bytes), attached.length];
  new Uint32Array(bytes.buffer, 0, head.length).set(head);
  return bytes;
}

function refuse(message: string): never {
  throw new EngineError("invalid_format", `saved table: ${message}`);
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

/** The shapes, when they are such. */
function readShapes(text: string): Shapes {
  let shapes: Partial<Shapes> | null;
  try {
    shapes = JSON.parse(text) as Partial<Shapes> | null;
  } catch {
    return refuse("its shapes are not JSON");
  }
  const category = shapes?.category;
  const isWhole =
    [shapes?.numeric, shapes?.flags, shapes?.scores].every(isTexts) &&
    Array.isArray(category) &&
    category.every((pair) => Array.isArray(pair) && Number.isInteger(pair[1])) &&
    Number.isInteger(shapes?.removed);
  return isWhole ? (shapes as Shapes) : refuse("its shapes lack a part");
}

/** What a saved table holds. */
export interface SavedTable extends TableColumns {
  readonly attachment: string;
}

/** The bytes at an address where views of eight-byte numbers can begin. */
function alignedBytes(given: Uint8Array): Uint8Array<ArrayBuffer> {
  const isAligned = given.byteOffset % ALIGNMENT === 0 && given.buffer instanceof ArrayBuffer;
  return isAligned ? (given as Uint8Array<ArrayBuffer>) : new Uint8Array(given);
}

/**
 * Columns out of saved bytes, as views of them where they are aligned.
 *
 * @throws {EngineError} `invalid_format` when the bytes are not a whole table of this version
 */
export function readTable(given: Uint8Array): SavedTable {
  if (given.length < HEADER) refuse(`a header has ${HEADER} bytes, got ${given.length}`);
  const bytes = alignedBytes(given);
  const head = new Uint32Array(bytes.buffer, bytes.byteOffset, 7);
  const [magic = 0, version, size, rows = 0, shapesLength = 0, sum, attached = 0] = head;
  if (magic !== MAGIC) refuse(`starts with ${magic.toString(16)}, expected ${MAGIC.toString(16)}`);
  if (version !== VERSION) refuse(`version ${version}, this engine reads ${VERSION}`);
  if (size !== bytes.length) refuse(`${size} bytes announced, ${bytes.length} found`);
  if (checkSum(bytes) !== sum) refuse("check sum does not match");
  const text = (at: number, length: number): string =>
    new TextDecoder().decode(bytes.subarray(at - bytes.byteOffset, at - bytes.byteOffset + length));
  const shapes = readShapes(text(bytes.byteOffset + HEADER, shapesLength));
  const { numeric, category, flags, scores, removed } = shapes;
  let next = bytes.byteOffset + HEADER + aligned(shapesLength);
  const take = (length: number): number => {
    const at = next;
    next += aligned(length);
    if (next > bytes.byteOffset + bytes.length) refuse(`its columns take more than ${bytes.length} bytes`);
    return at;
  };
  const { buffer } = bytes;
  return {
    rows,
    numeric: numeric.map((name) => ({ name, values: new Float64Array(buffer, take(rows * 8), rows) })),
    category: category.map(([name, codes]) => ({
      name,
      codes: new Int32Array(buffer, take(rows * 4), rows),
      size: codes,
    })),
    flags: flags.map((name) => ({ name, values: new Uint8Array(buffer, take(rows), rows) })),
    scores: scores.map((name) => ({ name, values: new Float32Array(buffer, take(rows * 4), rows) })),
    removed: new Uint32Array(buffer, take(removed * 4), removed),
    attachment: text(take(attached), attached),
  };
}
