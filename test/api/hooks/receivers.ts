import { createHookDispatcher, type HookDispatcher } from "../../../api/hooks/dispatcher.ts";
import { createSecretBox, KEY_BYTES } from "../../../api/hooks/secret-box.ts";
import type { HookTools } from "../../../api/hooks/sender.ts";
import type { Permission } from "../../../api/http/permissions.ts";
import { createDrivenService, type DrivenService, seededBytes, wish } from "../driven-env.ts";

/** A request as a receiver saw it. */
export interface Received {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly atMs: number;
}

/** What a receiver does with a request: a status, a promise of one, or an exception for no answer. */
export type Behaviour = (request: Received) => number | Promise<number>;

const everything: readonly Permission[] = [
  "intents:read",
  "intents:write",
  "intents:delete",
  "webhooks:manage",
];

export interface Receivers {
  readonly service: DrivenService;
  readonly hooks: HookTools;
  readonly dispatcher: HookDispatcher;
  readonly received: Received[];
  readonly behaviours: Record<string, Behaviour>;
  /** A new token each time: they live shorter than what is tested here lasts. */
  fresh(): Promise<string>;
  /** Kinds that arrived at an address, with their ids, in order. */
  at(url: string): string[];
  hook(
    url: string,
    more?: object,
    as?: string,
  ): Promise<{ id: string; secret: string; answer: Awaited<ReturnType<DrivenService["request"]>> }>;
  /** An intent that is accepted and cancelled: two events. */
  twoEvents(as?: string): Promise<void>;
  /** Lets time pass in steps, delivering what falls due. */
  pass(ms: number, stepMs?: number): Promise<void>;
  webhook(id: string): Promise<Record<string, unknown>>;
  deliveries(id: string, query?: string): Promise<Record<string, unknown>[]>;
}

/** A driven service with webhooks whose receivers are functions, by URL. */
export async function createReceivers(behaviours: Record<string, Behaviour> = {}): Promise<Receivers> {
  const received: Received[] = [];
  const random = { bytes: seededBytes(11) };
  let service: DrivenService;
  const hooks: HookTools = {
    box: createSecretBox(random.bytes(KEY_BYTES), random),
    refuse: (url) => (url.startsWith("https://") ? null : "scheme is not allowed"),
    http: {
      async send({ url, headers, body = "" }) {
        const request = { url, headers, body, atMs: service.time.wallMs() };
        received.push(request);
        return { status: await (behaviours[url]?.(request) ?? 204), body: "receiver says" };
      },
    },
  };
  service = await createDrivenService({ hooks });
  const dispatcher = createHookDispatcher(service.env, hooks);
  const fresh = () => service.token(everything, "acme");
  let made = 0;
  return {
    service,
    hooks,
    dispatcher,
    received,
    behaviours,
    fresh,
    at: (url: string) =>
      received
        .filter((one) => one.url === url)
        .map(
          ({ headers, body }) => `${headers["webhook-id"]} ${(JSON.parse(body) as { type: string }).type}`,
        ),
    async hook(url: string, more: object = {}, as?: string) {
      const answer = await service.request(as ?? (await fresh()), "POST", "/webhooks", { url, ...more });
      return { id: String(answer.body["webhook_id"]), secret: String(answer.body["secret"]), answer };
    },
    async twoEvents(as?: string) {
      const by = as ?? (await fresh());
      const answer = await service.request(by, "POST", "/intents", wish(`w${++made}`, 1));
      await service.request(by, "DELETE", `/intents/${String(answer.body["intent_id"])}`);
    },
    async pass(ms: number, stepMs = 60_000) {
      for (let left = ms; left > 0; left -= stepMs) {
        service.time.pass(Math.min(left, stepMs));
        await dispatcher.settle();
      }
    },
    webhook: async (id: string) => (await service.request(await fresh(), "GET", `/webhooks/${id}`)).body,
    deliveries: async (id: string, query = "") =>
      (await service.request(await fresh(), "GET", `/webhooks/${id}/deliveries${query}`)).body[
        "deliveries"
      ] as Record<string, unknown>[],
  };
}
