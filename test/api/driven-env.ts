import {
  createInProcessFederation,
  type Delays,
  defaultDelays,
} from "../../adapters/federation/in-process.ts";
import type { Scenario } from "../../adapters/federation/scenario.ts";
import { readSnapshot } from "../../adapters/json/snapshot.ts";
import type { Federation } from "../../adapters/port.ts";
import { type ControlLoop, createControlLoop, type LoopOptions } from "../../api/control/loop.ts";
import type { PlanRunner } from "../../api/control/plan-job.ts";
import { createPlanner, type Planner } from "../../api/control/planner.ts";
import type { Clock, Env, Log, Timers } from "../../api/env.ts";
import { createSecretBox, KEY_BYTES } from "../../api/hooks/secret-box.ts";
import { createApp } from "../../api/http/app.ts";
import type { Permission } from "../../api/http/permissions.ts";
import type { Service } from "../../api/http/route.ts";
import { hashSecret, makeToken } from "../../api/http/token.ts";
import { createIds } from "../../api/platform/node-env.ts";
import { openLocalStore } from "../../api/store/sqlite-store.ts";
import type { Store } from "../../api/store/store.ts";
import { type TenantId, trustTenant } from "../../api/store/tenant.ts";
import type { Snapshot } from "../../engine/model/snapshot.ts";

/** A clock and timers that only move when a test says so. */
export interface DrivenTime extends Clock, Timers {
  /** Moves on, running what falls due in its order. */
  pass(ms: number): void;
}

export function createDrivenTime(startMs: number = Date.parse("2026-03-01T00:00:00Z")): DrivenTime {
  let nowMs = startMs;
  let made = 0;
  const waiting = new Map<number, { dueMs: number; run: () => void }>();
  return {
    wallMs: () => nowMs,
    monoMs: () => nowMs - startMs,
    after(delayMs, run) {
      const id = ++made;
      waiting.set(id, { dueMs: nowMs + delayMs, run });
      return () => void waiting.delete(id);
    },
    pass(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const due = [...waiting].filter(([, { dueMs }]) => dueMs <= endMs);
        const [next] = due.sort(([a, x], [b, y]) => x.dueMs - y.dueMs || a - b);
        if (next === undefined) break;
        const [id, { dueMs, run }] = next;
        waiting.delete(id);
        nowMs = Math.max(nowMs, dueMs);
        run();
      }
      nowMs = endMs;
    },
  };
}

/** Bytes from a seed (SplitMix32): unpredictable to nobody. */
export function seededBytes(seed: number): (count: number) => Uint8Array {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  return (count) => Uint8Array.from({ length: count }, () => next() & 255);
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

export interface DrivenOptions
  extends Pick<Service, "rates" | "page" | "registry" | "authenticators" | "hooks" | "sso"> {
  readonly snapshot?: Snapshot;
  readonly delays?: Delays;
  readonly scenario?: Scenario;
  readonly store?: Store;
  readonly time?: DrivenTime;
  readonly log?: Log;
  readonly loop?: LoopOptions;
  /** Where everything is tried out that nobody acts on. */
  readonly trials?: PlanRunner;
  /** Puts something between the service and the federation. */
  readonly wrap?: (federation: Federation) => Federation;
}

/** A whole service without sockets, threads or real time. */
export interface DrivenService extends Service {
  readonly env: Env;
  readonly time: DrivenTime;
  readonly planner: Planner;
  readonly control: ControlLoop;
  readonly app: ReturnType<typeof createApp>;
  /** A new token of a tenant, which is made when missing. */
  token(permissions: readonly Permission[], tenant?: string): Promise<string>;
  request(
    token: string | null,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers; text: string }>;
  /** Rounds of the control loop with `ms` passing between them, in `steps` parts. */
  run(ms: number, steps?: number): Promise<void>;
}

/** Two providers: four A100 sold one by one, and a node of eight H100 sold whole. */
export const twoOffers: Snapshot = readSnapshot({
  version: "two",
  at: "2026-03-01T00:00:00Z",
  offers: [
    {
      id: "one-by-one",
      provider: "alpha",
      region: "eu-central-1",
      gpus: 4,
      traits: {
        gpu: { model: "nvidia-a100" },
        cost: { hourly_rate: "2 EUR", basis: "gpu" },
      },
      capacity: { cpu: "64", memory: "512Gi", pods: 110 },
    },
    {
      id: "whole-node",
      provider: "beta",
      region: "eu-west-1",
      gpus: 8,
      traits: { gpu: { model: "nvidia-h100" }, cost: { hourly_rate: "20 EUR" } },
      capacity: { cpu: "64", memory: "512Gi", pods: 110 },
    },
  ],
});

export async function createDrivenService(options: DrivenOptions = {}): Promise<DrivenService> {
  const { snapshot = twoOffers, delays = defaultDelays, log = silent } = options;
  const time = options.time ?? createDrivenTime();
  const random = { bytes: seededBytes(7) };
  const { scenario = {} } = options;
  const plain = createInProcessFederation({ snapshot, clock: time, timers: time, delays, scenario });
  const federation = options.wrap?.(plain) ?? plain;
  const env: Env = {
    clock: time,
    timers: time,
    random,
    ids: createIds(time, random),
    store: options.store ?? (await openLocalStore()),
    federation,
    http: { send: () => Promise.reject(new Error("no way out")) },
    log,
    ...(options.trials === undefined ? {} : { trials: options.trials }),
  };
  const planner = createPlanner(env);
  const control = createControlLoop(env, planner, options.loop);
  const service: Service = {
    hooks: { box: createSecretBox(random.bytes(KEY_BYTES), random), http: env.http, refuse: () => null },
    ...options,
    env,
    planner,
    control,
    stopping: new AbortController().signal,
    notReady: () => null,
  };
  const app = createApp(service);
  return {
    ...service,
    env,
    planner,
    control,
    time,
    app,
    async token(permissions, tenant = "default") {
      const id: TenantId = trustTenant(tenant);
      await env.store.system.ensureTenant({
        id,
        weight: 1,
        status: "active",
        quotas: "[]",
        cohort: null,
        created_ms: time.wallMs(),
      });
      const token = makeToken(random);
      await env.store.forTenant(id).createToken({
        actor: "test",
        atMs: time.wallMs(),
        requestId: "test",
        token: {
          id: token.id,
          hash: hashSecret(token.secret),
          permissions: JSON.stringify(permissions),
          name: "test",
          created_by: "test",
          created_ms: time.wallMs(),
          expires_ms: time.wallMs() + 86_400_000,
          revoked_ms: null,
          last_used_ms: null,
        },
      });
      return token.text;
    },
    async request(token, method, path, body, headers = {}) {
      const answer = await app.request(path, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      const isJson = answer.headers.get("content-type")?.includes("json") === true;
      return {
        status: answer.status,
        headers: answer.headers,
        text,
        body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
      };
    },
    async run(ms, steps = 10) {
      await control.round();
      for (let step = 0; step < steps; step++) {
        time.pass(ms / steps);
        await control.round();
      }
    },
  };
}

/** An intent for `gpus` GPUs, in the documented form. */
export function wish(name: string, gpus: number, more: object = {}): object {
  return {
    intent: {
      objective: "Cost_Minimization",
      workload: {
        type: "service",
        name,
        image: "registry.example.org/work:1",
        resources: { cpu: "1", memory: "1Gi", gpu: { count: gpus } },
        ports: [{ port: 8000 }],
      },
      ...more,
    },
  };
}
