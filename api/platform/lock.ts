import { DatabaseSync } from "node:sqlite";

/**
 * Takes a folder for this process alone: an exclusive lock of a database file, which the operating system takes back
 * however the process ends. Returns its release.
 *
 * @throws {Error} when another process has it
 */
export function lockFolder(path: string): () => void {
  const database = new DatabaseSync(`${path}/lock`, { timeout: 0 });
  try {
    database.exec("begin exclusive");
  } catch (error) {
    database.close();
    throw new Error(`${path} is in use by another process`, { cause: error });
  }
  return () => database.close();
}
