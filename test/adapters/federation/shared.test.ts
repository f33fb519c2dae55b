import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createInProcessFederation } from "../../../adapters/federation/in-process.ts";
import { createSharedJournal, type SqlSession } from "../../../adapters/federation/shared-journal.ts";
import { createDrivenTime, type DrivenTime, twoOffers } from "../../api/driven-env.ts";
import { noPostgres, type PostgresServer, startPostgres } from "../../postgres/server.ts";
import { federationContract, reservation } from "./federation-contract.ts";

describe.skipIf(noPostgres !== null)("a federation on PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  const connect = async (url: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  };
  const open = (url: string, time: DrivenTime, session: () => Promise<SqlSession> = () => connect(url)) => {
    const shared = createSharedJournal(session);
    const federation = createInProcessFederation({ snapshot: twoOffers, clock: time, timers: time, shared });
    onTestFinished(() => federation.close());
    return federation;
  };

  federationContract("shared", async () => {
    const time = createDrivenTime();
    const federation = open(await server.create(), time);
    return { federation, settle: async () => time.pass(10_000), expire: async () => time.pass(60_001) };
  });

  test("two processes see one federation: nothing is sold twice, and a key is one thing", async () => {
    const url = await server.create();
    const time = createDrivenTime();
    const [one, two] = [open(url, time), open(url, time)];
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? one : two).reserve(reservation(`k${index}`)),
      ),
    );
    expect(answers.filter(({ kind }) => kind === "reserved")).toHaveLength(4);
    const keys = async (federation: typeof one) => (await federation.observe()).map(({ key }) => key);
    expect(await keys(one)).toEqual(await keys(two));
    expect((await two.catalog()).offers[0]?.capacity.gpusFree).toBe(0);
    const [key = ""] = await keys(one);
    expect(await one.purchase(key)).toEqual(await two.purchase(key));
    await two.release(key);
    expect(await keys(one)).toHaveLength(3);
    expect(await one.purchase(key)).toMatchObject({ kind: "refused", code: "expired" });
    expect(await one.reserve(reservation(key))).toMatchObject({ kind: "refused", code: "expired" });
  });

  test.for(["before", "after"] as const)(
    "a connection lost %s a commit leaves an unknown outcome, and the same call again settles it",
    async (when) => {
      const url = await server.create();
      const time = createDrivenTime();
      let isBroken = false;
      const federation = open(url, time, async () => {
        const client = await connect(url);
        return {
          end: () => client.end(),
          async query(text, values) {
            const breaks = isBroken && text === "commit";
            if (breaks) isBroken = false;
            if (breaks && when === "before") throw new Error("gone");
            const answer = await client.query(text, values);
            if (breaks) throw new Error("gone");
            return answer;
          },
        };
      });
      await federation.reserve(reservation("a"));
      isBroken = true;
      await expect(federation.reserve(reservation("b"))).rejects.toMatchObject({ code: "unavailable" });
      const keys = (await federation.observe()).map(({ key }) => key);
      expect(keys).toEqual(when === "before" ? ["a"] : ["a", "b"]);
      expect((await federation.reserve(reservation("b"))).kind).toBe("reserved");
      expect((await federation.catalog()).offers[0]?.capacity.gpusFree).toBe(2);
    },
  );
});
