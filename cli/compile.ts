import { saveCatalog } from "../adapters/saved-catalog/save.ts";
import { exitCodes } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { readSnapshots } from "./input.ts";
import { writeOutput } from "./output.ts";
import type { PlaceFlags } from "./place.ts";
import { renderSkipped } from "./render/skipped.ts";

export type CompileFlags = PlaceFlags & { readonly out: string };

/** `flare compile`: reads and checks fixtures once, and writes one file that every command takes as a fixture. */
export async function compile(flags: CompileFlags): Promise<number> {
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const snapshot = readSnapshots(await readFixtures(flags), choices);
  process.stderr.write(renderSkipped(snapshot.skipped));
  const bytes = saveCatalog(snapshot);
  writeOutput(flags.out, bytes);
  const { length } = snapshot.offers;
  process.stderr.write(
    `${flags.out}: ${length} offer${length === 1 ? "" : "s"} as of ${snapshot.at}, ${bytes.length} bytes\n`,
  );
  return exitCodes.ok;
}
