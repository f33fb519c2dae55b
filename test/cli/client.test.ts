import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { InputError } from "../../cli/exit.ts";
import { createClient } from "../../cli/server/client.ts";
import { watch } from "../../cli/server/intents.ts";

/** A server whose answers to one request after another are these; the last one to all that follow. */
async function serverOf(...answers: ((request: IncomingMessage, response: ServerResponse) => void)[]) {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(request.headers["last-event-id"] as string | undefined);
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return { asked, url, client: createClient(url, "token", undefined, 1) };
}

const frame = (id: number): string =>
  `id: ${id}\nevent: intent.queued\ndata: {"at":"2026-01-01T00:00:00Z","data":{}}\n\n`;
const stream =
  (...ids: number[]) =>
  (_: IncomingMessage, response: ServerResponse): void =>
    void response.writeHead(200, { "content-type": "text/event-stream" }).end(ids.map(frame).join(""));
const cutOff = (_: IncomingMessage, response: ServerResponse): void => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(frame(2), () => response.destroy());
};
const gone = (request: IncomingMessage): void => void request.socket.destroy();
const unavailable = (_: IncomingMessage, response: ServerResponse): void =>
  void response.writeHead(503).end("no upstream");

test("a stream that a restart ends goes on where it was", async () => {
  const { asked, client } = await serverOf(stream(1), cutOff, gone, unavailable, stream(3));
  const ids: string[] = [];
  for await (const { id } of client.events("/events")) {
    ids.push(id);
    if (id === "3") break;
  }
  expect(ids).toEqual(["1", "2", "3"]);
  expect(asked).toEqual([undefined, "1", "2", "2", "2"]);
});

test("a stream that never brings anything is given up, and a server that is not there is told at once", async () => {
  const read = async (client: ReturnType<typeof createClient>): Promise<unknown> => {
    for await (const event of client.events("/events")) return event;
    return null;
  };
  const silent = await serverOf(stream());
  await expect(read(silent.client)).rejects.toThrow("the stream ended 10 times in a row");
  expect(silent.asked).toHaveLength(10);
  const absent = await serverOf(gone);
  await expect(read(absent.client)).rejects.toThrow(InputError);
  expect(absent.asked).toHaveLength(1);
});

test("an intent that ran before and waits again is watched until it runs again", async () => {
  const phases = ["queued", "running", "preempted", "waiting", "running"];
  const history = phases.map(
    (phase, index) =>
      `id: ${index + 1}\nevent: intent.${phase}\ndata: {"at":"2026-01-01T00:00:00Z","data":{"phase":"${phase}"}}\n\n`,
  );
  const now = (phase: string) => (_: IncomingMessage, response: ServerResponse) =>
    void response.end(JSON.stringify({ phase }));
  const all = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(history.join(""));
  };
  const { asked, url } = await serverOf(all, now("waiting"), now("running"));
  vi.stubEnv("FLARE_TOKEN", "token");
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  onTestFinished(() => {
    write.mockRestore();
    vi.unstubAllEnvs();
  });
  expect(await watch("int-00000000000000000000000000", { server: url })).toBe(0);
  expect(lines.map((text) => text.split(/\s+/)[1])).toEqual(phases);
  expect(asked).toHaveLength(3);
});
