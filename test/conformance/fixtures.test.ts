import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readSnapshot } from "../../adapters/json/snapshot.ts";

const { offers } = readSnapshot(
  JSON.parse(
    readFileSync(fileURLToPath(new URL("../../fixtures/clusters/quickstart.json", import.meta.url)), "utf8"),
  ),
);

test("F-302: the QuickStart federation has two providers with two nodes each", () => {
  expect(offers.map(({ id, provider }) => `${provider} ${id}`)).toEqual([
    "provider-1 provider-1-worker",
    "provider-1 provider-1-worker2",
    "provider-2 provider-2-worker",
    "provider-2 provider-2-worker2",
  ]);
});

const h100 = {
  model: "nvidia-h100",
  memoryMib: 80 * 1024,
  interconnect: "nvlink",
  interconnectBandwidth: 900,
  topology: "nvswitch",
  multiGpuEfficiency: 0.95,
  migCapable: true,
  dedicated: true,
};
const a6000 = { model: "nvidia-rtx-a6000", memoryMib: 48 * 1024 };
const euro = (amount: number): object => ({ micro: amount * 1e6, currency: "EUR" });

test.for([
  [
    "F-303",
    "provider-1-worker",
    { region: "eu-west-1", zone: "zone-a", gpu: h100, capacity: { gpus: 4 }, price: { onDemand: euro(4.5) } },
  ],
  [
    "F-304",
    "provider-1-worker2",
    { region: "eu-west-1", zone: "zone-b", gpu: h100, capacity: { gpus: 4 }, price: { spot: euro(1.8) } },
  ],
  [
    "F-305",
    "provider-2-worker",
    {
      region: "us-east-1",
      zone: "zone-a",
      gpu: {
        ...a6000,
        interconnect: "nvlink",
        interconnectBandwidth: 600,
        topology: "ring",
        multiGpuEfficiency: 0.85,
      },
      capacity: { gpus: 8 },
      price: { onDemand: euro(2.1) },
    },
  ],
  [
    "F-306",
    "provider-2-worker2",
    {
      region: "us-east-1",
      zone: "zone-b",
      gpu: {
        ...a6000,
        interconnect: "pcie",
        interconnectBandwidth: 8,
        topology: "mesh",
        multiGpuEfficiency: 0.7,
        sharingStrategy: "time-slicing",
      },
      capacity: { gpus: 8 },
      price: { spot: euro(0.8) },
    },
  ],
] as const)("%s: %s is as documented, links in GB/s", ([, id, expected]) => {
  const offer = offers.find((one) => one.id === id);
  expect(offer).toMatchObject(expected);
  expect(Object.keys(offer?.price ?? {}).sort()).toEqual(["basis", ...Object.keys(expected.price)].sort());
});
