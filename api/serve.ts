import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { pino } from "pino";
import { createInProcessFederation, type Delays } from "../adapters/federation/in-process.ts";
import { openJournal } from "../adapters/federation/journal.ts";
import { createWorkerSolver } from "../adapters/solver/worker-solver.ts";
import type { Snapshot } from "../engine/model/snapshot.ts";
import { createControlLoop } from "./control/loop.ts";
import { createPlanner } from "./control/planner.ts";
import type { Env } from "./env.ts";
import { createApp } from "./http/app.ts";
import { hashSecret, makeToken } from "./http/token.ts";
import { lockFolder } from "./platform/lock.ts";
import { createIds, systemClock, systemHttp, systemRandom, systemTimers } from "./platform/node-env.ts";
import { openSqliteStore } from "./store/sqlite-store.ts";
import { trustTenant } from "./store/tenant.ts";

export interface ServeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Folder of the database; made when missing. */
  readonly data: string;
  /** What the in-process federation sells. */
  readonly snapshot: Snapshot;
  readonly delays?: Delays;
  /** Where the first admin token is written, mode 0600, instead of being returned for printing. */
  readonly adminTokenFile?: string;
  /** `silent`, or a level of pino; default `info`. */
  readonly logLevel?: string;
  /** The storage can no longer be trusted: the process is to end. */
  readonly onFatal: (message: string) => void;
}

/** A running service. */
export interface RunningService {
  readonly url: string;
  /** On the first start without a token file: the admin token, never to be had again. */
  readonly adminToken: string | null;
  /** Takes no new requests, answers the ones it has, finishes what is stored, lets go of everything. */
  close(): Promise<void>;
}

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
  if (file !== undefined) {
    writeFileSync(file, `${text}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
  }
  await store.forTenant(tenant).createToken({
    actor: "service",
    atMs,
    requestId: ids.next("start"),
    token: {
      id,
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
  return file === undefined ? text : null;
}

/**
 * Starts the whole product: store, federation, control loop, HTTP. The composition root of the service: the only
 * place where a store, a federation and the machine's clock are chosen.
 *
 * @throws {Error} when the folder is in use or the address cannot be had
 */
export async function serve(options: ServeOptions): Promise<RunningService> {
  const { host, port, data, snapshot, delays, adminTokenFile, logLevel = "info", onFatal } = options;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(data);
  const log = pino({ level: logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  const store = await openSqliteStore({ path: join(data, "flare.db"), onFatal });
  const federation = createInProcessFederation({
    snapshot,
    clock: systemClock,
    timers: systemTimers,
    journal: openJournal(join(data, "federation.db")),
    ...(delays === undefined ? {} : { delays }),
  });
  const solver = createWorkerSolver();
  const env: Env = {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    ids: createIds(systemClock, systemRandom),
    store,
    federation,
    http: systemHttp,
    log,
    solver,
  };
  const adminToken = await bootstrap(env, adminTokenFile);
  const planner = createPlanner(env);
  const control = createControlLoop(env, planner);
  let notReady: string | null = null;
  const app = createApp({ env, planner, control, notReady: () => notReady });
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  control.wake();
  const address = server.address() as AddressInfo;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
  return {
    url,
    adminToken,
    async close() {
      notReady = "the service is stopping";
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ("closeIdleConnections" in server) server.closeIdleConnections();
      });
      await control.stop();
      await federation.close();
      await solver.dispose();
      await store.close();
      unlock();
    },
  };
}
