import { type Job, type JobSource, patchJob, recount, writeJob } from "./job.ts";
import type { Block } from "./memory.ts";
import type { Query } from "./query.ts";

/** Jobs kept: enough for those in turn; a job is small, what it points to is not. */
const KEPT_JOBS = 64;

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
  readonly capacity: number;
  layouts: number;
  version: number;
}

/** Encoded queries by the object they were asked with. When columns change they are patched where they stand. */
export class KeptJobs {
  /** How often queries were encoded from the start, and how often what was kept of them was patched. */
  written = 0;
  patched = 0;
  readonly #source: Source;
  readonly #jobs: Map<object, Kept> = new Map();

  constructor(source: Source) {
    this.#source = source;
  }

  /** The job of these queries, as the table is now. */
  get(key: object, queries: readonly Query[]): Job {
    const source = this.#source;
    const known = this.#jobs.get(key);
    if (known !== undefined && this.#patch(known)) {
      if (known.version !== source.version) recount(source, known.job);
      known.version = source.version;
      return known.job;
    }
    if (known !== undefined) this.#forget(key, known);
    const kept = this.write(queries, false);
    this.#jobs.set(key, kept);
    if (this.#jobs.size > KEPT_JOBS) {
      const [oldest] = this.#jobs;
      this.#forget(...oldest!);
    }
    return kept.job;
  }

  /** A job that nobody else will find; the caller releases it. */
  write(queries: readonly Query[], wantsAll: boolean): Kept {
    const source = this.#source;
    this.written++;
    const { made: job, owned } = source.owning(() => writeJob(source, queries, wantsAll));
    const { capacity, layouts, version } = source;
    return { job, owned, capacity, layouts, version };
  }

  release({ job, owned }: Kept): void {
    const { memory } = this.#source;
    memory.free(job.block);
    for (const block of owned) memory.free(block);
  }

  /** Bytes of kernel memory that kept jobs take. */
  get bytes(): number {
    let bytes = 0;
    for (const { job, owned } of this.#jobs.values()) {
      bytes += job.block.bytes;
      for (const block of owned) bytes += block.bytes;
    }
    return bytes;
  }

  clear(): void {
    this.#jobs.clear();
  }

  #patch(kept: Kept): boolean {
    const source = this.#source;
    // where rows lie has changed
    if (kept.capacity !== source.capacity) return false;
    if (kept.layouts === source.layouts) return true;
    if (!patchJob(source, kept.job)) return false;
    this.patched++;
    kept.layouts = source.layouts;
    return true;
  }

  #forget(key: object, kept: Kept): void {
    this.#jobs.delete(key);
    this.release(kept);
  }
}
