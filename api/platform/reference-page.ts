import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { PageFiles } from "../http/route.ts";

/** Folders that may hold Swagger UI: beside the compiled code, else the development dependency. */
const folders = (): string[] => {
  const beside = fileURLToPath(new URL("./swagger-ui/", import.meta.url));
  try {
    return [beside, fileURLToPath(new URL(".", import.meta.resolve("swagger-ui-dist/package.json")))];
  } catch {
    return [beside];
  }
};

/** The files of the reference page; undefined where they are not installed. */
export function readPageFiles(): PageFiles | undefined {
  for (const folder of folders())
    try {
      return {
        script: readFileSync(`${folder}swagger-ui-bundle.js`, "utf8"),
        style: readFileSync(`${folder}swagger-ui.css`, "utf8"),
      };
    } catch {
      // looked for in the next folder
    }
  return undefined;
}
