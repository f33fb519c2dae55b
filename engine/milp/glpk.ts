import type { LinearModel } from "./model.ts";
import { noAnswer, type SolveAnswer, type SolveRequest, type Solver } from "./solver.ts";

/** What is used of the optional peer `glpk.js`, written down here because its types may be absent. */
interface Glpk {
  readonly GLP_MIN: number;
  readonly GLP_FR: number;
  readonly GLP_LO: number;
  readonly GLP_UP: number;
  readonly GLP_DB: number;
  readonly GLP_FX: number;
  readonly GLP_MSG_OFF: number;
  readonly GLP_FEAS: number;
  readonly GLP_NOFEAS: number;
  readonly GLP_OPT: number;
  readonly GLP_UNBND: number;
  solve(problem: GlpkProblem, options: { msglev: number; tmlim?: number; mipgap?: number }): GlpkResult;
}

interface GlpkBound {
  readonly type: number;
  readonly lb: number;
  readonly ub: number;
}

interface GlpkProblem {
  readonly name: string;
  readonly objective: {
    direction: number;
    name: string;
    vars: { name: string; coef: number }[];
  };
  readonly subjectTo: { name: string; vars: { name: string; coef: number }[]; bnds: GlpkBound }[];
  readonly bounds: ({ name: string } & GlpkBound)[];
  readonly generals: string[];
}

interface GlpkResult {
  readonly result: {
    readonly status: number;
    readonly z: number;
    readonly vars: Readonly<Record<string, number>>;
    readonly dual?: Readonly<Record<string, number>>;
  };
}

function boundOf(glpk: Glpk, lower: number, upper: number): GlpkBound {
  const hasLower = Number.isFinite(lower);
  const hasUpper = Number.isFinite(upper);
  const type = !hasLower
    ? hasUpper
      ? glpk.GLP_UP
      : glpk.GLP_FR
    : !hasUpper
      ? glpk.GLP_LO
      : lower === upper
        ? glpk.GLP_FX
        : glpk.GLP_DB;
  return { type, lb: hasLower ? lower : 0, ub: hasUpper ? upper : 0 };
}

function problemOf(glpk: Glpk, model: LinearModel): GlpkProblem {
  const names = Array.from({ length: model.cols }, (_, column) => `x${column}`);
  return {
    name: "model",
    objective: {
      direction: glpk.GLP_MIN,
      name: "cost",
      vars: names.map((name, column) => ({ name, coef: model.cost[column]! })),
    },
    subjectTo: Array.from({ length: model.rows }, (_, row) => ({
      name: `r${row}`,
      vars: Array.from(
        model.indices.subarray(model.starts[row]!, model.starts[row + 1]!),
        (column, offset) => ({
          name: names[column]!,
          coef: model.values[model.starts[row]! + offset]!,
        }),
      ),
      bnds: boundOf(glpk, model.rowLower[row]!, model.rowUpper[row]!),
    })).filter((row) => row.vars.length > 0),
    bounds: names.map((name, column) => ({
      name,
      ...boundOf(glpk, model.colLower[column]!, model.colUpper[column]!),
    })),
    generals: model.integer === undefined ? [] : names.filter((_, column) => model.integer![column] === 1),
  };
}

/**
 * Status 1 (undefined) with all-zero values means "nothing found" and is answered so. A mixed-integer answer
 * carries no bound unless it is optimal; the LP's duals come from the simplex.
 */
function answerOf(glpk: Glpk, request: SolveRequest, { result }: GlpkResult): SolveAnswer {
  const { model } = request;
  if (result.status === glpk.GLP_NOFEAS) return noAnswer("infeasible", "GLPK status 4");
  if (result.status === glpk.GLP_UNBND) return noAnswer("unbounded", "GLPK status 6");
  const isOptimal = result.status === glpk.GLP_OPT;
  if (!isOptimal && result.status !== glpk.GLP_FEAS)
    return noAnswer("unknown", `GLPK status ${result.status}`);
  const values = Float64Array.from(
    { length: model.cols },
    (_, column) => result.vars[`x${column}`] ?? Number.NaN,
  );
  const { dual } = result;
  return {
    status: isOptimal ? "optimal" : "feasible",
    values,
    bound: isOptimal && (request.gap ?? 0) === 0 ? result.z : -Infinity,
    rowDuals:
      model.integer === undefined && isOptimal && dual !== undefined
        ? Float64Array.from({ length: model.rows }, (_, row) => dual[`r${row}`] ?? 0)
        : null,
    basis: null,
  };
}

/**
 * GLPK through the optional peer dependency `glpk.js` (GPL-3.0, never bundled), or null where it is not
 * installed. Solves in this thread.
 */
export async function createGlpkSolver(): Promise<Solver | null> {
  // a name the bundler cannot follow keeps the optional package out of every bundle
  const packageName = ["glpk.js", "node"].join("/");
  let glpk: Glpk;
  try {
    const module: { default: () => Promise<Glpk> } = await import(packageName);
    glpk = await module.default();
  } catch {
    return null;
  }
  return {
    name: "glpk",
    limits: { integers: true, duals: true, deadline: true, maxCols: 20_000, maxEntries: 500_000 },
    async solve(request) {
      const { model } = request;
      if (model.cols === 0) return noAnswer("unknown", "GLPK takes no model without columns");
      // an empty row never reaches GLPK, so its bounds are tested here
      for (let row = 0; row < model.rows; row++) {
        if (model.starts[row] !== model.starts[row + 1]) continue;
        if (model.rowLower[row]! > 0 || model.rowUpper[row]! < 0)
          return noAnswer("infeasible", `row ${row} has no entries`);
      }
      return answerOf(
        glpk,
        request,
        glpk.solve(problemOf(glpk, model), {
          msglev: glpk.GLP_MSG_OFF,
          ...(request.deadlineMs === undefined
            ? {}
            : { tmlim: Math.max(1, Math.ceil(request.deadlineMs / 1000)) }),
          ...(request.gap === undefined ? {} : { mipgap: request.gap }),
        }),
      );
    },
    async dispose() {
      // nothing is held between solves
    },
  };
}
