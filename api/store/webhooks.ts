import type { Act, Answered, Once } from "./act.ts";
import type { DeliveryRow, EventRow, WebhookRow } from "./schema.ts";

/** Columns of a webhook that its tenant may set. */
export type WebhookChange = Partial<Pick<WebhookRow, "url" | "description" | "events" | "status">>;

export type WebhookChanged =
  | { readonly kind: "changed"; readonly webhook: WebhookRow }
  | { readonly kind: "version_differs"; readonly webhook: WebhookRow }
  | { readonly kind: "not_found" };

/** How one try to deliver ended. */
export interface Attempt {
  readonly atMs: number;
  /** HTTP status of the answer; null: there was none. */
  readonly status: number | null;
  /** Null: it arrived. */
  readonly error: string | null;
  /** Beginning of an answer that was no success. */
  readonly answer: string | null;
  readonly durationMs: number;
}

/** A message that is to be sent, with the event it tells of. */
export interface QueuedDelivery {
  readonly delivery: DeliveryRow;
  readonly event: EventRow;
}

/** What webhooks are at, over all tenants. */
export interface WebhookCounts {
  /** The last try arrived, or there was none. */
  readonly healthy: number;
  readonly failing: number;
  readonly disabled: number;
  /** Messages that are queued, those of disabled webhooks included. */
  readonly waiting: number;
}

/** Webhooks of one tenant. */
export interface TenantWebhooks {
  /** Null when the tenant has `most` already. It gets the events that follow. */
  createWebhook(
    input: Act &
      Once & {
        readonly webhook: Pick<WebhookRow, "id" | "url" | "description" | "events" | "status" | "secret">;
        readonly most: number;
      },
  ): Promise<WebhookRow | null | Answered>;
  webhooks(): Promise<readonly WebhookRow[]>;
  webhook(id: string): Promise<WebhookRow | null>;
  /** Made active again it goes on where it stopped, and tries at once. */
  changeWebhook(
    input: Act & { readonly id: string; readonly version: number; readonly set: WebhookChange },
  ): Promise<WebhookChanged>;
  /** The secret until now signs beside the new one until `previousUntilMs`. */
  rotateWebhook(
    input: Act & { readonly id: string; readonly secret: string; readonly previousUntilMs: number },
  ): Promise<WebhookRow | null>;
  /** With its queue and its log. */
  deleteWebhook(input: Act & { readonly id: string }): Promise<WebhookRow | null>;
  /**
   * Puts events of the past that pass its filter at the end of its queue, by numbers, or all from `sinceMs` on, up to
   * `limit`. Returns how many; null: there is no such webhook.
   */
  replayWebhook(
    input: Act & {
      readonly id: string;
      readonly seqs?: readonly number[];
      readonly sinceMs?: number;
      readonly limit: number;
    },
  ): Promise<number | null>;
  /** Newest first. */
  deliveries(input: {
    readonly webhook: string;
    readonly state?: string;
    readonly before?: number;
    readonly limit: number;
  }): Promise<readonly DeliveryRow[]>;
  /** Enters a test into the log. One that arrived makes the queue try again at once. */
  logTest(input: Attempt & { readonly id: string; readonly messageId: string }): Promise<DeliveryRow | null>;
}

/** Queues of the webhooks of all tenants. */
export interface WebhookQueues {
  /**
   * Active webhooks of active tenants that may have something to send: the first of their queue is due, or nothing is in
   * it and events with numbers above `after` happened to their tenants. Also the number of the last event.
   */
  webhookWork(input: {
    readonly after: number;
    readonly nowMs: number;
  }): Promise<{ readonly last: number; readonly webhooks: readonly WebhookRow[] }>;
  /** How many webhooks there are, by what they are at, and messages that wait. */
  webhookCounts(): Promise<WebhookCounts>;
  /** The webhook as it is now, with the first of its queue; null when it is gone, or its tenant suspended. */
  webhookQueue(
    id: string,
  ): Promise<{ readonly webhook: WebhookRow; readonly first: QueuedDelivery | null } | null>;
  /**
   * Moves a webhook's position on from `from` and puts what passed its filter into its queue. Nothing happens when the
   * position is no longer `from`: somebody else did it.
   */
  queueDeliveries(input: {
    readonly id: string;
    readonly from: number;
    readonly to: number;
    readonly events: readonly { readonly seq: number; readonly kind: string }[];
    readonly atMs: number;
  }): Promise<boolean>;
  /**
   * Notes how a try ended, unless somebody else noted this one. `retryMs` is when to try again; null: never. The webhook
   * is disabled, with an event, at once when `isGone`, or when nothing has arrived for `disableAfterMs`.
   */
  recordAttempt(
    input: Attempt & {
      readonly delivery: number;
      /** Tries before this one. */
      readonly attempts: number;
      readonly retryMs: number | null;
      readonly isGone: boolean;
      readonly disableAfterMs: number;
      readonly requestId: string;
    },
  ): Promise<boolean>;
}
