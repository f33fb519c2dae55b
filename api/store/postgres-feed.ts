import type pg from "pg";
import type { Cancel } from "../env.ts";
import { connect, drop, type PostgresOptions } from "./postgres.ts";
import { CHANNEL } from "./postgres-writer.ts";

export interface FeedOptions extends PostgresOptions {
  /** How often the log is looked at without any hint, milliseconds. */
  readonly pollMs: number;
  /** False: no hints, as behind a pooler that does not carry them. */
  readonly hasHints: boolean;
  /** The number of the last event, whenever it was looked at. */
  readonly onEvents: (lastSeq: number) => void;
  /** Somebody changed tokens. */
  readonly onTokens: () => void;
}

/** The following of a log. */
export interface Feed {
  /** True while the database does not answer. */
  isTroubled(): boolean;
  stop(): Promise<void>;
}

/**
 * What other processes wrote: a connection of its own that looks at the log, on every hint and in any case every
 * `pollMs`. Hints may be late, doubled or lost; they only make it look sooner.
 */
export function followFeed(options: FeedOptions): Feed {
  const { timers, log, pollMs, hasHints, onEvents, onTokens } = options;
  let client: pg.Client | null = null;
  let timer: Cancel | null = null;
  let active: Promise<void> | null = null;
  let isHinted = false;
  let isStopped = false;
  let isTroubled = false;

  const open = async (): Promise<pg.Client> => {
    const made = await connect(options);
    made.on("notification", ({ payload }) => {
      if (payload === "tokens") onTokens();
      look();
    });
    if (hasHints) await made.query(`listen ${CHANNEL}`);
    return made;
  };
  const poll = async (): Promise<void> => {
    try {
      client ??= await open();
      const { rows } = await client.query<{ seq: number | null }>("select max(seq) as seq from events");
      const seq = rows[0]?.seq;
      if (isTroubled) log.info({}, "the log is followed again");
      isTroubled = false;
      if (seq !== null && seq !== undefined && !isStopped) onEvents(seq);
    } catch (error) {
      if (client !== null) drop(client);
      client = null;
      // once, not four times a second
      if (!isStopped && !isTroubled) log.warn({ error: String(error) }, "the log could not be followed");
      isTroubled = true;
    }
  };
  const look = (): void => {
    if (isStopped) return;
    if (active !== null) {
      isHinted = true;
      return;
    }
    timer?.();
    active = poll().finally(() => {
      active = null;
      if (isStopped) return;
      if (isHinted && client !== null) look();
      else timer = timers.after(pollMs, look);
    });
    isHinted = false;
  };
  look();
  return {
    isTroubled: () => isTroubled,
    async stop() {
      isStopped = true;
      timer?.();
      await active;
      if (client !== null) await client.end();
    },
  };
}
