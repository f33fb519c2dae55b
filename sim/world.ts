import type { Log } from "../api/env.ts";
import { type Permission, permissions } from "../api/http/permissions.ts";
import { hashSecret, makeToken } from "../api/http/token.ts";
import { trustTenant } from "../api/store/tenant.ts";
import { type Books, createBooks } from "./books.ts";
import type { Clients } from "./clients.ts";
import { openSimDatabase, type SimDatabase } from "./database.ts";
import { createProviders, type Providers } from "./federation.ts";
import { createGates, type Gates, settle } from "./gates.ts";
import { createMailbox, type Mailbox } from "./mailbox.ts";
import { createNetwork, type Received } from "./network.ts";
import { type Acts, type Planting, type SimProcess, type Surroundings, startProcess } from "./process.ts";
import { createRng, mix, type Rng } from "./random.ts";
import { createReceivers, type Receivers } from "./receivers.ts";
import { drawSwarm, type Swarm, type SwarmFaults } from "./swarm.ts";
import { createSimTime, type SimTime, START_MS } from "./time.ts";
import { Trace } from "./trace.ts";
import { check } from "./violation.ts";

/** What came back from one request. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly response: Response;
  /** True time at which the request was sent. */
  readonly sentMs: number;
  /** The process that answered. */
  readonly from: object;
  /** The JSON of the body; empty where it is none. */
  body(): Record<string, unknown>;
}

export interface RequestOptions {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Leaves the body unread: a stream. */
  readonly isStream?: boolean;
}

/** A whole simulated world: providers, network, database, processes, clients. */
export interface World {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly time: SimTime;
  readonly gates: Gates;
  readonly database: SimDatabase;
  readonly providers: Providers;
  readonly mailbox: Mailbox;
  readonly receivers: Receivers;
  readonly clients: Clients;
  readonly books: Books;
  readonly trace: Trace;
  /** Since when nothing is injected that excuses an error of the service, true time. */
  calmSinceMs: number;
  /** Draws of the present step. */
  rng(): Rng;
  /** Begins a step: its draws follow from the seed and the step alone. */
  begin(step: number): void;
  process(): SimProcess;
  /** All processes. */
  processes(): readonly SimProcess[];
  /** Ends a process at once and starts another on what was committed. */
  crash(): Promise<void>;
  restart(): Promise<void>;
  /** One of several processes stands still, or goes on. */
  pause(): void;
  /**
   * Sends a request to the service; `then` is called with the answer, and never when the process died before. Returns
   * the process that it was sent to.
   */
  request(
    token: string | null,
    method: string,
    path: string,
    options: RequestOptions,
    then: (answer: Answer) => void,
  ): SimProcess;
  /** Starts the process again when it has ended by itself. */
  revive(): Promise<void>;
  /** Timers of the process. */
  timers(): number;
  /** All tables as one text. */
  dump(): string;
  /** Lets everything go on that waits for nothing outside, and clients take the answers they got. */
  settle(): Promise<void>;
  /** Does something where clients do: with no transaction open. */
  later(run: () => void): void;
  /** Time passes; what falls due happens in its order. */
  pass(ms: number): Promise<void>;
  /** No more faults: messages arrive at once, providers and receivers are well. */
  calmDown(): void;
  close(): void;
}

const noFaults: SwarmFaults = {
  unreached: 0,
  answerLost: 0,
  repeated: 0,
  refused: 0,
  http: 0,
  planner: 0,
  solver: 0,
};

/** Simulated time within which a process starts or ends when all its messages arrive. */
const LONGEST_MS = 600_000;
const YEAR_MS = 366 * 86_400_000;

