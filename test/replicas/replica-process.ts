import { writeFileSync } from "node:fs";
import { serve } from "../../api/serve.ts";
import { roundSnapshot } from "../durability/offers.ts";

/** Process entry: one replica of a service on PostgreSQL, with short delays. Prints its address, ends on SIGTERM. */
const [url = "", data = "", leaseMs = ""] = process.argv.slice(2);

const service = await serve({
  host: "127.0.0.1",
  port: 0,
  data,
  postgres: { url, leaseMs: Number(leaseMs) },
  snapshot: roundSnapshot,
  delays: { peeringMs: 30, deployingMs: 40, reservationMs: 60_000 },
  // one key for all replicas, as an operator would hand it out
  secretKeyFile: process.env["FLARE_TEST_KEY"] ?? "",
  logLevel: process.env["FLARE_TEST_LOG"] ?? "silent",
  onFatal(message) {
    process.stderr.write(`fatal: ${message}\n`);
    process.exit(1);
  },
});
if (service.adminToken !== null)
  writeFileSync(process.env["FLARE_TEST_TOKEN"] ?? "", service.adminToken, { mode: 0o600 });
process.stdout.write(`${service.url}\n`);
process.once("SIGTERM", () => {
  void service.close().then(() => process.exit(0));
});
