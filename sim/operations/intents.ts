import { isActive } from "../books.ts";
import type { Client, Submission } from "../clients.ts";
import { TOKEN_LIFE_MS } from "../process.ts";
import type { Rng } from "../random.ts";
import type { Shape } from "../swarm.ts";
import { check } from "../violation.ts";
import type { Answer, World } from "../world.ts";

/** How much later than the process that was told other processes may know what became of a token. */
export const slackMs = ({ swarm }: World): number => (swarm.processes > 1 ? TOKEN_LIFE_MS : 0);

/** Answers that say nothing about the request: the service could not, or the caller is shut out for now. */
export function isExcused(world: World, { status, text, sentMs }: Answer, client: Client | null): boolean {
  const isKnown = client !== null && sentMs > client.sinceMs + slackMs(world);
  if (status === 401) {
    check(
      !isKnown || client.isActive !== true,
      "answer",
      () => `a good token of ${client?.tenant.name}: ${text}`,
    );
    return true;
  }
  // too many failed tries are answered before anybody looks at the token
  if (status === 429 && text.includes("RATE_LIMITED")) return true;
  const isShut = isKnown && client.isActive === false;
  check(
    !isShut || status >= 500,
    "tenant",
    () => `${client?.tenant.name} is suspended and was answered ${status}`,
  );
  check(
    status < 500 || sentMs < world.calmSinceMs,
    "answer",
    () => `${status} though nothing went wrong: ${text}`,
  );
  return status >= 500;
}

/** A refused request has changed nothing: no audit row but its denial bears its id. */
export function checkUnchanged({ books }: World, { status, headers, text }: Answer): void {
  if (status < 400 || status >= 500) return;
  const id = headers.get("x-request-id") ?? "";
  books.look();
  check(
    !books.acted.has(id),
    "rejected-changed",
    () => `${id} was answered ${status} and changed something: ${text}`,
  );
}

/** The document of a wish. */
export function documentOf(name: string, shape: Shape): object {
  const { gpus, replicas, priority, kind, runtimeSeconds, spot, evictable, model, cap, fallback, part } =
    shape;
  const gpu = {
    count: gpus,
    ...(model === null ? {} : { model }),
    ...(part === null ? {} : part),
    ...(part !== null && "fraction" in part ? { shared: true } : {}),
  };
  return {
    intent: {
      objective: "Cost_Minimization",
      priority,
      workload: {
        type: kind,
        name,
        image: "registry.example.org/work:1",
        resources: { cpu: "1", memory: "1Gi", gpu },
        ...(kind === "service"
          ? { ports: [{ port: 8000 }], scaling: { min_replicas: replicas } }
          : { batch: { parallel_tasks: replicas, estimated_runtime: `${runtimeSeconds}s` } }),
        ...(evictable ? {} : { evictable }),
      },
      constraints: {
        ...(spot ? { preemptible: true } : {}),
        ...(cap === null ? {} : { max_hourly_cost: `${cap} EUR` }),
        ...(fallback === null ? {} : { negotiation: { fallback_strategy: [fallback] } }),
      },
    },
  };
}

const clientOf = ({ clients }: World, tenant: string): Client | null =>
  clients.list.find((client) => client.tenant.name === tenant) ?? null;

function accepted(world: World, submission: Submission, { text, body }: Answer): void {
  const { clients, books } = world;
  const id = String(body()["intent_id"]);
  check(
    submission.answer === null || submission.answer === text,
    "idempotency",
    () => `${submission.name} was answered ${submission.answer} and then ${text}`,
  );
  const other = clients.byId.get(id);
  check(other === undefined || other === submission, "idempotency", () => `${id} was given out twice`);
  submission.answer = text;
  submission.id = id;
  clients.byId.set(id, submission);
  books.look();
  const told = books.intents.get(id);
  check(told !== undefined, "lost", () => `${id} was acknowledged and is not stored`);
  check(
    told.tenant === submission.tenant,
    "tenant",
    () => `${id} of ${submission.tenant} is ${told.tenant}'s`,
  );
}

/** Sends a submission, for the first time or again. */
export function send(world: World, submission: Submission): void {
  const client = clientOf(world, submission.tenant);
  if (client === null) return;
  const headers = { "idempotency-key": submission.key };
  const wasAccepted = submission.answer !== null;
  world.request(client.token, "POST", "/intents", { body: submission.text, headers }, (answer) => {
    if (answer.status === 202) return accepted(world, submission, answer);
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    check(!wasAccepted, "idempotency", () => `${submission.name} was accepted, then refused: ${answer.text}`);
    check([402, 409, 429].includes(answer.status), "answer", () => `${submission.name}: ${answer.text}`);
  });
}

