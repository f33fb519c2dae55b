import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemRandom } from "../../../api/platform/node-env.ts";
import { readSecretKey } from "../../../api/platform/secret-key.ts";

test("a key is made once, for its owner alone, and read ever after; what is no key is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "flare-key-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "secrets.key");
  expect(() => readSecretKey(file, systemRandom, false)).toThrow(/ENOENT/);
  const made = readSecretKey(file, systemRandom, true);
  expect(made).toHaveLength(32);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(Buffer.from(readSecretKey(file, systemRandom, true))).toEqual(Buffer.from(made));
  for (const text of [
    "",
    "short",
    "A".repeat(43),
    Buffer.alloc(33).toString("base64"),
    "not base64 at all!",
  ]) {
    writeFileSync(file, text);
    const read = (): unknown => readSecretKey(file, systemRandom, true);
    if (text === "A".repeat(43)) expect(read()).toHaveLength(32);
    else expect(read, text).toThrow("32 random bytes in base64");
  }
});