/** Tenants and their tokens, stored before anything happens. */
async function enroll(process: SimProcess, swarm: Swarm): Promise<Pick<Clients, "list" | "admin">> {
  const { store, random } = process.env;
  const join = async (name: string, granted: readonly Permission[], more: object): Promise<string> => {
    const tenant = trustTenant(name);
    const row = { weight: 1, status: "active", quotas: "[]", cohort: null, ...more };
    await store.system.ensureTenant({ id: tenant, created_ms: START_MS, ...row });
    const { id, secret, text } = makeToken(random);
    await store.forTenant(tenant).createToken({
      actor: "simulation",
      atMs: START_MS,
      requestId: "enroll",
      token: {
        id,
        hash: hashSecret(secret),
        permissions: JSON.stringify(granted),
        name,
        created_by: "simulation",
        created_ms: START_MS,
        expires_ms: START_MS + YEAR_MS,
        revoked_ms: null,
        last_used_ms: null,
      },
    });
    return text;
  };
  const own = permissions.filter((permission) => permission !== "admin:*");
  const list = [];
  for (const tenant of swarm.tenants) {
    const { name, weight, cohort, quotas } = tenant;
    list.push({
      tenant,
      token: await join(name, own, { weight, cohort, quotas: JSON.stringify(quotas) }),
      isActive: true,
      sinceMs: 0,
      asked: null,
    });
  }
  return { list, admin: await join("default", ["admin:*"], {}) };
}

async function readAnswer(
  response: Response,
  isStream: boolean,
  { sentMs, from }: Pick<Answer, "sentMs" | "from">,
): Promise<Answer> {
  const text = isStream && response.status === 200 ? "" : await response.text();
  return {
    status: response.status,
    text,
    headers: response.headers,
    response,
    sentMs,
    from,
    body: () => (text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {}),
  };
}