/** A new wish of a client. */
export function submit(world: World, rng: Rng, step: number): void {
  const { clients, swarm } = world;
  const alive = [...world.books.intents.values()].filter(({ phase }) => phase !== null && phase.length > 0);
  const going = alive.filter(
    ({ phase }) => !["completed", "failed", "cancelled"].includes(phase ?? ""),
  ).length;
  if (going >= swarm.mostAlive) {
    cancelAlive(world, rng);
    return;
  }
  submitOf(world, rng, rng.pick(clients.list), rng.pick(swarm.shapes), String(step));
}

/** A new wish of a certain client and kind. */
export function submitOf(world: World, rng: Rng, { tenant }: Client, shape: Shape, suffix: string): void {
  const name = `w-${tenant.name}-${suffix}`;
  const submission: Submission = {
    tenant: tenant.name,
    name,
    key: `key-${rng.chance(0.5) ? tenant.name : "same"}-${suffix}`,
    text: JSON.stringify(documentOf(name, shape)),
    shape,
    answer: null,
    id: null,
    seenVersion: 1,
    cancelledAtSeq: null,
    isEnded: false,
  };
  world.clients.submissions.push(submission);
  send(world, submission);
}

/** The same request once more, as after a lost answer. */
export function retry(world: World, rng: Rng): void {
  const recent = world.clients.submissions.slice(-12);
  if (recent.length > 0) send(world, rng.pick(recent));
}

/** A used idempotency key: with another body, or by another tenant, whose key it is not. */
export function reuseKey(world: World, rng: Rng, step: number): void {
  const { clients, swarm } = world;
  const used = clients.submissions.slice(-12).filter(({ answer }) => answer !== null);
  if (used.length === 0) return;
  const { key, tenant } = rng.pick(used);
  const client = rng.pick(clients.list);
  const name = `x-${client.tenant.name}-${step}`;
  const text = JSON.stringify(documentOf(name, rng.pick(swarm.shapes)));
  if (client.tenant.name !== tenant) {
    const taken = clients.submissions.some((one) => one.key === key && one.tenant === client.tenant.name);
    if (taken) return;
    const submission = { tenant: client.tenant.name, name, key, text, shape: rng.pick(swarm.shapes) };
    const full = {
      ...submission,
      answer: null,
      id: null,
      seenVersion: 1,
      cancelledAtSeq: null,
      isEnded: false,
    };
    clients.submissions.push(full);
    send(world, full);
    return;
  }
  world.request(
    client.token,
    "POST",
    "/intents",
    { body: text, headers: { "idempotency-key": key } },
    (answer) => {
      checkUnchanged(world, answer);
      if (isExcused(world, answer, client)) return;
      const isRight = [402, 409, 422, 429].includes(answer.status);
      check(
        isRight,
        "idempotency",
        () => `${key} with another body was answered ${answer.status}: ${answer.text}`,
      );
    },
  );
}

/** Requests that must be refused. */
export function submitBad(world: World, rng: Rng, step: number): void {
  const { clients } = world;
  const client = rng.pick(clients.list);
  const known = clients.submissions.findLast(
    ({ tenant, id }) => tenant === client.tenant.name && id !== null,
  );
  const kind = rng.pick(["text", "field", "nobody", "twice"] as const);
  const bodies = {
    text: "{",
    field: JSON.stringify({ intent: { objective: "Cost_Minimization", workload: { type: "service" } } }),
    nobody: JSON.stringify(documentOf(`y-${step}`, rng.pick(world.swarm.shapes))),
    twice: known?.text ?? "[]",
  };
  const token = kind === "nobody" ? null : client.token;
  world.request(token, "POST", "/intents", { body: bodies[kind] }, (answer) => {
    if (kind === "twice" && answer.status === 202) {
      // the first one of this name had ended: this is a new one, of which nobody keeps track
      const alive = world.database.rows<{ id: string }>(
        "select id from intents where tenant_id = ? and name = ? and terminal_ms is null",
        client.tenant.name,
        known?.name ?? "",
      );
      check(alive.length <= 1, "idempotency", () => `${known?.name} is alive ${alive.length} times`);
      return;
    }
    checkUnchanged(world, answer);
    if (kind === "nobody")
      check([401, 429].includes(answer.status), "answer", () => `without a token: ${answer.text}`);
    else if (!isExcused(world, answer, client))
      check(
        answer.status >= 400 && answer.status < 500,
        "answer",
        () => `${kind} was answered ${answer.status}`,
      );
  });
}

