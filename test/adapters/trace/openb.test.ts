import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readPackLine, readPackNodes, readPackPods } from "../../../adapters/trace/openb.ts";
import { EngineError } from "../../../engine/model/errors.ts";

const problemsOf = (read: () => unknown): string[] => {
  try {
    read();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return error.problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  }
  return [];
};

const nodeHeader = "sn,cpu_milli,memory_mib,gpu,model";
const podHeader = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec";

test("columns are found by name, further ones ignored, and a pod without GPUs has neither milli nor models", () => {
  const text = `qos,gpu_spec,name,memory_mib,cpu_milli,num_gpu,gpu_milli\r\nLS,T4|P100,a,10,20,1,500\r\n\r\nBE,T4,b,1,2,0,\r\n`;
  expect(readPackPods(text)).toEqual([
    { name: "a", cpuMilli: 20, memoryMib: 10, gpus: 1, gpuMilli: 500, spec: "T4|P100" },
    { name: "b", cpuMilli: 2, memoryMib: 1, gpus: 0, gpuMilli: 0, spec: "" },
  ]);
  expect(readPackPods("name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,8,1000\n")[0]?.spec).toBe("");
  expect(readPackNodes(`${nodeHeader}\nn,1,2,0,\n`)).toEqual([
    { name: "n", cpuMilli: 1, memoryMib: 2, gpus: 0, model: "" },
  ]);
});

describe("malformed rows are named by their line, all of them", () => {
  test.for([
    {
      row: "a,x,1,1,500,",
      problem: 'line 3: cpu_milli: found "x"; accepted: a whole number from 0 to 2147483647',
    },
    {
      row: "a,1,-1,1,500,",
      problem: 'line 3: memory_mib: found "-1"; accepted: a whole number from 0 to 2147483647',
    },
    {
      row: "a,1.5,1,1,500,",
      problem: 'line 3: cpu_milli: found "1.5"; accepted: a whole number from 0 to 2147483647',
    },
    {
      row: "a,1,99999999999,1,500,",
      problem: 'line 3: memory_mib: found "99999999999"; accepted: a whole number from 0 to 2147483647',
    },
    { row: "a,1,1,1,0,", problem: 'line 3: gpu_milli: found "0"; accepted: a whole number from 1 to 1000' },
    {
      row: "a,1,1,1,1001,",
      problem: 'line 3: gpu_milli: found "1001"; accepted: a whole number from 1 to 1000',
    },
    {
      row: "a,1,1,1,,",
      problem: "line 3: gpu_milli: found nothing; accepted: a whole number from 1 to 1000",
    },
    {
      row: "a,1,1,2,500,",
      problem: 'line 3: gpu_milli: found "500"; accepted: 1000 where num_gpu is above 1',
    },
    { row: "a,1,1,,500,", problem: "line 3: num_gpu: found nothing; accepted: a whole number from 0 to 256" },
    { row: ",1,1,1,500,", problem: "line 3: name: found nothing; accepted: a name" },
    { row: "a,1,1,1,500", problem: "line 3: 5 cells; accepted: 6, one per column" },
    { row: "a,1,1,1,500,,", problem: "line 3: 7 cells; accepted: 6, one per column" },
  ])("$row", ({ row, problem }) => {
    const text = `${podHeader}\ngood,1,1,1,500,\n${row}\nworse,1,1,1,y,\n`;
    expect(problemsOf(() => readPackPods(text))).toEqual([
      problem,
      'line 4: gpu_milli: found "y"; accepted: a whole number from 1 to 1000',
    ]);
  });

  test("nodes: a negative count, a name that occurs twice, a missing column, a quote that never ends", () => {
    expect(problemsOf(() => readPackNodes(`${nodeHeader}\na,1,1,-2,T4`))).toEqual([
      'line 2: gpu: found "-2"; accepted: a whole number from 0 to 256',
    ]);
    expect(problemsOf(() => readPackNodes(`${nodeHeader}\na,1,1,2,T4\nb,1,1,1,T4\na,1,1,2,T4`))).toEqual([
      "line 4: sn: a is also on line 2; accepted: unique names",
    ]);
    expect(problemsOf(() => readPackNodes("sn,cpu_milli,gpu,model\n"))).toEqual([
      `line 1: no column memory_mib; accepted: a header with ${nodeHeader}`,
    ]);
    expect(problemsOf(() => readPackNodes(`${nodeHeader}\n"a,1,1,1,T4\n`))[0]).toMatch(
      /^line \d+: .*accepted: CSV/,
    );
  });
});

test("lines of the protocol: words, nodes, pods with and without models, empty lines", () => {
  expect(readPackLine("ready")).toEqual({ kind: "ready" });
  expect(readPackLine(" go \r")).toEqual({ kind: "go" });
  expect(readPackLine("")).toBeNull();
  expect(readPackLine("node,n,64000,1024,2,T4")).toEqual({
    kind: "node",
    node: { name: "n", cpuMilli: 64_000, memoryMib: 1024, gpus: 2, model: "T4" },
  });
  const pod = { name: "p", cpuMilli: 1, memoryMib: 2, gpus: 1, gpuMilli: 500 };
  expect(readPackLine("pod,p,1,2,1,500,T4")).toEqual({ kind: "pod", pod: { ...pod, spec: "T4" } });
  expect(readPackLine("pod,p,1,2,1,500,")).toEqual({ kind: "pod", pod: { ...pod, spec: "" } });
  expect(readPackLine("pod,p,1,2,1,500")).toEqual({ kind: "pod", pod: { ...pod, spec: "" } });
});

test("any other text is refused or read, never a crash", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `pod,${text}`),
      ),
      (text) => {
        for (const read of [readPackLine, readPackNodes, readPackPods])
          try {
            read(text);
          } catch (error) {
            expect(error).toBeInstanceOf(EngineError);
          }
      },
    ),
  );
});
