import type { Federation } from "../adapters/port.ts";
import { type ControlLoop, createControlLoop } from "../api/control/loop.ts";
import { createOutbox, type Outbox } from "../api/control/outbox.ts";
import type { PlanRunner } from "../api/control/plan-job.ts";
import { createPlanner, type Planner } from "../api/control/planner.ts";
import type { Env, Log, OutgoingHttp } from "../api/env.ts";
import { createApp } from "../api/http/app.ts";
import { httpSink } from "../api/platform/event-sink.ts";
import { createIds } from "../api/platform/node-env.ts";
import { createQueuedStore } from "../api/store/queued-store.ts";
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
}

/** One running service without sockets, threads or real time. */
export interface SimProcess {
  /** Whose timers and messages its are. */
  readonly owner: object;
  readonly app: ReturnType<typeof createApp>;
  readonly env: Env;
  readonly clock: MachineTime;
  readonly planner: Planner;
  readonly control: ControlLoop;
  readonly outbox: Outbox;
  readonly isAlive: () => boolean;
  /** Ends at once: whatever it was doing is never finished. */
  kill(): void;
  /** Ends as on SIGTERM. */
  stop(): Promise<void>;
}

/** Where the events of a simulated service are posted. */
export const SINK = "https://sink.example.org/events";

/** Starts a process on what was committed before it. */
export async function startProcess(world: Surroundings, skewMs: number): Promise<SimProcess> {
  const { time, gates, rng, database, providers, network, faults, planting, log } = world;
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
    await gates.pass(owner, "store <");
    return result;
  };
  const plain = createQueuedStore({
    writer: { run, close: async () => {} },
    read: (command) => perform({ db: reader.db, heads: new Map(), hasOutbox: false }, command),
    onFatal: kill,
  });
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
    store: planting.store?.(plain, tools) ?? plain,
    federation: planting.federation?.(federation, tools) ?? federation,
    http: planting.http?.(http, tools) ?? http,
    log,
    plans: planting.plans?.(plans, tools) ?? plans,
    solver,
  };
  const planner = createPlanner(env);
  const control = createControlLoop(env, planner);
  const outbox = createOutbox(env, httpSink(env.http, SINK));
  const app = createApp({ env, planner, control, stopping: stopping.signal, notReady: () => null });
  control.wake();
  outbox.wake();
  return {
    owner,
    app,
    env,
    clock,
    planner,
    control,
    outbox,
    isAlive: () => isAlive,
    kill,
    async stop() {
      stopping.abort();
      await control.stop();
      await outbox.stop();
      kill();
    },
  };
}