/** One of the intents that clients know, most often a recent one. */
export function pickKnown({ clients }: World, rng: Rng): Submission | null {
  const known = clients.submissions.filter(({ id }) => id !== null);
  if (known.length === 0) return null;
  return rng.pick(rng.chance(0.7) ? known.slice(-10) : known);
}

/** Notes the version that a client was shown; it never goes back. */
function see(submission: Submission, sentVersion: number, version: unknown): void {
  const { id } = submission;
  check(typeof version === "number", "answer", () => `${id} is shown without a version`);
  check(version >= sentVersion, "lost", () => `${id} was shown at ${sentVersion}, later at ${version}`);
  submission.seenVersion = Math.max(submission.seenVersion, version);
}

/** Ends an intent, sometimes only in the version that the client knows. */
export function cancel(world: World, rng: Rng): void {
  const submission = pickKnown(world, rng);
  if (submission !== null) end(world, rng, submission);
}

/** Makes room for others: ends an intent that has not ended. */
export function cancelAlive(world: World, rng: Rng): void {
  const alive = world.clients.submissions.filter(({ id }) =>
    isActive(world.books.intents.get(id ?? "")?.phase ?? ""),
  );
  if (alive.length > 0) end(world, rng, rng.pick(alive));
}

/** Asks for the end of an intent. */
export function end(world: World, rng: Rng, submission: Submission): void {
  const { id, tenant, seenVersion } = submission;
  const client = clientOf(world, tenant);
  const headers = rng.chance(0.3) ? { "if-match": `"${seenVersion}"` } : {};
  world.request(client?.token ?? null, "DELETE", `/intents/${id}`, { headers }, (answer) => {
    checkUnchanged(world, answer);
    if (isExcused(world, answer, client)) return;
    check(answer.status === 202 || answer.status === 412, "lost", () => `cancelling ${id}: ${answer.text}`);
    if (answer.status !== 202) return;
    world.books.look();
    submission.cancelledAtSeq ??= world.books.events.length;
    see(submission, seenVersion, answer.body()["version"]);
  });
}

/** Another rank, or another limit of cost. */
export function amend(world: World, rng: Rng): void {
  const submission = pickKnown(world, rng);
  if (submission === null) return;
  const { priority } = rng.pick(world.swarm.shapes);
  const intent = rng.chance(0.5)
    ? { priority }
    : { constraints: { max_hourly_cost: `${rng.between(1, 20)} EUR` } };
  patch(world, rng, submission, intent);
}

/** Another number of replicas: more or fewer GPUs than may just be being looked for. */
export function scale(world: World, rng: Rng): void {
  const { books, clients } = world;
  const services = clients.submissions.filter(
    ({ id, shape }) => shape.kind === "service" && isActive(books.intents.get(id ?? "")?.phase ?? ""),
  );
  if (services.length === 0) return;
  patch(world, rng, rng.pick(services), { workload: { scaling: { min_replicas: rng.between(1, 3) } } });
}

/** Changes what an intent wants, sometimes only in the version that the client knows. */
function patch(world: World, rng: Rng, submission: Submission, intent: object): void {
  const { id, tenant, seenVersion } = submission;
  const client = clientOf(world, tenant);
  const headers = rng.chance(0.3) ? { "if-match": `"${seenVersion}"` } : {};
  world.request(
    client?.token ?? null,
    "PATCH",
    `/intents/${id}`,
    { body: JSON.stringify({ intent }), headers },
    (answer) => {
      checkUnchanged(world, answer);
      if (isExcused(world, answer, client)) return;
      const isRight = [200, 402, 409, 412, 429].includes(answer.status);
      check(isRight, "lost", () => `amending ${id}: ${answer.text}`);
      // what changes nothing raises no version
      if (answer.status === 200) see(submission, seenVersion, answer.body()["version"]);
    },
  );
}

/** What was acknowledged can be read, and never grows younger. */
export function read(world: World, rng: Rng): void {
  const submission = pickKnown(world, rng);
  if (submission === null) return;
  const { id, tenant, seenVersion, name } = submission;
  const client = clientOf(world, tenant);
  world.request(client?.token ?? null, "GET", `/intents/${id}`, {}, (answer) => {
    if (isExcused(world, answer, client)) return;
    check(answer.status === 200, "lost", () => `${id} was acknowledged and is not found: ${answer.text}`);
    const body = answer.body();
    check(body["name"] === name, "answer", () => `${id} is ${body["name"]} instead of ${name}`);
    see(submission, seenVersion, body["version"]);
  });
}
