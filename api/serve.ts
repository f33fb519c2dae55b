import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { createInProcessFederation, type Delays } from "../adapters/federation/in-process.ts";
import type { Scenario } from "../adapters/federation/scenario.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { keepAnchors } from "./control/anchors.ts";
import { type ControlLoop, createControlLoop } from "./control/loop.ts";
import { createOutbox } from "./control/outbox.ts";
import { createPlanner, type Planner } from "./control/planner.ts";
import { keepTidy } from "./control/purge.ts";
import type { Env } from "./env.ts";
import { createHookDispatcher } from "./hooks/dispatcher.ts";
import { compareKey, createSecretBox } from "./hooks/secret-box.ts";
import { createApp } from "./http/app.ts";
import { tokenAuthenticator } from "./http/identity.ts";
import type { Rates } from "./http/rate.ts";
import { ssoAuthenticators } from "./http/sso.ts";
import { hashSecret, makeToken } from "./http/token.ts";
import { anchorFile } from "./platform/anchor-file.ts";
import { httpSink } from "./platform/event-sink.ts";
import { createHookHttp, type Outside } from "./platform/hook-http.ts";
import { listen } from "./platform/listen.ts";
import { lockFolder } from "./platform/lock.ts";
import { createIds, systemClock, systemHttp, systemRandom, systemTimers } from "./platform/node-env.ts";
import { createIssuers } from "./platform/oidc.ts";
import { processRegistry } from "./platform/process-metrics.ts";
import { readPageFiles } from "./platform/reference-page.ts";
import { readSecretKey } from "./platform/secret-key.ts";
import { createThreadPlanner } from "./platform/thread-planner.ts";
import { openStorage, type SharedDatabase, type Storage } from "./serve-storage.ts";
import type { SsoConfig } from "./sso/config.ts";
import { ANCHOR_FILE } from "./store/sqlite-backup.ts";
import type { SqliteStoreOptions } from "./store/sqlite-store.ts";
import type { StoreStats } from "./store/store.ts";
import { trustTenant } from "./store/tenant.ts";

export interface ServeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Folder of the database, or of what a replica keeps for itself; made when missing. */
  readonly data: string;
  /** The store is this database, which other replicas share; default SQLite in the folder. */
  readonly postgres?: SharedDatabase;
  /** What the in-process federation sells. */
  readonly snapshot: Snapshot;
  readonly delays?: Delays;
  /** What goes wrong in the in-process federation; default nothing. */
  readonly scenario?: Scenario;
  /** Where the first admin token is written, mode 0600, instead of being returned for printing. */
  readonly adminTokenFile?: string;
  /** How much callers may ask for; default `defaultRates`. */
  readonly rates?: Partial<Rates>;
  /** `silent`, or a level of pino; default `info`. */
  readonly logLevel?: string;
  /** Accepts and answers, but decides and moves nothing: for maintenance of the federation, and for measuring. */
  readonly hold?: boolean;
  /** Address to which every event is posted, at least once. */
  readonly eventSink?: string;
  /** Single sign-on; default none. */
  readonly sso?: SsoConfig;
  /** Where webhooks may go; default the public internet by HTTPS. */
  readonly webhooks?: Outside;
  /** Key that seals secrets in the database, 32 bytes in base64; default `secrets.key` in the folder, made when missing. */
  readonly secretKeyFile?: string;
  /** See `OpenOptions`: anything but the default loses answered requests, which one test wants to see. */
  readonly synchronous?: SqliteStoreOptions["synchronous"];
  /** The storage can no longer be trusted: the process is to end. */
  readonly onFatal: (message: string) => void;
}

/** A running service. */
export interface RunningService {
  readonly url: string;
  /** On the first start without a token file: the admin token, never to be had again. */
  readonly adminToken: string | null;
  /** What the store has done since the start. */
  stats(): StoreStats;
  /** Takes no new requests, answers the ones it has, finishes what is stored, lets go of everything. */
  close(): Promise<void>;
}

/** Name of the key in the data folder: not in the database, so that the database alone tells no secret. */
const SECRET_KEY_FILE = "secrets.key";

const TOKEN_LIFE_MS = 90 * 86_400_000;

/** Makes tenant `default` and, where no token exists yet, its admin token. */
async function bootstrap(env: Env, file: string | undefined): Promise<string | null> {
  const { store, clock, random, ids } = env;
  const tenant = trustTenant("default");
  const atMs = clock.wallMs();
  await store.system.ensureTenant({
    id: tenant,
    weight: 1,
    status: "active",
    quotas: "[]",
    cohort: null,
    created_ms: atMs,
  });
  if (await store.system.hasTokens()) return null;
  const { id, secret, text } = makeToken(random);
  // the file first: a token that is stored and was never shown could not be had again
  const draft = `${file}.${id}`;
  if (file !== undefined) writeFileSync(draft, `${text}\n`, { mode: 0o600, flag: "wx" });
  const isFirst = await store.system.createFirstToken({
    actor: "service",
    atMs,
    requestId: ids.next("start"),
    token: {
      id,
      tenant_id: tenant,
      hash: hashSecret(secret),
      permissions: JSON.stringify(["admin:*"]),
      name: "admin",
      created_by: "service",
      created_ms: atMs,
      expires_ms: atMs + TOKEN_LIFE_MS,
      revoked_ms: null,
      last_used_ms: null,
    },
  });
  if (file !== undefined)
    if (isFirst) renameSync(draft, file);
    // another replica was first: this token is none, and the file may be its
    else rmSync(draft);
  return isFirst && file === undefined ? text : null;
}

