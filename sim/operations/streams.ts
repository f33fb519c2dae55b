import type { Stream } from "../clients.ts";
import type { Rng } from "../random.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";
import { isExcused, pickKnown } from "./intents.ts";
import { checkForeign } from "./lists.ts";

/** Streams that are read at the same time. */
const MOST_STREAMS = 6;

const decoder = new TextDecoder();

/** Events that a stream has to tell, in order: all of its tenant or intent after its start. */
function expected({ books }: World, { tenant, subject, after }: Stream): number[] {
  return books.events
    .filter(
      ({ seq, tenant_id, subject_id }) =>
        seq > after && tenant_id === tenant && (subject === null || subject_id === subject),
    )
    .map(({ seq }) => seq);
}

function take(world: World, stream: Stream, chunk: Uint8Array): void {
  const frames = (stream.rest + decoder.decode(chunk)).split("\n\n");
  stream.rest = frames.pop() ?? "";
  world.books.look();
  for (const frame of frames) {
    const id = /^id: (\d+)$/m.exec(frame)?.[1];
    if (id === undefined) continue;
    checkForeign(world, stream.tenant, frame);
    stream.seqs.push(Number(id));
  }
  const wanted = expected(world, stream);
  for (const [index, seq] of stream.seqs.entries())
    check(
      seq === wanted[index],
      "event-log",
      () => `a stream of ${stream.tenant} told ${seq} for ${wanted[index]}`,
    );
}

/** Reads on: one portion, when it comes. */
function pull(world: World, stream: Stream): void {
  if (stream.isReading || stream.isOver) return;
  stream.isReading = true;
  stream.reader
    .read()
    .then(({ done, value }) => {
      stream.isReading = false;
      if (done) stream.isOver = true;
      else if (value !== undefined) world.later(() => take(world, stream, value));
    })
    .catch(world.trace.fail);
}

/** Opens a stream: from now on, from an event on, or where one that broke off ended. */
export function openStream(world: World, rng: Rng): void {
  const { clients, books } = world;
  if (clients.streams.filter(({ isOver }) => !isOver).length >= MOST_STREAMS) {
    readStream(world, rng);
    return;
  }
  const client = rng.pick(clients.list);
  const tenant = client.tenant.name;
  const own = clients.tokens.filter((token) => token.tenant === tenant && token.revokedMs === null);
  const token = own.length > 0 && rng.chance(0.5) ? rng.pick(own).text : client.token;
  const broken = clients.streams.findLast((stream) => stream.isOver && stream.tenant === tenant);
  const known = rng.chance(0.3) ? pickKnown(world, rng) : null;
  const subject = known !== null && known.tenant === tenant ? known.id : null;
  const resumed = subject === null && broken?.subject === null ? (broken.seqs.at(-1) ?? broken.after) : null;
  const after = subject !== null ? 0 : (resumed ?? rng.int(books.events.length + 1));
  const headers = { "last-event-id": String(after) };
  const path = subject === null ? "/events" : `/intents/${subject}/events`;
  world.request(token, "GET", path, { headers, isStream: true }, (answer) => {
    if (isExcused(world, answer, token === client.token ? client : null)) return;
    check(answer.status === 200, "answer", () => `a stream of ${tenant}: ${answer.text}`);
    const body = answer.response.body;
    check(body !== null, "answer", () => `a stream of ${tenant} has no body`);
    const stream: Stream = {
      process: answer.from,
      tenant,
      token,
      subject,
      after,
      seqs: [],
      reader: body.getReader(),
      isReading: false,
      isOver: false,
      rest: "",
    };
    clients.streams.push(stream);
    pull(world, stream);
  });
}

/** Readers read on, or go away. */
export function readStream(world: World, rng: Rng): void {
  const open = world.clients.streams.filter(({ isOver }) => !isOver);
  if (open.length === 0) return;
  const stream = rng.pick(open);
  if (rng.chance(0.1)) {
    stream.isOver = true;
    stream.reader.cancel().catch(world.trace.fail);
  } else pull(world, stream);
}

/** Every open stream has told everything, once nothing happens any more. */
export function checkStreams(world: World, pass: () => Promise<void>): Promise<void> {
  const open = world.clients.streams.filter(({ isOver }) => !isOver);
  const turn = async (left: number): Promise<void> => {
    for (const stream of open) pull(world, stream);
    await pass();
    const behind = open.filter(
      (stream) => !stream.isOver && stream.seqs.length < expected(world, stream).length,
    );
    if (behind.length === 0) return;
    const [stream] = behind;
    check(
      left > 0,
      "liveness",
      () => `a stream of ${stream?.tenant} after ${stream?.after} stopped at ${stream?.seqs.at(-1)}`,
    );
    return turn(left - 1);
  };
  return turn(200);
}
