import type { Flavor } from "../../engine/model/flavor.ts";
import type { Quota } from "../../engine/model/snapshot.ts";
import type { Client, ClientReservation, ClientToken } from "../clients.ts";
import type { Rng } from "../random.ts";
import { drawQuotas } from "../swarm.ts";
import { check } from "../violation.ts";
import type { World } from "../world.ts";
import { checkUnchanged, isExcused, slackMs } from "./intents.ts";

const MOST_TOKENS = 6;

/** A new token of a tenant, or a look with one that exists: it works until its revocation is acknowledged. */
export function token(world: World, rng: Rng): void {
  const { clients } = world;
  const client = rng.pick(clients.list);
  const own = clients.tokens.filter((one) => one.tenant === client.tenant.name);
  if (own.length > 0 && (own.length >= MOST_TOKENS || rng.chance(0.6)))
    useToken(world, client, rng.pick(own));
  else makeToken(world, client);
}

function makeToken(world: World, client: Client): void {
  const { clients } = world;
  const body = JSON.stringify({ name: "spare", permissions: ["intents:read"] });
  world.request(client.token, "POST", "/auth/tokens", { body }, (answer) => {
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    check(answer.status === 201, "answer", () => `a token: ${answer.text}`);
    const { token_id: id, token: text } = answer.body();
    clients.tokens.push({ tenant: client.tenant.name, id: String(id), text: String(text), revokedMs: null });
  });
}

function useToken(world: World, client: Client, own: ClientToken): void {
  const { revokedMs } = own;
  world.request(own.text, "GET", "/auth/verify", {}, (answer) => {
    const { status, text } = answer;
    // too many failed tries are answered before anybody looks at the token
    if (status === 401 || text.includes("RATE_LIMITED")) {
      if (!asked.has(own)) isExcused(world, answer, client);
      return;
    }
    const isOver = revokedMs !== null && answer.sentMs > revokedMs + slackMs(world);
    check(!isOver, "tenant", () => `the revoked token ${own.id} was answered ${status}: ${text}`);
    if (isExcused(world, answer, client)) return;
    check(status === 200 && answer.body()["tenant"] === own.tenant, "tenant", () => `${own.id} is ${text}`);
  });
}

/** Tokens whose revocation was asked for, acknowledged or not. */
const asked = new WeakSet<ClientToken>();

/** Revokes a token. */
export function revoke(world: World, rng: Rng): void {
  const good = world.clients.tokens.filter(({ revokedMs }) => revokedMs === null);
  if (good.length === 0) return;
  const own = rng.pick(good);
  const client = world.clients.list.find(({ tenant }) => tenant.name === own.tenant);
  if (client === undefined) return;
  asked.add(own);
  world.request(client.token, "DELETE", `/auth/tokens/${own.id}`, {}, (answer) => {
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    check(answer.status === 200, "answer", () => `revoking ${own.id}: ${answer.text}`);
    own.revokedMs = world.time.nowMs();
  });
}

/** GPUs of an offer that nothing is placed on. */
function freeOf({ database }: World, { id, capacity }: Flavor): number {
  const [held] = database.rows<{ gpus: number | null }>(
    "select sum(gpus) as gpus from allocations where offer = ? and released_ms is null",
    id,
  );
  return Math.max(1, capacity.gpus - (held?.gpus ?? 0));
}

/** Capacity held for a window; at times, while a decision is being made, all that is left. */
export function reserve(world: World, rng: Rng): void {
  const { offers } = world.swarm.snapshot;
  const isPressing = rng.chance(0.5) && world.gates.waiting().some((label) => label.startsWith("plan"));
  for (const offer of isPressing ? offers : [rng.pick(offers)]) reserveOf(world, rng, offer, isPressing);
}

