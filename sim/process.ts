import { LinearRouter } from "hono/router/linear-router";
import type { Federation } from "../adapters/port.ts";
import { createElection } from "../api/control/leader.ts";
import { type ControlLoop, createControlLoop } from "../api/control/loop.ts";
import { createOutbox, type Outbox } from "../api/control/outbox.ts";
import type { PlanRunner } from "../api/control/plan-job.ts";
import { createPlanner, type Planner } from "../api/control/planner.ts";
import type { Env, Log, OutgoingHttp } from "../api/env.ts";
import { createHookDispatcher } from "../api/hooks/dispatcher.ts";
import { createSecretBox, KEY_BYTES } from "../api/hooks/secret-box.ts";
import type { HookTools } from "../api/hooks/sender.ts";
import { createApp } from "../api/http/app.ts";
import { httpSink } from "../api/platform/event-sink.ts";
import { createIds } from "../api/platform/node-env.ts";
import { createQueuedStore, type QueuedStore, tokenWrites } from "../api/store/queued-store.ts";
import type { Store } from "../api/store/store.ts";
import { type Command, type GroupResult, perform, runGroup } from "../api/store/writer.ts";
import type { SimDatabase, Tampering } from "./database.ts";
import type { Providers } from "./federation.ts";
import type { Gates } from "./gates.ts";
import type { Network } from "./network.ts";
import { createSimPlans } from "./plans.ts";
import type { Rng } from "./random.ts";
import { createSimSolver } from "./solver.ts";
import type { SwarmFaults } from "./swarm.ts";
import type { MachineTime, SimTime } from "./time.ts";

/** What a planted bug may reach. */
export interface BugTools {
  readonly database: SimDatabase;
  readonly rng: () => Rng;
  readonly gates: Gates;
  readonly owner: object;
}

/** A bug that is planted around the service, never in it: each part it wraps is a port of the service. */
export interface Planting extends Tampering {
  store?(store: Store, tools: BugTools): Store;
  federation?(federation: Federation, tools: BugTools): Federation;
  plans?(plans: PlanRunner, tools: BugTools): PlanRunner;
  http?(http: OutgoingHttp, tools: BugTools): OutgoingHttp;
  /** Around the writing thread: a group of writes and its result. */
  around?(run: () => Promise<GroupResult>, tools: BugTools): Promise<GroupResult>;
}

/** What processes are started in. */
export interface Surroundings {
  readonly time: SimTime;
  readonly gates: Gates;
  readonly rng: () => Rng;
  readonly database: SimDatabase;
  readonly providers: Providers;
  readonly network: Network;
  readonly faults: () => SwarmFaults;
  readonly planting: Planting;
  readonly log: Log;
  readonly acts: Acts;
}

/** How one process differs from others. */
export interface ProcessOptions {
  readonly number: number;
  readonly skewMs: number;
  /** Others share the database: one of them decides. */
  readonly isReplica: boolean;
  /** Told after a commit: others may hear of it. */
  readonly onCommit: (lastEvent: number | null, changesTokens: boolean) => void;
}

/** Which process made a decision, in which epoch, by the request id of its audit row. */
export type Acts = Map<string, { readonly epoch: number; readonly process: number }>;

/** One running service without sockets, threads or real time. */
export interface SimProcess {
  /** Whose timers and messages its are. */
  readonly owner: object;
  readonly number: number;
  readonly app: ReturnType<typeof createApp>;
  readonly env: Env;
  readonly clock: MachineTime;
  readonly planner: Planner;
  readonly control: ControlLoop;
  readonly outbox: Outbox;
  readonly isAlive: () => boolean;
  /** Another process has committed something. */
  heard(lastEvent: number | null, changesTokens: boolean): void;
  /** Ends at once: whatever it was doing is never finished. */
  kill(): void;
  /** Ends as on SIGTERM. */
  stop(): Promise<void>;
}

/** Where the events of a simulated service are posted. */
export const SINK = "https://sink.example.org/events";

const sealingKey = new Uint8Array(KEY_BYTES).fill(7);
/** How long a replica may take the row of a token as read. */
export const TOKEN_LIFE_MS = 1000;
const LEASE_MS = 1000;

