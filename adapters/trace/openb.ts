import { CsvError, parse } from "csv-parse/sync";
import { EngineError, type InputProblem } from "../../engine/model/errors.ts";
import { DEVICE_MILLI, type PackNode, type PackPod } from "../../engine/pack/model.ts";

/** Largest CPU and memory figure: what 32-bit columns hold. */
const MOST = 2 ** 31 - 1;
/** Devices of one node at most. */
const MOST_GPUS = 256;

const nodeColumns = ["sn", "cpu_milli", "memory_mib", "gpu", "model"] as const;
const podColumns = ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"] as const;

/** One row that is no node or pod, and why. */
class BrokenRow extends Error {}

/** A whole number in the range, from one cell. @throws {BrokenRow} naming the column */
function whole(text: string, column: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const found = text === "" ? "nothing" : JSON.stringify(text);
  throw new BrokenRow(`${column}: found ${found}; accepted: a whole number from ${least} to ${most}`);
}

function nameIn(text: string, column: string): string {
  if (text === "") throw new BrokenRow(`${column}: found nothing; accepted: a name`);
  return text;
}

/** A node from its cells, in the order `sn, cpu_milli, memory_mib, gpu, model`. */
function nodeOf(cells: readonly string[]): PackNode {
  const [sn = "", cpu = "", memory = "", gpu = "", model = ""] = cells;
  return {
    name: nameIn(sn, "sn"),
    cpuMilli: whole(cpu, "cpu_milli", 0, MOST),
    memoryMib: whole(memory, "memory_mib", 0, MOST),
    gpus: whole(gpu, "gpu", 0, MOST_GPUS),
    model,
  };
}

/** A pod from its cells, in the order `name, cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec`. */
function podOf(cells: readonly string[]): PackPod {
  const [name = "", cpu = "", memory = "", count = "", milli = "", spec = ""] = cells;
  const gpus = whole(count, "num_gpu", 0, MOST_GPUS);
  const pod = {
    name: nameIn(name, "name"),
    cpuMilli: whole(cpu, "cpu_milli", 0, MOST),
    memoryMib: whole(memory, "memory_mib", 0, MOST),
    gpus,
  };
  if (gpus === 0) {
    if (milli !== "") whole(milli, "gpu_milli", 0, DEVICE_MILLI);
    return { ...pod, gpuMilli: 0, spec: "" };
  }
  if (gpus > 1 && milli !== `${DEVICE_MILLI}`)
    throw new BrokenRow(
      `gpu_milli: found ${JSON.stringify(milli)}; accepted: ${DEVICE_MILLI} where num_gpu is above 1`,
    );
  return { ...pod, gpuMilli: whole(milli, "gpu_milli", 1, DEVICE_MILLI), spec };
}

/** A record of the CSV with the line it ends on. */
interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function recordsOf(text: string): CsvRecord[] {
  try {
    return parse(text, {
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as CsvRecord[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = String(error["lines"] ?? "?");
    throw new EngineError("invalid_format", `line ${line}: ${error.message}; accepted: CSV with a header`);
  }
}

/** Rows of a table by the columns wanted, wherever they stand; further columns are ignored. */
function readTable<Row>(
  text: string,
  columns: readonly string[],
  optional: readonly string[],
  read: (cells: readonly string[]) => Row,
): { readonly row: Row; readonly line: number }[] {
  const [header, ...body] = recordsOf(text);
  const names = header?.record ?? [];
  const missing = columns.filter((column) => !names.includes(column) && !optional.includes(column));
  if (missing.length > 0)
    throw new EngineError(
      "missing_field",
      `line 1: no column ${missing.join(", ")}; accepted: a header with ${columns.join(",")}`,
    );
  const places = columns.map((column) => names.indexOf(column));
  const problems: InputProblem[] = [];
  const rows: { readonly row: Row; readonly line: number }[] = [];
  for (const { record, info } of body) {
    const line = info.lines;
    try {
      if (record.length !== names.length)
        throw new BrokenRow(`${record.length} cells; accepted: ${names.length}, one per column`);
      rows.push({ row: read(places.map((place) => record[place] ?? "")), line });
    } catch (error) {
      if (!(error instanceof BrokenRow)) throw error;
      problems.push({ path: `line ${line}`, code: "invalid_format", message: error.message });
    }
  }
  if (problems.length > 0)
    throw new EngineError("invalid_format", `${problems.length} malformed rows`, problems);
  return rows;
}

/**
 * Nodes of a packing trace: CSV with the columns `sn,cpu_milli,memory_mib,gpu,model`, in file order.
 *
 * @throws {EngineError} naming every malformed row by its line, and every name that occurs twice
 */
export function readPackNodes(text: string): PackNode[] {
  const rows = readTable(text, nodeColumns, [], nodeOf);
  const lines = new Map<string, number>();
  const problems: InputProblem[] = [];
  for (const { row, line } of rows) {
    const before = lines.get(row.name);
    if (before === undefined) lines.set(row.name, line);
    else
      problems.push({
        path: `line ${line}`,
        code: "duplicate_id",
        message: `sn: ${row.name} is also on line ${before}; accepted: unique names`,
      });
  }
  if (problems.length > 0) throw new EngineError("duplicate_id", "names occur twice", problems);
  return rows.map(({ row }) => row);
}

/**
 * Pods of a packing trace: CSV with the columns `name,cpu_milli,memory_mib,num_gpu,gpu_milli` and optionally
 * `gpu_spec` (models joined by `|`), in file order. Further columns are ignored; names may repeat.
 *
 * @throws {EngineError} naming every malformed row by its line
 */
export const readPackPods = (text: string): PackPod[] =>
  readTable(text, podColumns, ["gpu_spec"], podOf).map(({ row }) => row);

/** One line of the line protocol: a node, a pod, or one of its words. */
export type PackLine =
  | { readonly kind: "node"; readonly node: PackNode }
  | { readonly kind: "pod"; readonly pod: PackPod }
  | { readonly kind: "ready" }
  | { readonly kind: "go" };

const lineForms = {
  node: "node,SN,CPU,MEM,NGPU,MODEL",
  pod: "pod,NAME,CPU,MEM,NUM,MILLI,SPEC",
} as const;

/**
 * Reads a line of the line protocol: `node,SN,CPU,MEM,NGPU,MODEL`, `pod,NAME,CPU,MEM,NUM,MILLI,SPEC`, `ready` or `go`.
 * Null for an empty line. The last cell, where it is empty, may be left out with its comma.
 *
 * @throws {EngineError} `invalid_format` saying what was found and what is accepted
 */
export function readPackLine(text: string): PackLine | null {
  const line = text.trim();
  if (line === "") return null;
  if (line === "ready" || line === "go") return { kind: line };
  const [kind, ...cells] = line.split(",").map((cell) => cell.trim());
  if (kind !== "node" && kind !== "pod")
    throw new EngineError(
      "invalid_format",
      `found ${JSON.stringify(line)}; accepted: ${lineForms.node}, ready, ${lineForms.pod} or go`,
    );
  const wanted = kind === "node" ? nodeColumns.length : podColumns.length;
  try {
    if (cells.length !== wanted && cells.length !== wanted - 1)
      throw new BrokenRow(`${cells.length} cells after ${kind}; accepted: ${lineForms[kind]}`);
    return kind === "node" ? { kind, node: nodeOf(cells) } : { kind, pod: podOf(cells) };
  } catch (error) {
    if (!(error instanceof BrokenRow)) throw error;
    throw new EngineError("invalid_format", error.message);
  }
}
