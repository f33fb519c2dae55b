import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { type ServeFlags, serveCommand } from "../../cli/serve.ts";
import { readStore } from "../../cli/store.ts";

afterEach(() => vi.unstubAllEnvs());

/** A file with an address in it. */
function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "flare-store-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "store.url");
  writeFileSync(file, text);
  return file;
}

test("the store is named by an option, a file or a variable, in this order; without any it is SQLite", () => {
  vi.stubEnv("FLARE_STORE", undefined);
  expect(readStore({})).toBeNull();
  vi.stubEnv("FLARE_STORE", "postgres://me:secret@db/variable");
  expect(readStore({})).toBe("postgres://me:secret@db/variable");
  expect(readStore({ storeFile: fileOf("postgresql://me:secret@db/file\n") })).toBe(
    "postgresql://me:secret@db/file",
  );
  expect(readStore({ store: "postgres://me@db/option" })).toBe("postgres://me@db/option");
});

test.for([
  [{ store: "postgres://me:secret@db/x" }, /^--store: holds a password/],
  [{ store: "postgres://me@db/x?password=secret" }, /^--store: holds a password/],
  [{ store: "mysql://me:secret@db/x" }, /^--store: accepted: postgres:/],
  [{ store: "secret" }, /^--store: accepted: postgres:/],
  [{ store: "postgres://a/x", storeFile: "y" }, /accepted: one of them/],
  [{ storeFile: "/nowhere/secret-url" }, /^--store-file .*: no such file/],
] as const)("a store that is refused: %o", ([flags, message]) => {
  expect(() => readStore(flags)).toThrow(message);
  // a secret in an address is never repeated
  if (!("storeFile" in flags))
    expect(() => readStore(flags)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("secret") }) as never,
    );
});

test("a variable or a file that holds no address is not repeated either", () => {
  expect(() => readStore({ storeFile: fileOf("hunter2") })).toThrow(/^--store-file: accepted: postgres:/);
  vi.stubEnv("FLARE_STORE", "hunter2");
  expect(() => readStore({})).toThrow(/^FLARE_STORE: accepted: postgres:/);
});

const flags: ServeFlags = {
  host: "127.0.0.1",
  port: "0",
  data: "never-made",
  fixture: [],
  logLevel: "silent",
  lease: "3000",
  store: "postgres://me@db/x",
  secretKeyFile: "key",
  webhookAllow: [],
  webhookDeny: [],
  webhookPort: [],
};

test.for([
  [{ secretKeyFile: undefined }, /^--secret-key-file: is needed with a shared store/],
  [{ scenario: "faults.json" }, /^--scenario: accepted: without a shared store/],
  [{ lease: "20" }, /^--lease 20: accepted: 500 to 60000/],
] as const)("a shared store does not go with %o", async ([change, message]) => {
  await expect(serveCommand({ ...flags, ...change } as ServeFlags)).rejects.toThrow(message);
});

test("a service that starts before its database asks for it again until it is there", async () => {
  let asked = 0;
  // a database that starts up: takes connections and ends them
  const server = createServer((socket) => {
    asked++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const key = fileOf(Buffer.alloc(32, 7).toString("base64"));
  const child = spawn(
    process.execPath,
    [
      ...["cli/main.ts", "serve", "--port", "0", "--store", `postgres://me@127.0.0.1:${port}/x`],
      ...["--secret-key-file", key, "--data", dirname(key)],
    ],
    { cwd: fileURLToPath(new URL("../..", import.meta.url)), stdio: "ignore" },
  );
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  try {
    const isAskedAgain = expect.poll(() => asked, { timeout: 20_000 }).toBeGreaterThan(3);
    await Promise.race([
      isAskedAgain,
      ended.then((code) => {
        throw new Error(`it gave up with ${code} after ${asked}`);
      }),
    ]);
  } finally {
    child.kill("SIGKILL");
    await ended;
    server.close();
  }
});
