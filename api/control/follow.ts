import type { Flavor } from "../../engine/model/flavor.ts";
import type { Holding, Snapshot } from "../../engine/model/snapshot.ts";
import type { Books } from "./books.ts";
import { type Change, changeHeld, type Held, offerChanges, type Rest, restChanges } from "./change.ts";
import type { PlanJob } from "./plan-job.ts";

/** The federation at one moment, without what we hold: that is in the books. */
export interface Scene {
  /** Sorted by id; untouched offers keep their identity from scene to scene. */
  readonly offers: readonly Flavor[];
  readonly rest: Rest;
  /** Where the parts that never change are: currency, rates, hub, and what readers noted. */
  readonly source: Snapshot;
}

/** Somebody who is told each scene as what has changed since the one before, beginning with a whole one. */
export interface Follower {
  /** What makes the last scene and the books of then the present ones. Begins anew when the epoch is another one. */
  follow(scene: Scene, epoch: number): Pick<PlanJob, "catalog" | "change">;
  /** Our holdings as they were told so far, in that order. */
  own(): readonly (readonly [string, Holding])[];
  /** What was told may not have arrived: the next call begins anew. */
  forget(): void;
}

export function createFollower(books: Books): Follower {
  const changedKeys = books.watch();
  let told: { offers: readonly Flavor[]; rest: Rest; readonly held: Held; readonly epoch: number } | null =
    null;
  return {
    follow(scene, epoch) {
      const { offers, rest, source } = scene;
      const keys = changedKeys();
      const differing = told?.epoch === epoch ? restChanges(told.rest, rest) : null;
      if (told === null || differing === null) {
        const catalog = { ...source, ...rest, offers };
        const change: Change = { own: [...books.holdings] };
        told = { offers, rest, held: { foreign: rest.holdings, own: new Map() }, epoch };
        changeHeld(told.held, change);
        return { catalog, change };
      }
      const { held } = told;
      const own = [...keys].flatMap((key): [string, Holding | null][] => {
        const holding = books.holdings.get(key) ?? null;
        return holding === null && !held.own.has(key) ? [] : [[key, holding]];
      });
      const change: Change = {
        ...offerChanges(told.offers, offers),
        ...(own.length === 0 ? {} : { own }),
        rest: differing,
      };
      changeHeld(held, change);
      told.offers = offers;
      told.rest = rest;
      return { change };
    },
    own: () => [...(told?.held.own ?? [])],
    forget() {
      told = null;
    },
  };
}
