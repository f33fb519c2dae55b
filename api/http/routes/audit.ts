import { z } from "@hono/zod-openapi";
import { formatTime } from "../../../engine/model/time.ts";
import { paging, queried } from "../query.ts";
import { json, type Route } from "../route.ts";
import { auditSchema, pageOf } from "../shapes.ts";

const PAGE = 100;

/** Who did what, denials included. */
export const auditRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/audit",
    permission: "audit:read",
    summary: "The tenant's audit log, newest first, each entry with its place in the hash chain",
    answers: { 200: { description: "One page", schema: pageOf("entries", auditSchema) } },
    ...queried(z.object(paging), async ({ tenant, tenantId, tools }, { limit = PAGE, cursor }) => {
      const before =
        cursor === undefined ? undefined : Number(await tools.cursors.read(tenantId, "audit", cursor));
      const rows = await tenant.audit({ limit: limit + 1, ...(before === undefined ? {} : { before }) });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return json(200, {
        entries: page.map((row) => ({
          seq: row.seq,
          at: formatTime(row.at_ms),
          actor: row.actor,
          action: row.action,
          target: row.target,
          outcome: row.outcome,
          request_id: row.request_id,
          previous_hash: row.prev_hash,
          hash: row.hash,
        })),
        next_cursor:
          rows.length > limit && last !== undefined
            ? await tools.cursors.make(tenantId, "audit", String(last.seq))
            : null,
      });
    }),
  },
];
