import { parentPort, workerData } from "node:worker_threads";
import type { Heads } from "./chain.ts";
import { sqliteDialect } from "./dialect.ts";
import { migrate } from "./migrate.ts";
import { type OpenOptions, openSqlite } from "./sqlite.ts";
import { type Command, runGroup } from "./writer.ts";

/** Thread entry: the one writer of a database. One group in, one result out. */
const port = parentPort;
if (port === null) throw new Error("sqlite-worker runs as a worker thread only");

const connection = openSqlite(workerData as OpenOptions);
await migrate(connection.db, sqliteDialect);
const heads: Heads = new Map();

port.on("message", (commands: readonly Command[] | "close") => {
  if (commands === "close") {
    connection.close();
    port.close();
    return;
  }
  void runGroup(connection, heads, commands).then((result) => port.postMessage(result));
});
port.postMessage("ready");
