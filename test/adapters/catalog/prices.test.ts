import { createReadStream, existsSync } from "node:fs";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isPriceTable, readPriceTable } from "../../../adapters/catalog/price-table.ts";
import { readPrices } from "../../../adapters/catalog/prices.ts";
import { EngineError } from "../../../engine/model/errors.ts";

const header =
  "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,SpotPrice,Region,AvailabilityZone";
const read = async (text: string, provider = "acme") =>
  readPrices(await readPriceTable(Readable.from([text]), provider));
const rows = (...lines: readonly string[]) => read([header, ...lines].join("\n"));

test("a row is a whole instance, on demand and on spot", async () => {
  const { offers, skipped, warnings } = await rows("g8,H100-SXM,8,128,1600,23.6,10.0,eu-north-1,eu-north-1a");
  expect([skipped, warnings]).toEqual([[], []]);
  expect(offers).toMatchObject([
    {
      id: "acme/g8/eu-north-1/eu-north-1a",
      provider: "acme",
      region: "eu-north-1",
      zone: "eu-north-1a",
      country: "SE",
      areas: ["eu", "europe"],
      gpu: { model: "nvidia-h100-sxm", memoryMib: 81920 },
      capacity: { gpus: 8, gpusFree: 8, cpuMilli: 128_000, memoryMib: 1600 * 1024 },
      price: {
        basis: "node",
        onDemand: { micro: 23_600_000, currency: "USD" },
        spot: { micro: 10_000_000, currency: "USD" },
      },
      divisible: false,
      origin: { source: "catalog" },
    },
  ]);
});

test("columns may come in any order and spelling; a provider column names the seller", async () => {
  const { offers } = await read(
    "Cloud,region,price,accelerator_name,Accelerator Count,instance_type\nNebius,eu-north-1,2.95,H100,1,one\n",
  );
  expect(offers).toMatchObject([
    { id: "nebius/one/eu-north-1", provider: "nebius", price: { basis: "node" } },
  ]);
});

test.for([
  { name: "a price that is no number", row: "a,H100,1,8,80,n/a,,eu-west-1,", says: /^Price: found "n\/a"/ },
  { name: "a negative price", row: "a,H100,1,8,80,-2,,eu-west-1,", says: /^Price: found "-2"/ },
  { name: "a count that is no number", row: "a,H100,one,8,80,2,,eu-west-1,", says: /^AcceleratorCount: / },
  { name: "no region", row: "a,H100,1,8,80,2,,,", says: /^Region: missing/ },
  { name: "too few cells", row: "a,H100,1", says: /^found 3 cells; accepted: 9/ },
  { name: "memory that is no number", row: "a,H100,1,8,much,2,,eu-west-1,", says: /^MemoryGiB: / },
])("a row with $name is skipped, by number, and the others are read", async ({ row, says }) => {
  const { offers, skipped } = await rows(
    "ok,H100,1,8,80,2,,eu-west-1,",
    row,
    "ok2,H100,1,8,80,2,,eu-west-1,",
  );
  expect(offers).toHaveLength(2);
  expect(skipped).toEqual([{ id: "row 3", path: "row 3", message: expect.stringMatching(says) }]);
});

test("rows without a whole GPU or a price are left out and counted, not broken", async () => {
  const { offers, skipped, warnings } = await rows(
    "cpu,,,8,32,0.4,,eu-west-1,",
    "cpu2,,0,8,32,0.4,,eu-west-1,",
    "tpu,tpu-v4-8,1,8,32,0.4,,eu-west-1,",
    "part,A10,0.5,8,32,0.4,,eu-west-1,",
    "gone,H100,1,8,32,,,eu-west-1,",
  );
  expect([offers, skipped]).toEqual([[], []]);
  expect(warnings.map(({ message }) => message)).toEqual([
    "1 rows with a fraction of a GPU left out",
    "1 rows with accelerators that are no GPUs left out",
    "2 rows without a GPU left out",
    "1 rows without a price left out",
  ]);
});

