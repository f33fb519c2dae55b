import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { type PackLine, readPackLine, readPackNodes, readPackPods } from "../adapters/trace/openb.ts";
import { createRandom } from "../engine/assign/random.ts";
import { createHighsSolver } from "../engine/milp/highs.ts";
import { EngineError } from "../engine/model/errors.ts";
import type { PackNode, PackPod } from "../engine/pack/model.ts";
import { createPackSession, needsMix, type PackSession, type PolicyName } from "../engine/pack/session.ts";
import { exitCodes, InputError } from "./exit.ts";
import { unreadable } from "./input.ts";
import { writeOutput } from "./output.ts";

/** Flags of `flare pack`. */
export interface PackFlags {
  readonly policy: PolicyName;
  readonly seed: number;
  readonly trace?: string;
  readonly nodes?: string;
  readonly pods?: string;
  readonly out?: string;
  readonly online?: boolean;
}

/** The value of `--seed`. @throws {InputError} when it is no whole number from 0 to 2^32 - 1 */
export function readSeed(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seed < 2 ** 32))
    throw new InputError([`--seed: found ${JSON.stringify(text)}; accepted: a whole number below 2^32`]);
  return seed;
}

/** Reads a CSV file; every problem becomes a line that names the file and the row. */
function readTable<Row>(name: string, read: (text: string) => Row[]): Row[] {
  let text: string;
  try {
    text = readFileSync(name, "utf8");
  } catch (error) {
    throw unreadable(name, error);
  }
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new InputError(
      error.problems.map(({ path, message }) => `${name}: ${path === "" ? "" : `${path}: `}${message}`),
    );
  }
}

/** Session over the nodes; the solver is loaded for the one policy that needs it. */
async function openSession(nodes: readonly PackNode[], flags: PackFlags): Promise<PackSession> {
  if (needsMix(flags.policy) && flags.trace === undefined)
    throw new InputError([
      `--policy ${flags.policy} scores by the distribution of pods; give one with --trace FILE.csv`,
    ]);
  const expected = flags.trace === undefined ? [] : readTable(flags.trace, readPackPods);
  if (needsMix(flags.policy) && expected.length === 0)
    throw new InputError([`${flags.trace}: no pods; --policy ${flags.policy} needs their distribution`]);
  return createPackSession({
    nodes,
    expected,
    policy: flags.policy,
    draw: createRandom(flags.seed).next,
    ...(flags.policy === "flare" ? { solver: await createHighsSolver() } : {}),
  });
}

/** Places one pod: `NAME,NODE,GPUS`, node and GPUs empty where nothing fits. */
async function placeLine(session: PackSession, pod: PackPod): Promise<string> {
  const spot = session.place(pod);
  if (session.hasDrifted()) await session.adapt();
  return spot === null
    ? `${pod.name},,`
    : `${pod.name},${session.cluster.nodes[spot.node]!.name},${spot.devices.join("-")}`;
}

function unknownNote(session: PackSession): string {
  const count = session.unknownModels();
  return count === 0
    ? ""
    : `${count} pod${count === 1 ? " asks" : "s ask"} only for models that no node has\n`;
}

const percent = (part: number, all: number): string =>
  all === 0 ? "-" : `${((100 * part) / all).toFixed(2)} %`;

/** `flare pack`: places the pods of a file in their order, without knowledge of the later ones. */
async function packFile(flags: PackFlags): Promise<number> {
  const { nodes: nodesFile, pods: podsFile } = flags;
  if (nodesFile === undefined || podsFile === undefined)
    throw new InputError(["flare pack needs --nodes FILE.csv and --pods FILE.csv, or --online"]);
  const pods = readTable(podsFile, readPackPods);
  const session = await openSession(readTable(nodesFile, readPackNodes), flags);
  const lines = ["pod,node,gpus"];
  let declined = 0;
  for (const pod of pods) {
    const line = await placeLine(session, pod);
    if (line === `${pod.name},,`) declined += 1;
    lines.push(line);
  }
  const text = `${lines.join("\n")}\n`;
  if (flags.out === undefined) process.stdout.write(text);
  else writeOutput(flags.out, text);
  const { cluster } = session;
  process.stderr.write(
    `${pods.length - declined} of ${pods.length} pods placed, ` +
      `${percent(cluster.usedMilli(), cluster.capacityMilli)} of the GPUs allocated\n${unknownNote(session)}`,
  );
  return exitCodes.ok;
}

/** Waits until standard output has taken the text, so that a batch's answer is out before the next is read. */
const write = (text: string): Promise<void> =>
  new Promise((resolve) => void process.stdout.write(text, () => resolve()));

const readLine = (text: string, number: number): PackLine | null => {
  try {
    return readPackLine(text);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new InputError([`standard input: line ${number}: ${error.message}`]);
  }
};

/**
 * The line protocol: nodes, `ready` (answered `ok`), then batches of pods, each ended by `go` and answered by one line per
 * pod and `done`. Ends with the input.
 *
 * @param open makes the session once all nodes are known
 * @param write takes an answer; the next line is read when it is out
 * @throws {InputError} naming the line that is malformed or out of place
 */
export async function speak(
  lines: AsyncIterable<string> | Iterable<string>,
  open: (nodes: readonly PackNode[]) => Promise<PackSession>,
  write: (text: string) => Promise<void>,
): Promise<PackSession | null> {
  const nodes = new Map<string, PackNode>();
  let session: PackSession | null = null;
  let batch: PackPod[] = [];
  let number = 0;
  const refuse = (message: string): never => {
    throw new InputError([`standard input: line ${number}: ${message}`]);
  };
  for await (const text of lines) {
    number += 1;
    const line = readLine(text, number);
    if (line === null) continue;
    if (line.kind === "node") {
      if (session !== null) refuse("found a node after ready; accepted: pods and go");
      if (nodes.has(line.node.name)) refuse(`a second node named ${line.node.name}`);
      nodes.set(line.node.name, line.node);
    } else if (line.kind === "ready") {
      if (session !== null) refuse("found a second ready; accepted: pods and go");
      session = await open([...nodes.values()]);
      await write("ok\n");
    } else if (session === null) refuse(`found ${line.kind} before ready; accepted: nodes, then ready`);
    else if (line.kind === "pod") batch.push(line.pod);
    else {
      const answers: string[] = [];
      for (const pod of batch) answers.push(await placeLine(session, pod));
      batch = [];
      await write([...answers, "done"].map((answer) => `${answer}\n`).join(""));
    }
  }
  if (batch.length > 0)
    refuse(`${batch.length} pod${batch.length === 1 ? "" : "s"} without go at the end of input`);
  return session;
}

/** `flare pack --online`: the line protocol on standard input and output. */
async function packOnline(flags: PackFlags): Promise<number> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const session = await speak(lines, (nodes) => openSession(nodes, flags), write);
  if (session !== null) process.stderr.write(unknownNote(session));
  return exitCodes.ok;
}

/** `flare pack`: shares GPUs of nodes among pods, one by one. */
export const pack = (flags: PackFlags): Promise<number> =>
  flags.online === true ? packOnline(flags) : packFile(flags);
