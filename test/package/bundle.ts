import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** Bundles a module for the browser, as `npm run bundle` does the engine. */
export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    format: "esm",
    platform: "browser",
    external: ["highs"],
    loader: { ".wasm": "binary" },
    outfile,
    logLevel: "silent",
    plugins: [
      {
        // The package's `browser` field names the compiled files; the sources need the same exchange here.
        name: "browser-loader",
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/load\.ts$/ }, ({ resolveDir }) => ({
            path: join(resolveDir, "load-browser.ts"),
          })),
      },
    ],
  });
}