/** Builds the world of a seed and starts its service. */
export async function createWorld(
  seed: number,
  planting: Planting = {},
  swarm: Swarm = drawSwarm(seed),
): Promise<World> {
  let rng = createRng(mix(seed, 0xb007));
  let faults = swarm.faults;
  const current = (): Rng => rng;
  const timeFaults = { lateMs: swarm.lateMs, shuffles: swarm.shuffles };
  const time = createSimTime(current, timeFaults);
  const gates = createGates((label) => {
    const kind = label.startsWith("store")
      ? swarm.held.store
      : label.startsWith("plan")
        ? swarm.held.plan
        : label.startsWith("http")
          ? swarm.held.http
          : swarm.held.federation;
    return rng.chance(kind);
  });
  const trace = new Trace();
  const database = await openSimDatabase(planting);
  const providers = createProviders({
    snapshot: swarm.snapshot,
    time,
    gates,
    rng: current,
    faults: () => faults,
  });
  const acts: Acts = new Map();
  const books = createBooks(database, trace, acts);
  const mailbox = createMailbox(database, trace);
  const receivers = createReceivers(database, trace);
  const onReceived = trace.guard((request: Received) => {
    if (receivers.isHook(request.url)) receivers.receive(request);
    else mailbox.receive(request);
  });
  const network = createNetwork({
    gates,
    rng: current,
    faults: () => faults.http,
    onReceived,
  });
  const log: Log = {
    debug() {},
    info() {},
    warn: (fields, message) => trace.log("warn", fields, message),
    error: (fields, message) => trace.log("error", fields, message),
  };
  const surroundings: Surroundings = {
    time,
    gates,
    rng: current,
    database,
    providers,
    network,
    faults: () => faults,
    planting,
    log,
    acts,
  };
  const skew = (): number => (swarm.skewMs === 0 ? 0 : rng.between(-swarm.skewMs, swarm.skewMs));
  /** Lets messages and time go on until something is done. */
  const until = async <T>(work: Promise<T>, goesOn: () => boolean = () => true): Promise<T | null> => {
    let isDone = false;
    const watched = work.finally(() => {
      isDone = true;
    });
    watched.catch(() => undefined);
    const endMs = time.nowMs() + LONGEST_MS;
    while (!isDone && goesOn()) {
      await settle();
      check(time.nowMs() < endMs, "liveness", () => `a start or an end takes more than ${LONGEST_MS} ms`);
      if (!isDone && gates.openOne(rng) === null) time.step(time.nowMs() + 10);
    }
    return isDone ? watched : null;
  };
  const processes: SimProcess[] = [];
  let started = 0;
  const isReplica = swarm.processes > 1;
  const start = async (): Promise<SimProcess> => {
    const number = ++started;
    /** Others hear of a commit late, or never. */
    const onCommit = (lastEvent: number | null, changesTokens: boolean): void => {
      for (const other of processes)
        if (other.number !== number && rng.chance(0.7))
          gates
            .pass(other.owner, "http notify")
            .then(() => other.heard(lastEvent, changesTokens), trace.fail);
    };
    const process = await until(startProcess(surroundings, { number, skewMs: skew(), isReplica, onCommit }));
    if (process === null) throw new Error("a process did not start");
    return process;
  };
  for (let count = 0; count < swarm.processes; count++) processes.push(await start());
  let running = processes[0] as SimProcess;
  /** One of the processes that can be reached, which is then the present one. */
  const choose = (): SimProcess => {
    const open = processes.filter(({ owner, isAlive }) => isAlive() && !gates.paused.has(owner));
    running = open.length > 0 ? rng.pick(open) : running;
    return running;
  };
  const resume = ({ owner }: SimProcess): void => {
    gates.paused.delete(owner);
    time.paused.delete(owner);
  };
  /** Another process in the place of one that has ended. */
  const replace = async (old: SimProcess): Promise<void> => {
    resume(old);
    for (const stream of clients.streams) if (stream.process === old) stream.isOver = true;
    running = await start();
    processes.splice(processes.indexOf(old), 1, running);
  };
  const members = await until(enroll(running, swarm));
  if (members === null) throw new Error("nobody could be enrolled");
  const clients: Clients = {
    ...members,
    submissions: [],
    byId: new Map(),
    streams: [],
    tokens: [],
    reservations: [],
  };

  const inbox: (() => void)[] = [];
  const world: World = {
    seed,
    swarm,
    time,
    gates,
    database,
    providers,
    mailbox,
    receivers,
    clients,
    books,
    trace,
    calmSinceMs: Object.values(swarm.faults).every((probability) => probability === 0)
      ? 0
      : Number.POSITIVE_INFINITY,
    rng: current,
    begin(step) {
      rng = createRng(mix(seed, step));
    },
    process: () => running,
    processes: () => processes,
    async crash() {
      const old = choose();
      old.kill();
      await replace(old);
    },
    async restart() {
      const old = choose();
      await until(old.stop(), old.isAlive);
      await replace(old);
    },
    pause() {
      const paused = processes.filter(({ owner }) => gates.paused.has(owner));
      if (paused.length > 0 && rng.chance(0.5)) return resume(rng.pick(paused));
      if (processes.length - paused.length < 2) return;
      const { owner } = choose();
      gates.paused.add(owner);
      time.paused.add(owner);
    },
    request(token, method, path, { body, headers = {}, isStream = false }, then) {
      const to = choose();
      const sentMs = time.nowMs();
      const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
      const answered = async (): Promise<void> => {
        const response = await to.app.request(`/api/v1${path}`, {
          method,
          headers: {
            ...(token === null ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { "content-type": "application/json", ...length }),
            ...headers,
          },
          ...(body === undefined ? {} : { body }),
        });
        const answer = await readAnswer(response, isStream, { sentMs, from: to });
        if (!to.isAlive()) return;
        world.later(() => {
          trace.add(`${method} ${path} -> ${answer.status}`);
          then(answer);
        });
      };
      answered().catch(trace.fail);
      return to;
    },
    async revive() {
      for (const old of processes.filter(({ isAlive }) => !isAlive())) {
        trace.mark("a process ended by itself");
        await replace(old);
      }
    },
    timers: () => Math.max(...processes.map(({ owner }) => time.waiting(owner))),
    dump() {
      const tables = database.rows<{ name: string }>(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite%' order by name",
      );
      return tables
        .map(({ name }) => JSON.stringify([name, database.rows(`select * from "${name}" order by 1, 2`)]))
        .join("\n");
    },
    later: (run) => void inbox.push(run),
    async settle() {
      await settle();
      while (inbox.length > 0) {
        for (const run of inbox.splice(0)) run();
        await settle();
      }
    },
    async pass(ms) {
      const endMs = time.nowMs() + ms;
      while (time.step(endMs)) await world.settle();
    },
    calmDown() {
      faults = noFaults;
      timeFaults.lateMs = 0;
      for (const process of processes) resume(process);
      database.failNextCommit(null);
      world.calmSinceMs = time.nowMs() + 1;
      gates.openAll();
    },
    close: () => database.close(),
  };
  return world;
}
