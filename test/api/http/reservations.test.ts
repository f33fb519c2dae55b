import { expect, test } from "vitest";
import { createDrivenService, twoOffers, wish } from "../driven-env.ts";

const HOUR_MS = 3_600_000;

async function started(options: Parameters<typeof createDrivenService>[0] = {}) {
  const service = await createDrivenService(options);
  const one = await service.token(
    ["intents:write", "intents:read", "resources:read", "resources:write"],
    "one",
  );
  const two = await service.token(
    ["intents:write", "intents:read", "resources:read", "resources:write"],
    "two",
  );
  const reserve = (token: string, more: object = {}) =>
    service.request(token, "POST", "/resources/reservations", {
      offer: "one-by-one",
      gpus: 4,
      start: "2026-03-01T00:00:00Z",
      end: "2026-03-01T02:00:00Z",
      ...more,
    });
  const submit = async (token: string, name: string, gpus: number): Promise<string> => {
    const only = { constraints: { providers: ["alpha"] } };
    const { body } = await service.request(token, "POST", "/intents", wish(name, gpus, only));
    await service.run(3000);
    return `/intents/${String(body["intent_id"])}`;
  };
  const phase = async (token: string, path: string): Promise<unknown> =>
    (await service.request(token, "GET", path)).body["phase"];
  return { service, one, two, reserve, submit, phase };
}

test("a reservation keeps its window free of others, and its own tenant runs on it", async () => {
  const { service, one, two, reserve, submit, phase } = await started();
  const made = await reserve(one);
  expect(made).toMatchObject({ status: 201, body: { status: "active", used_gpus: 0 } });
  const stranger = await submit(two, "stranger", 1);
  expect(await phase(two, stranger)).toBe("waiting");
  const own = await submit(one, "own", 3);
  expect(await phase(one, own)).toBe("running");
  const path = `/resources/reservations/${String(made.body["reservation_id"])}`;
  expect((await service.request(one, "GET", path)).body).toMatchObject({ used_gpus: 3, status: "active" });
  expect(await phase(two, stranger)).toBe("waiting");
});

test("what a reservation kept from others is theirs when it is given back, without a change of any offer", async () => {
  const { service, one, two, reserve, submit, phase } = await started();
  const made = await reserve(one);
  const stranger = await submit(two, "stranger", 1);
  expect(await phase(two, stranger)).toBe("waiting");
  const path = `/resources/reservations/${String(made.body["reservation_id"])}`;
  expect((await service.request(one, "DELETE", path)).body).toMatchObject({
    status: "cancelled",
    version: 2,
  });
  await service.run(3000);
  expect(await phase(two, stranger)).toBe("running");
});

test("a reservation ends with its window: listed as expired, and no longer to be cancelled", async () => {
  const { service, one, two, reserve, submit, phase } = await started();
  const made = await reserve(one);
  const stranger = await submit(two, "stranger", 1);
  await service.run(2 * HOUR_MS, 4);
  await service.run(3000);
  expect(await phase(two, stranger)).toBe("running");
  const path = `/resources/reservations/${String(made.body["reservation_id"])}`;
  expect((await service.request(one, "DELETE", path)).body).toMatchObject({ status: "expired", version: 1 });
  const listed = async (query: string) =>
    (await service.request(one, "GET", `/resources/reservations${query}`)).body["reservations"];
  expect(await listed("?status=expired")).toHaveLength(1);
  expect(await listed("?status=active")).toEqual([]);
  expect(await listed("")).toHaveLength(1);
});

test("nothing is promised that running work of others still holds", async () => {
  const { one, two, reserve, submit, phase } = await started();
  expect(await phase(two, await submit(two, "runs", 3))).toBe("running");
  const later = { start: "2026-03-01T10:00:00Z", end: "2026-03-01T11:00:00Z" };
  expect(await reserve(one, later)).toMatchObject({
    status: 409,
    body: {
      error_code: "INSUFFICIENT_RESOURCES",
      message: expect.stringContaining("at most 1 GPUs") as string,
    },
  });
  expect((await reserve(one, { ...later, gpus: 1 })).status).toBe(201);
  // what is its own work will run on its own reservation
  expect((await reserve(two, { ...later, gpus: 3 })).status).toBe(201);
});

test("reservations are listed page by page, newest first, and another tenant has none", async () => {
  const { service, one, two, reserve } = await started();
  for (let hour = 0; hour < 5; hour++)
    await reserve(one, {
      gpus: 1,
      start: `2026-03-02T0${hour}:00:00Z`,
      end: `2026-03-02T0${hour + 1}:00:00Z`,
    });
  const starts: unknown[] = [];
  for (let cursor = ""; ; ) {
    const { body } = await service.request(one, "GET", `/resources/reservations?limit=2${cursor}`);
    starts.push(...(body["reservations"] as { start: string }[]).map(({ start }) => start.slice(11, 13)));
    if (body["next_cursor"] === null) break;
    cursor = `&cursor=${String(body["next_cursor"])}`;
  }
  expect(starts).toEqual(["04", "03", "02", "01", "00"]);
  expect((await service.request(two, "GET", "/resources/reservations")).body["reservations"]).toEqual([]);
});

test("what strangers use is nobody's to reserve, and an offer that is sold whole is reserved whole", async () => {
  const offers = twoOffers.offers.map((offer) =>
    offer.id === "one-by-one" ? { ...offer, capacity: { ...offer.capacity, gpusFree: 1 } } : offer,
  );
  const { one, reserve } = await started({ snapshot: { ...twoOffers, offers } });
  expect((await reserve(one, { gpus: 2 })).body).toMatchObject({
    status: 409,
    error_code: "INSUFFICIENT_RESOURCES",
  });
  expect((await reserve(one, { gpus: 1 })).status).toBe(201);
  expect((await reserve(one, { offer: "whole-node", gpus: 4 })).body).toMatchObject({
    status: 409,
    error_code: "GPU_COUNT_INSUFFICIENT",
  });
  expect((await reserve(one, { offer: "whole-node", gpus: 8 })).status).toBe(201);
});

test("a simulation names its victims where they are the tenant's own, and tells others apart and no more", async () => {
  const { service, one, two, submit } = await started();
  const mine = (await submit(one, "mine", 2)).split("/").at(-1)!;
  const theirs = (await submit(two, "theirs", 2)).split("/").at(-1)!;
  const more = { priority: "critical", constraints: { providers: ["alpha"] } };
  const answer = await service.request(one, "POST", "/simulate", { intents: [wish("urgent", 4, more)] });
  const victims = answer.body["victims"] as string[];
  expect(victims).toHaveLength(2);
  expect(victims).toContain(mine);
  expect(victims.find((name) => name !== mine)).toMatch(/^another-tenant-[12]$/);
  expect(answer.text).not.toContain(theirs);
});