/** The control loop; among replicas it waits for its election, as in `api/serve.ts`. */
function startControl(env: Env, planner: Planner, isReplica: boolean): ControlLoop {
  if (!isReplica) return createControlLoop(env, planner);
  let wake = (): void => {};
  const leadership = createElection(env, { leaseMs: LEASE_MS, onGain: () => wake() });
  const control = createControlLoop(env, planner, { leadership });
  wake = control.wake;
  env.store.subscribe((_, isForeign) => void (isForeign && control.wake()));
  return control;
}

/** Notes who decides what, so that the audit log can be held against it. */
function noteActs(store: QueuedStore, acts: Acts, process: number): Store {
  const note = (epoch: number, changes: readonly { readonly requestId: string }[]): void => {
    for (const { requestId } of changes) acts.set(requestId, { epoch, process });
  };
  const { system } = store;
  return {
    ...store,
    system: {
      ...system,
      changeIntent(input) {
        note(input.epoch, [input]);
        return system.changeIntent(input);
      },
      settlePlan(input) {
        note(input.epoch, input.changes);
        return system.settlePlan(input);
      },
    },
  };
}

/** Starts a process on what was committed before it. */
export async function startProcess(world: Surroundings, options: ProcessOptions): Promise<SimProcess> {
  const { time, gates, rng, database, providers, network, faults, planting, log } = world;
  const { number, skewMs, isReplica, onCommit } = options;
  const owner = {};
  const tools: BugTools = { database, rng, gates, owner };
  let isAlive = true;
  const clock = time.machine(owner, skewMs);
  const stopping = new AbortController();
  const kill = (): void => {
    isAlive = false;
    gates.drop(owner);
    time.drop(owner);
  };
  const { reader } = database;
  const run = async (commands: readonly Command[]): Promise<GroupResult> => {
    await gates.pass(owner, "store >");
    // several processes write: none knows the ends of the logs beforehand
    const state = { heads: new Map(), hasOutbox: true };
    const exclusive = (): Promise<GroupResult> =>
      database.exclusively(() => runGroup(database.writer, state, commands));
    const result = await (planting.around?.(exclusive, tools) ?? exclusive());
    onCommit(
      result.lastEvent,
      commands.some(({ name }) => tokenWrites.has(name)),
    );
    await gates.pass(owner, "store <");
    return result;
  };
  const plain = createQueuedStore({
    writer: { run, close: async () => {} },
    read: (command) => perform({ db: reader.db, heads: new Map(), hasOutbox: false }, command),
    onFatal: kill,
    nowMs: clock.monoMs,
    ...(isReplica ? { tokenLifeMs: TOKEN_LIFE_MS } : {}),
  });
  const noted = noteActs(plain, world.acts, number);
  const random = { bytes: (count: number) => rng().bytes(count) };
  const solver = createSimSolver(rng, () => faults().solver);
  const plans = createSimPlans({ owner, gates, rng, faults: () => faults().planner, solver });
  const federation = providers.connect(owner, () => isAlive);
  const http = network.connect(owner);
  const env: Env = {
    clock,
    timers: clock,
    random,
    ids: createIds(clock, random),
    store: planting.store?.(noted, tools) ?? noted,
    federation: planting.federation?.(federation, tools) ?? federation,
    http: planting.http?.(http, tools) ?? http,
    log,
    plans: planting.plans?.(plans, tools) ?? plans,
    solver,
  };
  const planner = createPlanner(env);
  const control = startControl(env, planner, isReplica);
  const outbox = createOutbox(env, httpSink(env.http, SINK));
  const hooks: HookTools = { box: createSecretBox(sealingKey, random), http: env.http, refuse: () => null };
  const dispatcher = createHookDispatcher(env, hooks);
  const service = { env, planner, control, stopping: stopping.signal, notReady: () => null, hooks };
  // dozens of processes a run, each of few requests
  const app = createApp(service, new LinearRouter());
  control.wake();
  outbox.wake();
  dispatcher.wake();
  return {
    owner,
    number,
    app,
    env,
    clock,
    planner,
    control,
    outbox,
    isAlive: () => isAlive,
    kill,
    heard(lastEvent, changesTokens) {
      if (!isAlive) return;
      if (changesTokens) plain.forgetTokens();
      if (lastEvent !== null) plain.heard(lastEvent);
    },
    async stop() {
      stopping.abort();
      await control.stop();
      await outbox.stop();
      await dispatcher.stop();
      kill();
    },
  };
}
