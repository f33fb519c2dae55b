import { stringify } from "yaml";
import { forgeSolver, type SolverDialect } from "../adapters/fluidos/solver.ts";
import { exitCodes } from "./exit.ts";
import { expandFolders, readIntents, readSource } from "./input.ts";
import { toText } from "./place.ts";

/** Flags of `flare export`. */
export interface ExportFlags {
  readonly dialect: SolverDialect;
  readonly architecture?: string;
  readonly json?: boolean;
  readonly strict: boolean;
}

/** `flare export`: the FLUIDOS Solver of each intent, as YAML documents or a JSON list. */
export function exportSolvers(files: readonly string[], flags: ExportFlags): number {
  const { dialect, architecture } = flags;
  const solvers = readIntents(expandFolders(files).map(readSource), flags.strict).map((intent) =>
    forgeSolver(intent, { dialect, ...(architecture === undefined ? {} : { architecture }) }),
  );
  process.stdout.write(
    flags.json === true
      ? toText({ apiVersion: "v1", kind: "List", items: solvers })
      : solvers.map((solver) => `---\n${stringify(solver)}`).join(""),
  );
  return exitCodes.ok;
}
