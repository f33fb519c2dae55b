import type { Client } from "../clients.ts";
import type { Rng } from "../random.ts";
import { check } from "../violation.ts";
import type { Answer, World } from "../world.ts";
import { checkUnchanged, documentOf, isExcused, pickKnown } from "./intents.ts";

/** Nothing of another tenant stands in an answer: no id of its intents. */
export function checkForeign({ books }: World, tenant: string, text: string): void {
  for (const [id] of text.matchAll(/int-[0-9a-z]{26}/g)) {
    const owner = books.intents.get(id)?.tenant;
    check(owner === undefined || owner === tenant, "tenant", () => `${tenant} was shown ${id} of ${owner}`);
  }
}

interface Page {
  readonly intents: readonly { readonly intent_id: string }[];
  readonly next_cursor: string | null;
}

/** Lists the tenant's intents from the newest on: falling ids, none twice, none of others. */
export function list(world: World, rng: Rng): void {
  const client = rng.pick(world.clients.list);
  const { name } = client.tenant;
  const turn = (cursor: string | null, last: string, pages: number): void => {
    const path = `/intents?limit=10${cursor === null ? "" : `&cursor=${cursor}`}`;
    world.request(client.token, "GET", path, {}, (answer) => {
      if (isExcused(world, answer, client)) return;
      check(answer.status === 200, "answer", () => `a list of ${name}: ${answer.text}`);
      checkForeign(world, name, answer.text);
      const page = answer.body() as unknown as Page;
      let before = last;
      for (const { intent_id } of page.intents) {
        check(before === "" || intent_id < before, "answer", () => `${intent_id} is listed after ${before}`);
        before = intent_id;
      }
      if (page.next_cursor !== null && pages > 1) turn(page.next_cursor, before, pages - 1);
    });
  };
  turn(null, "", rng.between(1, 3));
}

const same = (answer: Answer): string => {
  const { request_id: _request, instance: _instance, ...rest } = answer.body();
  return JSON.stringify([answer.status, rest]);
};

/** A tenant asks for what is another's: the answer is the one for what never existed. */
export function pry(world: World, rng: Rng): void {
  const submission = pickKnown(world, rng);
  if (submission === null) return;
  const others = world.clients.list.filter(({ tenant }) => tenant.name !== submission.tenant);
  const client = rng.pick(others);
  const [method, tail, body] = rng.pick([
    ["GET", "", undefined],
    ["DELETE", "", undefined],
    ["PATCH", "", JSON.stringify({ intent: { priority: 1 } })],
    ["GET", "/events", undefined],
    ["GET", "/decisions", undefined],
  ] as const);
  const ask = (id: string | null, then: (answer: Answer) => void): void => {
    const options = body === undefined ? {} : { body };
    world.request(client.token, method, `/intents/${id}${tail}`, options, (answer) => {
      checkUnchanged(world, answer);
      if (!isExcused(world, answer, client)) then(answer);
    });
  };
  ask(submission.id, (answer) => {
    checkForeign(world, client.tenant.name, answer.text.replaceAll(String(submission.id), ""));
    check(
      answer.status === 404,
      "tenant",
      () => `${client.tenant.name} may ${method} ${submission.id}: ${answer.text}`,
    );
    ask("int-00000000000000000000000000", (never) =>
      check(
        same(never) === same(answer),
        "tenant",
        () => `another's is told apart from nothing: ${answer.text}`,
      ),
    );
  });
}

interface EventPage {
  readonly events: readonly { readonly seq: number; readonly subject: string }[];
}

/** A page of events: all of the tenant's from there on, and no other's. */
export function page(world: World, rng: Rng): void {
  const client = rng.pick(world.clients.list);
  const { name } = client.tenant;
  const { books } = world;
  const after = rng.int(books.events.length + 1);
  const headers = { accept: "application/json" };
  world.request(client.token, "GET", `/events?after=${after}&limit=20`, { headers }, (answer) => {
    if (isExcused(world, answer, client)) return;
    check(answer.status === 200, "answer", () => `events of ${name}: ${answer.text}`);
    books.look();
    const { events } = answer.body() as unknown as EventPage;
    const expected = books.events
      .filter(({ seq, tenant_id }) => seq > after && tenant_id === name)
      .slice(0, 20);
    for (const [index, { seq }] of events.entries()) {
      const isOwn = books.events[seq - 1]?.tenant_id === name;
      check(isOwn, "tenant", () => `${name} was shown event ${seq} of ${books.events[seq - 1]?.tenant_id}`);
      check(
        expected[index]?.seq === seq,
        "event-log",
        () => `${name} was shown ${seq} for ${expected[index]?.seq}`,
      );
    }
  });
}

/** A decision that nobody acts on. */
export function dryRun(world: World, rng: Rng, step: number): void {
  const client: Client = rng.pick(world.clients.list);
  const body = JSON.stringify(documentOf(`d-${step}`, rng.pick(world.swarm.shapes)));
  world.request(client.token, "POST", "/intents?dry_run=true", { body }, (answer) => {
    checkUnchanged(world, answer);
    checkForeign(world, client.tenant.name, answer.text);
    if (isExcused(world, answer, client)) return;
    check([200, 402, 409, 429].includes(answer.status), "answer", () => `a dry run: ${answer.text}`);
    world.books.look();
    const id = answer.headers.get("x-request-id") ?? "";
    check(!world.books.acted.has(id), "rejected-changed", () => `the dry run ${id} changed something`);
  });
}