test("a model the catalog does not know keeps its name, and no filter takes it for another", async () => {
  const { offers, warnings } = await rows("a,X9000 Ultra,1,8,80,2,,eu-west-1,");
  expect(offers[0]?.gpu).toEqual({ model: "custom-x9000-ultra", families: ["custom-x9000-ultra"] });
  expect(warnings[0]?.message).toContain("x9000-ultra");
});

test("rows that differ in nothing that names them are numbered", async () => {
  const row = "a,H100,1,8,80,2,,eu-west-1,";
  expect((await rows(row, row, row)).offers.map(({ id }) => id)).toEqual([
    "acme/a/eu-west-1",
    "acme/a/eu-west-1#2",
    "acme/a/eu-west-1#3",
  ]);
});

test.for([
  ["CA", "CA"],
  ["NL", "NL"],
  ["paris-france-1", "FR"],
  ["kansascity-usa-1", "US"],
  ["us-east-9", "US"],
  ["Europe-PL", "PL"],
  ["CANADA-7", "CA"],
  ["me-west-9", undefined],
  ["default", undefined],
  ["europe-central-9", undefined],
] as const)("the region %s lies in %s", async ([region, country]) => {
  const { offers } = await rows(`a,H100,1,8,80,2,,${region},`);
  expect(offers[0]?.country).toBe(country);
});

test("prices round to the nearest millionth, a spot price alone is a spot offer", async () => {
  const { offers } = await rows("a,H100,1,8,80,,0.12345678,eu-west-1,");
  expect(offers[0]?.price).toEqual({ basis: "node", spot: { micro: 123_457, currency: "USD" } });
});

test("stray quotes break their own row at most; a text without the columns is refused", async () => {
  expect((await rows('a"b,H100,1,8,80,2,,eu-west-1,')).offers).toHaveLength(1);
  await expect(read("name,price\na,1\n")).rejects.toThrow(/no column instancetype, acceleratorname/);
  await expect(read("")).rejects.toThrow(EngineError);
});

test("a table survives JSON, so that a saved run can be replayed", async () => {
  const table = await readPriceTable(
    Readable.from([`\ufeff${header}\na,H100,1,8,80,2,,eu-west-1,\n`]),
    "acme",
  );
  expect(isPriceTable(table)).toBe(true);
  expect(readPrices(JSON.parse(JSON.stringify(table)))).toEqual(readPrices(table));
});

const list = fileURLToPath(new URL("../../../../shared/data/prices/offers.csv", import.meta.url));

test.skipIf(!existsSync(list))(
  "a real price list is read without a broken row (skipped where it is absent)",
  async () => {
    const { offers, skipped } = readPrices(await readPriceTable(createReadStream(list), "unnamed"));
    expect(skipped).toEqual([]);
    expect(offers).toHaveLength(1217);
    expect(new Set(offers.map(({ id }) => id)).size).toBe(1217);
  },
);

test("100,000 rows are read as a stream, broken ones counted and named, progress told on the way", async () => {
  const models = ["H100", "A100-80GB", "T4", "L4"];
  function* lines(): Generator<string> {
    yield `${header}\n`;
    for (let row = 0; row < 100_000; row++) {
      const price = row % 40_000 === 7 ? "cheap" : 1 + (row % 1000) / 1000;
      yield `type-${row},${models[row % 4]},${1 + (row % 8)},32,240,${price},,eu-west-1,\n`;
    }
  }
  const steps: number[] = [];
  const table = await readPriceTable(Readable.from(lines()), "acme", (rows) => steps.push(rows));
  expect(steps.length).toBe(100_001);
  const { offers, skipped } = readPrices(table);
  expect(offers.length).toBe(99_997);
  expect(skipped.map(({ id }) => id)).toEqual(["row 9", "row 40009", "row 80009"]);
});
