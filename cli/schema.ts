import { forgeJsonSchema, type SchemaName } from "../adapters/json/schema.ts";
import { exitCodes } from "./exit.ts";
import { toText } from "./place.ts";

/** `flare schema`: the JSON Schema of the documents that are read, as the package publishes it. */
export function schema(name: SchemaName): number {
  process.stdout.write(toText(forgeJsonSchema(name)));
  return exitCodes.ok;
}
