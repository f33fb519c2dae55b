import Table from "cli-table3";
import type { Flavor } from "../engine/model/flavor.ts";
import { formatMicro, type Money } from "../engine/model/money.ts";
import { exitCodes } from "./exit.ts";
import { readFixtures } from "./fixtures.ts";
import { readSnapshots } from "./input.ts";
import { type PlaceFlags, toText } from "./place.ts";
import { renderSkipped } from "./render/skipped.ts";

const money = (amount: Money | undefined): string =>
  amount === undefined ? "-" : `${formatMicro(amount.micro)} ${amount.currency}`;

const amountOf = (amount: Money | undefined): unknown =>
  amount === undefined ? null : { amount: amount.micro / 1_000_000, currency: amount.currency };

function toJson(flavor: Flavor): Record<string, unknown> {
  const { capacity, gpu, price } = flavor;
  return {
    offer: flavor.id,
    provider: flavor.provider,
    region: flavor.region ?? null,
    zone: flavor.zone ?? null,
    gpu_model: gpu.model,
    gpu_memory_mib: gpu.memoryMib ?? null,
    gpus: capacity.gpus,
    gpus_free: capacity.gpusFree,
    basis: price.basis,
    divisible: flavor.divisible,
    on_demand: amountOf(price.onDemand),
    spot: amountOf(price.spot),
    latency_ms: flavor.network.latencyMs ?? null,
  };
}

/** `flare offers`: what the fixtures sell, sorted by id. */
export async function offers(flags: PlaceFlags): Promise<number> {
  const choices = { strict: flags.strict, ...(flags.at === undefined ? {} : { at: flags.at }) };
  const snapshot = readSnapshots(await readFixtures(flags), choices);
  if (flags.json === true) {
    process.stdout.write(toText({ offers: snapshot.offers.map(toJson), skipped: snapshot.skipped }));
    return exitCodes.ok;
  }
  const table = new Table({
    head: ["offer", "provider", "region", "GPU", "memory", "free", "on demand", "spot", "sold"],
    style: { head: [], border: [] },
  });
  for (const flavor of snapshot.offers)
    table.push([
      flavor.id,
      flavor.provider,
      flavor.region ?? "-",
      flavor.gpu.model,
      flavor.gpu.memoryMib === undefined ? "-" : `${Math.round(flavor.gpu.memoryMib / 1024)} Gi`,
      `${flavor.capacity.gpusFree}/${flavor.capacity.gpus}`,
      money(flavor.price.onDemand),
      money(flavor.price.spot),
      flavor.divisible ? "per GPU" : "whole",
    ]);
  process.stdout.write(`${table.toString()}\n`);
  process.stderr.write(renderSkipped(snapshot.skipped));
  return exitCodes.ok;
}
