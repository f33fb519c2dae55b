import { cascade } from "../../engine/milp/cascade.ts";
import type { Solver } from "../../engine/milp/solver.ts";
import type { Backend } from "./messages.ts";
import { backendLimits, createWorkerSolver } from "./worker-solver.ts";

/** What a user may ask for. `lagrangian` is the engine's own bound and search, without a solver. */
export const solverNames = ["auto", "highs", "glpk", "jslp", "lagrangian"] as const;

export type SolverName = (typeof solverNames)[number];

/** The npm package behind each backend. */
const packages: Readonly<Record<Backend, string>> = {
  highs: "highs",
  glpk: "glpk.js/node",
  jslp: "javascript-lp-solver",
};

/** True where the backend's package is installed; nothing of it is loaded. */
function isInstalled(backend: Backend): boolean {
  try {
    import.meta.resolve(packages[backend]);
    return true;
  } catch {
    return false;
  }
}

/**
 * The solver that a name stands for, each backend in a thread of its own; null where the engine works alone. `auto`
 * takes HiGHS, GLPK where HiGHS fails or is missing, and javascript-lp-solver for small linear programs where no WASM
 * can be loaded.
 *
 * @returns `missing` with the package's name when the backend asked for is not installed
 */
export function chooseSolver(name: SolverName): Solver | null | { readonly missing: string } {
  if (name === "lagrangian") return null;
  if (name !== "auto")
    return isInstalled(name) ? createWorkerSolver({ backend: name }) : { missing: packages[name] };
  const [first, ...rest] = (["highs", "glpk", "jslp"] as const).filter(isInstalled);
  if (first === undefined) return null;
  return cascade([createWorkerSolver({ backend: first }), ...rest.map(onDemand)]);
}

/** A worker that is started with its first request. */
function onDemand(backend: Backend): Solver {
  let solver: Solver | undefined;
  return {
    name: backend,
    limits: backendLimits[backend],
    solve(request) {
      solver ??= createWorkerSolver({ backend });
      return solver.solve(request);
    },
    async dispose() {
      await solver?.dispose();
    },
  };
}
