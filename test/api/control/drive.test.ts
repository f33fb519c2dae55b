import { expect, test } from "vitest";
import { defaultDeadlines } from "../../../api/control/advance.ts";
import { createDrive } from "../../../api/control/drive.ts";
import { openLocalStore } from "../../../api/store/sqlite-store.ts";
import { wrapStore } from "../../../sim/bugs/wrap.ts";
import { createDrivenService } from "../driven-env.ts";
import { acceptance, tenantOf } from "../store/rows.ts";

test("what is on its way is looked at in turns where it is more than one look takes", async () => {
  const asked: (string | undefined)[] = [];
  const full = Array.from({ length: 2000 }, (_, index) => `int-${String(index).padStart(4, "0")}`);
  const store = wrapStore(await openLocalStore(), {
    system: () => ({
      async idsIn({ after }) {
        asked.push(after);
        return after === "" ? full : [];
      },
    }),
  });
  const { env, planner } = await createDrivenService({ store });
  const drive = createDrive(env, planner, {
    deadlines: defaultDeadlines,
    mostFailures: 1,
    move: async () => null,
    freed() {},
    backOff() {},
  });
  for (let look = 0; look < 3; look++) {
    drive.sweep();
    await drive.step();
  }
  expect(asked).toEqual(["", "int-1999", ""]);
});

test("ids of intents in a phase are told page by page", async () => {
  const store = await openLocalStore();
  const tenant = await tenantOf(store, "one");
  for (const id of ["a", "b", "c"]) await tenant.acceptIntent(acceptance(id));
  const page = (after?: string) =>
    store.system.idsIn({ phases: ["queued"], limit: 2, ...(after === undefined ? {} : { after }) });
  expect([await page(), await page("b"), await page("c")]).toEqual([["a", "b"], ["c"], []]);
  await store.close();
});
