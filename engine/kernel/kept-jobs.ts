import { type Job, type JobSource, patchJob, recount, writeJob } from "./job.ts";
import type { Block } from "./memory.ts";
import type { Constraint, Query } from "./query.ts";
import { QueryKeys } from "./query-key.ts";

/** Jobs kept: enough for those in turn. */
const KEPT_JOBS = 64;
/** Bytes they may take, per row of the table and at least: rows decided by the caller take a bit per row each. */
const KEPT_BYTES_PER_ROW = 4;
const LEAST_KEPT_BYTES = 256 << 10;

/** What a table tells of its changes. */
interface Source extends JobSource {
  /** Grows when the layout of any column changes. */
  readonly layouts: number;
  /** Grows when a value changes. */
  readonly version: number;
  /** Runs `make` and returns the blocks that were allocated for it alone. */
  owning<T>(make: () => T): { readonly made: T; readonly owned: readonly Block[] };
}

/** A job with the blocks it owns, and the state of the table it was last brought to. */
interface Kept {
  readonly job: Job;
  readonly owned: readonly Block[];
  readonly bytes: number;
  /** What it is found by; see `QueryKeys`. */
  readonly key: string;
  readonly capacity: number;
  layouts: number;
  version: number;
  /** False once its memory was given back. */
  isKept: boolean;
  /** Asked for since it was last looked at for removal. */
  isAsked: boolean;
}

/**
 * Encoded queries, found by the object they were asked with, which costs nothing, or by their content: a later plan states
 * the same in new objects. When columns change they are patched where they stand. Whoever was not asked for lately goes
 * when others need the room.
 */
export class KeptJobs {
  /** How often queries were encoded from the start, and how often what was kept of them was patched. */
  written = 0;
  patched = 0;
  /** Bytes of kernel memory that kept jobs take. */
  bytes = 0;
  readonly #source: Source;
  readonly #keys: QueryKeys = new QueryKeys();
  readonly #jobs: Map<string, Kept> = new Map();
  /** By the object asked with: those of the best rows, and those of all rows. */
  readonly #best: WeakMap<object, Kept> = new WeakMap();
  readonly #all: WeakMap<object, Kept> = new WeakMap();

  constructor(source: Source) {
    this.#source = source;
  }

  /**
   * The job of these queries, as the table is now; valid until the next one is asked for.
   *
   * @param wantsAll every feasible row, neither scored nor counted
   */
  get(object: object, queries: readonly Query[], wantsAll = false): Job {
    const objects = wantsAll ? this.#all : this.#best;
    const known = objects.get(object);
    if (known?.isKept === true && this.#renew(known)) return known.job;
    const key = this.#keys.of(queries, wantsAll);
    const equal = this.#jobs.get(key);
    const kept = equal !== undefined && this.#renew(equal) ? equal : this.#keep(key, queries, wantsAll);
    objects.set(object, kept);
    return kept.job;
  }

  /** A job that nobody else will find. */
  write(queries: readonly Query[], wantsAll: boolean, key = ""): Kept {
    const source = this.#source;
    this.written++;
    const shared = this.#shared(queries);
    const { made: job, owned } = source.owning(() => writeJob(source, shared, wantsAll));
    const { capacity, layouts, version } = source;
    const bytes = owned.reduce((sum, block) => sum + block.bytes, job.block.bytes);
    return { job, owned, bytes, key, capacity, layouts, version, isKept: true, isAsked: true };
  }

  clear(): void {
    for (const kept of this.#jobs.values()) kept.isKept = false;
    this.#jobs.clear();
    this.bytes = 0;
  }

  #keep(key: string, queries: readonly Query[], wantsAll: boolean): Kept {
    const kept = this.write(queries, wantsAll, key);
    this.#jobs.set(key, kept);
    this.bytes += kept.bytes;
    this.#makeRoom();
    return kept;
  }

  /** Several queries with equal constraints share one, which is then computed once for all of them. */
  #shared(queries: readonly Query[]): readonly Query[] {
    if (queries.length === 1) return queries;
    const byKey = new Map<string, Constraint>();
    return queries.map((query) => ({
      ...query,
      constraints: query.constraints.map((constraint) => {
        const key = this.#keys.ofConstraint(constraint);
        const known = byKey.get(key);
        if (known === undefined) byKey.set(key, constraint);
        return known ?? constraint;
      }),
    }));
  }

  /** Brings a job up to the table as it is; where it would have to be written anew it goes, and false is returned. */
  #renew(kept: Kept): boolean {
    const source = this.#source;
    const { job, capacity, layouts, version } = kept;
    // with another capacity rows lie elsewhere
    const isPatched = capacity === source.capacity && (layouts === source.layouts || patchJob(source, job));
    if (!isPatched) {
      this.#forget(kept);
      return false;
    }
    if (layouts !== source.layouts) this.patched++;
    kept.layouts = source.layouts;
    if (version !== source.version) recount(source, job);
    kept.version = source.version;
    kept.isAsked = true;
    return true;
  }

  /** Lets go of the oldest that were not asked for since they were last looked at; the newest stays. */
  #makeRoom(): void {
    const most = Math.max(LEAST_KEPT_BYTES, KEPT_BYTES_PER_ROW * this.#source.capacity);
    while (this.#jobs.size > KEPT_JOBS || (this.bytes > most && this.#jobs.size > 1)) {
      const [oldest] = this.#jobs;
      const [key, kept] = oldest!;
      if (!kept.isAsked) {
        this.#forget(kept);
        continue;
      }
      kept.isAsked = false;
      this.#jobs.delete(key);
      this.#jobs.set(key, kept);
    }
  }

  #forget(kept: Kept): void {
    const { memory } = this.#source;
    kept.isKept = false;
    this.#jobs.delete(kept.key);
    this.bytes -= kept.bytes;
    memory.free(kept.job.block);
    for (const block of kept.owned) memory.free(block);
  }
}