/**
 * Intents that wait to be tried out, over all callers: some seconds of work on ten thousand offers. Whoever comes then is
 * told to come back, instead of waiting behind all of them.
 */
const MOST_TRIED = 400;

/** Opens everything that keeps state or reaches outside. */
async function openEnv(options: ServeOptions): Promise<{ env: Env; elect: Storage["elect"] }> {
  const { snapshot, delays, scenario, logLevel = "info", eventSink } = options;
  const base = {
    clock: systemClock,
    timers: systemTimers,
    ids: createIds(systemClock, systemRandom),
    log: pino({ level: logLevel, base: null }, pino.destination({ dest: 2, sync: true })),
  };
  const { store, memory, elect } = await openStorage(
    { ...options, hasOutbox: eventSink !== undefined },
    base,
  );
  try {
    const federation = createInProcessFederation({
      ...base,
      ...memory,
      snapshot,
      ...(delays === undefined ? {} : { delays }),
      ...(scenario === undefined ? {} : { scenario }),
    });
    const env = {
      ...base,
      random: systemRandom,
      store,
      federation,
      http: systemHttp,
      plans: createThreadPlanner(),
      trials: createThreadPlanner(MOST_TRIED),
    };
    return { env, elect };
  } catch (error) {
    // its thread, or its connections, would keep the process alive
    await store.close();
    throw error;
  }
}

/** A control loop that does nothing. */
const holding: ControlLoop = { wake() {}, leads: () => true, round: async () => {}, stop: async () => {} };

/** The control loop, which waits for its election where replicas share the store. */
function startControl(env: Env, planner: Planner, elect: Storage["elect"]): ControlLoop {
  if (elect === undefined) return createControlLoop(env, planner);
  let wake: () => void = () => {};
  const leadership = elect(env, () => wake());
  const control = createControlLoop(env, planner, { leadership });
  wake = control.wake;
  // what other replicas accepted
  const unsubscribe = env.store.subscribe((_, isForeign) => void (isForeign && control.wake()));
  return {
    ...control,
    async stop() {
      unsubscribe();
      await control.stop();
    },
  };
}

/** What answers under way may take after the service was asked to stop. */
const GRACE_MS = 8000;

/**
 * Starts the whole product: store, federation, control loop, HTTP. The composition root of the service: the only
 * place where a store, a federation and the machine's clock are chosen.
 *
 * @throws {Error} when the folder is in use or the address cannot be had
 */
export async function serve(options: ServeOptions): Promise<RunningService> {
  const { host, port, data, adminTokenFile, eventSink, rates } = options;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(data);
  const ends: (() => Promise<void> | void)[] = [unlock];
  /** Ends what was begun, the last thing first. */
  const end = async (): Promise<void> => {
    for (const one of ends.reverse()) await one();
  };
  try {
    const { env, elect } = await openEnv(options);
    const { store, federation, plans, trials } = env;
    ends.push(
      () => store.close(),
      () => plans?.dispose(),
      () => trials?.dispose(),
      () => federation.close(),
      keepAnchors(env, anchorFile(join(data, ANCHOR_FILE))),
    );
    const adminToken = await bootstrap(env, adminTokenFile);
    if (eventSink !== undefined) {
      const outbox = createOutbox(env, httpSink(env.http, eventSink));
      outbox.wake();
      ends.push(() => outbox.stop());
    }
    const { webhooks = {}, secretKeyFile = join(data, SECRET_KEY_FILE) } = options;
    const key = readSecretKey(secretKeyFile, env.random, options.secretKeyFile === undefined);
    const hooks = { box: createSecretBox(key, env.random), ...createHookHttp(webhooks) };
    await compareKey(env, hooks.box);
    const sso =
      options.sso === undefined ? null : { config: options.sso, issuers: createIssuers(options.sso, env) };
    if (sso !== null) ends.push(() => sso.issuers.close());
    const planner = createPlanner(env);
    const control = options.hold === true ? holding : startControl(env, planner, elect);
    // of several replicas one sends: others would send the same again
    const dispatcher = createHookDispatcher(env, hooks, { mayDeliver: control.leads });
    ends.push(
      keepTidy(env, control.leads),
      () => hooks.http.close(),
      () => control.stop(),
      () => dispatcher.stop(),
    );
    const stop = new AbortController();
    const notReady = (): string | null =>
      stop.signal.aborted ? "the service is stopping" : (store.trouble?.() ?? null);
    const page = readPageFiles();
    const app = createApp({
      env,
      planner,
      control,
      stopping: stop.signal,
      notReady,
      registry: processRegistry(),
      hooks,
      ...(sso === null ? {} : { sso, authenticators: ssoAuthenticators(sso, tokenAuthenticator) }),
      ...(page === undefined ? {} : { page }),
      ...(rates === undefined ? {} : { rates }),
    });
    const listening = await listen((request, bindings) => app.fetch(request, bindings), host, port);
    ends.push(
      () => listening.close(GRACE_MS),
      () => stop.abort(),
    );
    control.wake();
    dispatcher.wake();
    return { url: listening.url, adminToken, stats: store.stats, close: end };
  } catch (error) {
    await end();
    throw error;
  }
}
