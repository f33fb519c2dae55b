import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { run } from "../../sim/run.ts";

const main = fileURLToPath(new URL("../../sim/main.ts", import.meta.url));

test("in another time zone and another language everything is the same, to the last byte", async () => {
  const { hash } = await run({ seed: 1, steps: 40 });
  const elsewhere = { TZ: "Pacific/Chatham", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" };
  const told = execFileSync(process.execPath, [main, "--seed", "1", "--steps", "40"], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", ...elsewhere },
  });
  expect(told).toContain(`hash ${hash}`);
});
