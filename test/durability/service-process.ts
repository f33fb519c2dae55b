import { serve } from "../../api/serve.ts";
import { roundSnapshot } from "./offers.ts";

/** Process entry: the whole service on a folder, with short delays. Prints its address, ends on SIGTERM. */
const [data = "", synchronous = "full"] = process.argv.slice(2);

/** Port on this machine that webhooks may be sent to. */
const hookPort = process.env["FLARE_HOOK_PORT"];

const service = await serve({
  host: "127.0.0.1",
  port: 0,
  data,
  snapshot: roundSnapshot,
  delays: { peeringMs: 30, deployingMs: 40, reservationMs: 60_000 },
  adminTokenFile: `${data}.token`,
  logLevel: "silent",
  ...(hookPort === undefined
    ? {}
    : { webhooks: { allowNetworks: ["127.0.0.0/8"], ports: [Number(hookPort)], allowHttp: true } }),
  synchronous: synchronous as "full" | "off",
  onFatal(message) {
    process.stderr.write(`fatal: ${message}\n`);
    process.exit(1);
  },
});
process.stdout.write(`${service.url}\n`);
process.once("SIGTERM", () => {
  void service.close().then(() => process.exit(0));
});
