import type { LinearModel } from "./model.ts";
import { noAnswer, type SolveAnswer, type Solver } from "./solver.ts";

/** What is used of the optional peer `javascript-lp-solver`. */
interface JavaScriptLp {
  Solve(model: JavaScriptLpModel): Readonly<Record<string, unknown>>;
}

interface JavaScriptLpModel {
  readonly optimize: "cost";
  readonly opType: "min";
  readonly constraints: Record<string, { min?: number; max?: number; equal?: number }>;
  readonly variables: Record<string, Record<string, number>>;
}

/** The package knows only columns >= 0, so every column is shifted by its lower bound. */
function modelOf(model: LinearModel): JavaScriptLpModel {
  const constraints: JavaScriptLpModel["constraints"] = {};
  const variables: JavaScriptLpModel["variables"] = {};
  for (let column = 0; column < model.cols; column++) {
    variables[`x${column}`] = { cost: model.cost[column]!, [`u${column}`]: 1 };
    constraints[`u${column}`] = { max: model.colUpper[column]! - model.colLower[column]! };
  }
  for (let row = 0; row < model.rows; row++) {
    let shift = 0;
    for (let entry = model.starts[row]!; entry < model.starts[row + 1]!; entry++) {
      const column = model.indices[entry]!;
      const variable = variables[`x${column}`]!;
      variable[`r${row}`] = (variable[`r${row}`] ?? 0) + model.values[entry]!;
      shift += model.values[entry]! * model.colLower[column]!;
    }
    const lower = model.rowLower[row]! - shift;
    const upper = model.rowUpper[row]! - shift;
    constraints[`r${row}`] =
      lower === upper
        ? { equal: lower }
        : {
            ...(Number.isFinite(lower) ? { min: lower } : {}),
            ...(Number.isFinite(upper) ? { max: upper } : {}),
          };
  }
  return { optimize: "cost", opType: "min", constraints, variables };
}

function answerOf(model: LinearModel, result: Readonly<Record<string, unknown>>): SolveAnswer {
  if (result["feasible"] !== true) return noAnswer("infeasible", "javascript-lp-solver finds no point");
  if (result["bounded"] === false) return noAnswer("unbounded", "javascript-lp-solver: unbounded");
  const values = Float64Array.from({ length: model.cols }, (_, column) => {
    // the package rounds and leaves zero columns out
    const value = result[`x${column}`] ?? 0;
    return model.colLower[column]! + (typeof value === "number" ? value : Number.NaN);
  });
  let objective = 0;
  for (let column = 0; column < model.cols; column++) objective += model.cost[column]! * values[column]!;
  return { status: "optimal", values, bound: objective, rowDuals: null, basis: null };
}

/**
 * `javascript-lp-solver`, pure JavaScript, for small LPs where no WASM can be loaded; null where it is not
 * installed. It takes no integers (on a timeout it returned infeasible values flagged feasible) and gives no
 * duals, so its optimum is a claim that only a second solver can prove.
 */
export async function createJavaScriptLpSolver(): Promise<Solver | null> {
  const packageName = ["javascript", "lp", "solver"].join("-");
  let solver: JavaScriptLp;
  try {
    const module: { default: JavaScriptLp } = await import(packageName);
    solver = module.default;
  } catch {
    return null;
  }
  return {
    name: "jslp",
    limits: { integers: false, duals: false, deadline: false, maxCols: 2_000, maxEntries: 20_000 },
    async solve({ model }) {
      return answerOf(model, solver.Solve(modelOf(model)));
    },
    async dispose() {
      // nothing is held between solves
    },
  };
}
