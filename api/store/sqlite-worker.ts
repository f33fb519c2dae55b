import { parentPort, workerData } from "node:worker_threads";
import { sqliteDialect } from "./dialect.ts";
import { migrate } from "./migrate.ts";
import { type OpenOptions, openSqlite } from "./sqlite.ts";
import { type Command, runGroup, type WriterState } from "./writer.ts";

/** Thread entry: the one writer of a database. One group in, one result out. */
const port = parentPort;
if (port === null) throw new Error("sqlite-worker runs as a worker thread only");

const options = workerData as OpenOptions & Pick<WriterState, "hasOutbox">;
const connection = openSqlite(options);
await migrate(connection.db, sqliteDialect);
const state: WriterState = { heads: new Map(), hasOutbox: options.hasOutbox };

port.on("message", (commands: readonly Command[] | "close") => {
  if (commands === "close") {
    connection.close();
    port.close();
    return;
  }
  void runGroup(connection, state, commands).then((result) => port.postMessage(result));
});
port.postMessage("ready");