function reserveOf(world: World, rng: Rng, offer: Flavor, isAll: boolean): void {
  const client = rng.pick(world.clients.list);
  const startMs =
    world.time.nowMs() + (rng.chance(0.5) ? rng.between(5, 90) * 1000 : rng.between(2, 20) * 60_000);
  const window = { start: startMs, end: startMs + rng.between(1, 30) * 60_000 };
  const some = isAll ? freeOf(world, offer) : rng.between(1, offer.capacity.gpus);
  const gpus = offer.divisible ? some : offer.capacity.gpus;
  const body = JSON.stringify({
    offer: offer.id,
    gpus,
    start: new Date(window.start).toISOString(),
    end: new Date(window.end).toISOString(),
  });
  world.request(client.token, "POST", "/resources/reservations", { body }, (answer) => {
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    check([201, 400, 409, 429].includes(answer.status), "answer", () => `reserving: ${answer.text}`);
    if (answer.status !== 201) return;
    const id = String(answer.body()["reservation_id"]);
    world.clients.reservations.push({ tenant: client.tenant.name, id, isCancelled: false });
  });
}

/** Gives a reservation back, or tries to give back another tenant's. */
export function unreserve(world: World, rng: Rng): void {
  const { reservations, list } = world.clients;
  if (reservations.length === 0) return;
  const one: ClientReservation = rng.pick(reservations);
  const client = rng.pick(list);
  const isOwn = client.tenant.name === one.tenant;
  world.request(client.token, "DELETE", `/resources/reservations/${one.id}`, {}, (answer) => {
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    check(
      answer.status === (isOwn ? 200 : 404),
      "tenant",
      () => `${client.tenant.name} cancels ${one.id} of ${one.tenant}: ${answer.status} ${answer.text}`,
    );
    if (isOwn) one.isCancelled = true;
  });
}

/** A quota as the API takes it: money in whole units. */
const shown = ({ gpuClass, money, nominal, borrowing, lending }: Quota): object => {
  const unit = money === true ? 1_000_000 : 1;
  return {
    ...(money === true ? { money } : { gpu_class: gpuClass }),
    nominal: nominal / unit,
    ...(borrowing === undefined ? {} : { borrowing: borrowing / unit }),
    ...(lending === undefined ? {} : { lending: lending / unit }),
  };
};

/** An administrator sets other quotas. */
export function quota(world: World, rng: Rng): void {
  const { clients, swarm } = world;
  const { tenant } = rng.pick(clients.list);
  const sold = swarm.snapshot.offers.map(({ gpu }) => gpu.model);
  const quotas = rng.chance(0.2) ? [] : drawQuotas(rng, tenant.cohort !== null, sold);
  const body = JSON.stringify({ quotas: quotas.map(shown) });
  world.request(clients.admin, "PUT", `/admin/quotas/${tenant.name}`, { body }, (answer) => {
    checkUnchanged(world, answer);
    if (!isExcused(world, answer, null))
      check(answer.status === 200, "answer", () => `a quota: ${answer.text}`);
  });
}

/** An administrator shuts a tenant out, or lets it in again. */
export function suspend(world: World, rng: Rng): void {
  const client = rng.pick(world.clients.list);
  // one change at a time: of two on their way nobody knows which is the last
  if (client.asked?.isAlive() !== true) setActive(world, client, client.isActive !== true);
}

/** Asks for a tenant to be active or not; until the answer nobody knows. */
export function setActive(world: World, client: Client, isActive: boolean): void {
  client.isActive = null;
  const body = JSON.stringify({ status: isActive ? "active" : "suspended" });
  const path = `/admin/tenants/${client.tenant.name}`;
  client.asked = world.request(world.clients.admin, "PATCH", path, { body }, (answer) => {
    client.asked = null;
    checkUnchanged(world, answer);
    if (isExcused(world, answer, null)) return;
    check(answer.status === 200, "answer", () => `a tenant: ${answer.text}`);
    client.isActive = isActive;
    client.sinceMs = world.time.nowMs();
  });
}
