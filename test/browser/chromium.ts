import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const named = process.env["FLARE_CHROMIUM"];
const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const found = named ?? places.find((path) => existsSync(path));

/** True where there is a browser to test with. */
export const hasBrowser: boolean = found !== undefined;

/** For the names of tests that need one: why they are skipped; empty where they run. */
export const whyNot: string = hasBrowser ? "" : " (skipped: no Chromium here; FLARE_CHROMIUM names one)";

/** A browser of one's own that asks nobody anything by itself. Close it. */
export function launch(): Promise<Browser> {
  if (found === undefined) throw new Error("there is no Chromium here");
  const flags = ["--disable-gpu", "--disable-quic", "--disable-component-update", "--disable-sync"];
  return chromium.launch({
    executablePath: found,
    headless: true,
    chromiumSandbox: false,
    args: [...flags, "--no-first-run", "--disable-background-networking"],
  });
}
