import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readSeed, speak } from "../../cli/pack.ts";
import { createPackSession } from "../../engine/pack/session.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flare-pack-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const flare = (args: readonly string[], input = "") =>
  spawnSync(process.execPath, ["cli/main.ts", "pack", ...args], { cwd: root, encoding: "utf8", input });

const nodes = file(
  "nodes.csv",
  "sn,cpu_milli,memory_mib,gpu,model\na,8000,1000,2,T4\nb,64000,4000,4,G2\nc,64000,4000,0,\n",
);
const pods = file(
  "pods.csv",
  [
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec",
    "p1,1000,10,1,500,T4",
    "p2,1000,10,4,1000,",
    "p3,1000,10,1,600,T4",
    "p4,60000,10,0,0,",
    "p5,1000,10,1,1000,X9",
    "p6,1000,10,1,500,T4|X9",
    "",
  ].join("\n"),
);

test("places the pods of a file in their order and writes node and devices, empty where nothing fits", () => {
  const out = join(folder, "out.csv");
  const { status, stdout, stderr } = flare(["--nodes", nodes, "--pods", pods, "--trace", pods, "--out", out]);
  expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  expect(stderr).toContain("5 of 6 pods placed");
  expect(stderr).toContain("1 pod asks only for models that no node has");
  const rows = readFileSync(out, "utf8").trim().split("\n");
  expect(rows[0]).toBe("pod,node,gpus");
  expect(rows[1]).toMatch(/^p1,a,[01]$/);
  expect(rows[2]).toBe("p2,b,0-1-2-3");
  expect(rows[3]).toMatch(/^p3,a,[01]$/);
  expect(rows[4]).toMatch(/^p4,[bc],$/);
  expect(rows[5]).toBe("p5,,");
});

test("policies without a mix need no trace, the others say so", () => {
  const random = (seed: string) =>
    flare(["--nodes", nodes, "--pods", pods, "--policy", "random", "--seed", seed]).stdout;
  expect(random("1")).toBe(random("1"));
  expect(random("1").split("\n")).toHaveLength(8);
  const { status, stderr } = flare(["--nodes", nodes, "--pods", pods, "--policy", "fgd"]);
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: "error: --policy fgd scores by the distribution of pods; give one with --trace FILE.csv\n",
  });
});

test("malformed rows, missing files and wrong seeds are bad input, with file and line", () => {
  const broken = file(
    "broken.csv",
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np,1,1,1,x,\nq,1,1,1,0,\n",
  );
  const rows = flare(["--nodes", nodes, "--pods", broken, "--policy", "first"]);
  expect(rows.status).toBe(2);
  expect(rows.stderr).toContain(`error: ${broken}: line 2: gpu_milli: found "x"`);
  expect(rows.stderr).toContain(`error: ${broken}: line 3: gpu_milli: found "0"`);
  expect(flare(["--nodes", "nowhere.csv", "--pods", pods, "--policy", "first"]).stderr).toContain(
    "no such file",
  );
  expect(() => readSeed("-1")).toThrow('--seed: found "-1"; accepted: a whole number below 2^32');
});

test("online: answers ok, then each batch by a line per pod and done, as it comes; ends with the input", async () => {
  const child = spawn(
    process.execPath,
    ["cli/main.ts", "pack", "--online", "--policy", "flare", "--trace", pods],
    {
      cwd: root,
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => (await lines.next()).value as string;
  child.stdin.write("node,a,8000,1000,2,T4\nnode,b,64000,4000,4,G2\nready\n");
  expect(await next()).toBe("ok");
  child.stdin.write("pod,p1,1000,10,1,500,T4\npod,p2,1000,10,4,1000,\ngo\n");
  expect(await next()).toMatch(/^p1,a,[01]$/);
  expect(await next()).toBe("p2,b,0-1-2-3");
  expect(await next()).toBe("done");
  child.stdin.write("pod,p3,1000,10,4,1000,G2\ngo\ngo\n");
  expect([await next(), await next(), await next()]).toEqual(["p3,,", "done", "done"]);
  child.stdin.end();
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
});

test("online: a line that is out of place or malformed is named, and ends it with exit code 2", () => {
  const input = "node,a,1,1,1\nready\npod,p,1,1,2,500,\n";
  const { status, stdout, stderr } = flare(["--online", "--policy", "first"], input);
  expect({ status, stdout, stderr }).toEqual({
    status: 2,
    stdout: "ok\n",
    stderr:
      'error: standard input: line 3: gpu_milli: found "500"; accepted: 1000 where num_gpu is above 1\n',
  });
});

test.for([
  { lines: ["pod,p,1,1,1,500,"], message: "line 1: found pod before ready; accepted: nodes, then ready" },
  { lines: ["node,a,1,1,1,T4", "node,a,1,1,1,T4"], message: "line 2: a second node named a" },
  {
    lines: ["node,a,1,1,1", "ready", "node,b,1,1,1,"],
    message: "line 3: found a node after ready; accepted: pods and go",
  },
  {
    lines: ["node,a,1,1,1", "ready", "ready"],
    message: "line 3: found a second ready; accepted: pods and go",
  },
  {
    lines: ["node,a,1,1,1", "ready", "pod,p,1,1,1,500,"],
    message: "line 3: 1 pod without go at the end of input",
  },
])("online: $message", async ({ lines, message }) => {
  const written: string[] = [];
  const dialog = speak(
    lines,
    async (nodes) => createPackSession({ nodes, expected: [], policy: "first", draw: () => 0 }),
    async (text) => void written.push(text),
  );
  await expect(dialog).rejects.toThrow(`standard input: ${message}`);
});
