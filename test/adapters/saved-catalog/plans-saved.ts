import { parentPort, workerData } from "node:worker_threads";
import { openCatalog } from "../../../adapters/saved-catalog/open.ts";
import { type Intent, plan, prepare } from "../../../engine/index.ts";

// thread entry: plans over the saved catalogue that it was sent
const { bytes, intents } = workerData as { readonly bytes: Uint8Array; readonly intents: readonly Intent[] };
parentPort?.postMessage(JSON.stringify(await plan(prepare(openCatalog(bytes)), intents)));
