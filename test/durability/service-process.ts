import { readSnapshot } from "../../adapters/json/snapshot.ts";
import { serve } from "../../api/serve.ts";

/** Process entry: the whole service on a folder, with short delays. Prints its address, ends on SIGTERM. */
const [data = "", synchronous = "full"] = process.argv.slice(2);

/** Port on this machine that webhooks may be sent to. */
const hookPort = process.env["FLARE_HOOK_PORT"];

const offers = Array.from({ length: 12 }, (_, index) => ({
  id: `offer-${String(index).padStart(2, "0")}`,
  provider: index % 2 === 0 ? "alpha" : "beta",
  region: "eu-central-1",
  gpus: 8,
  traits: { gpu: { model: "nvidia-a100" }, cost: { hourly_rate: "2 EUR", basis: "gpu" } },
  capacity: { cpu: "256", memory: "2048Gi", pods: 110 },
}));

const service = await serve({
  host: "127.0.0.1",
  port: 0,
  data,
  snapshot: readSnapshot({ version: "rounds", at: "2026-03-01T00:00:00Z", offers }),
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
