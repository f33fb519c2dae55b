import type { Client } from "../clients.ts";
import type { Rng } from "../random.ts";
import type { Hook } from "../receivers.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";
import { checkUnchanged, isExcused } from "./intents.ts";

const MOST_HOOKS = 4;

const ownerOf = ({ clients }: World, hook: Hook): Client | undefined =>
  clients.list.find(({ tenant }) => tenant.name === hook.tenant);

/** A new webhook for everything that happens. */
export function hook(world: World, rng: Rng, step: number): void {
  const { hooks } = world.receivers;
  if (hooks.filter(({ isDeleted }) => !isDeleted).length >= MOST_HOOKS) {
    useHook(world, rng);
    return;
  }
  const client = rng.pick(world.clients.list);
  const url = `https://hooks.example.org/${step}`;
  world.request(client.token, "POST", "/webhooks", { body: JSON.stringify({ url }) }, (answer) => {
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    check([201, 429].includes(answer.status), "answer", () => `a webhook: ${answer.text}`);
    if (answer.status !== 201) return;
    const { webhook_id: id, secret } = answer.body();
    const [row] = world.database.rows<{ position: number }>(
      "select position from webhooks where id = ?",
      String(id),
    );
    check(row !== undefined, "lost", () => `webhook ${id} was acknowledged and is not stored`);
    world.books.look();
    const after = world.books.events.length;
    const common = { tenant: client.tenant.name, id: String(id), url, secrets: [String(secret)], after };
    const state = {
      arrived: new Set<number>(),
      last: 0,
      isReplayed: false,
      isDeleted: false,
      isRotating: false,
    };
    hooks.push({ ...common, ...state });
  });
}

/** Its owner tries it out, changes its secret, asks for old events, or deletes it. */
export function useHook(world: World, rng: Rng): void {
  const open = world.receivers.hooks.filter(({ isDeleted }) => !isDeleted);
  if (open.length === 0) return;
  const one = rng.pick(open);
  const client = ownerOf(world, one);
  if (client === undefined) return;
  const kind = rng.pick(["test", "test", one.isRotating ? "test" : "rotate", "replay", "delete"] as const);
  // from here on, not from the answer on: an answer can be lost
  if (kind === "replay") one.isReplayed = true;
  if (kind === "delete") one.isDeleted = true;
  if (kind === "rotate") one.isRotating = true;
  const bodies = {
    test: undefined,
    rotate: "{}",
    replay: JSON.stringify({ events: [rng.between(1, world.books.events.length + 1)] }),
    delete: undefined,
  };
  const body = bodies[kind];
  const path = kind === "delete" ? `/webhooks/${one.id}` : `/webhooks/${one.id}/${kind}`;
  const options = body === undefined ? {} : { body };
  world.request(client.token, kind === "delete" ? "DELETE" : "POST", path, options, (answer) => {
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    const isRight = [200, 202, 429].includes(answer.status) || (one.isDeleted && answer.status === 404);
    check(isRight, "answer", () => `${kind} of ${one.id}: ${answer.text}`);
    if (kind !== "rotate" || answer.status !== 200) return;
    one.secrets.push(String(answer.body()["secret"]));
    one.isRotating = false;
  });
}

/** Without faults each receiver is asked to be tried again, and then has everything that was promised to it. */
export async function checkHooks(world: World, pass: (ms: number) => Promise<void>): Promise<void> {
  const open = world.receivers.hooks.filter(({ isDeleted }) => !isDeleted);
  for (const one of open) {
    const client = ownerOf(world, one);
    world.request(client?.token ?? null, "POST", `/webhooks/${one.id}/test`, {}, (answer) => {
      check(answer.status === 200, "answer", () => `a test of ${one.id}: ${answer.text}`);
    });
  }
  await pass(12_000);
  for (const one of open) {
    const missing = world.books.events.find(
      ({ seq, tenant_id }) => tenant_id === one.tenant && seq > one.after && !one.arrived.has(seq),
    );
    check(missing === undefined, "outbox", () => `${one.id} was never told of event ${missing?.seq}`);
  }
}
