import { version } from "../../../engine/version.ts";
import { ApiError } from "../problem.ts";
import { json, type Route } from "../route.ts";
import { anyObject } from "../shapes.ts";

/** Health for people and probes. */
export const healthRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/health",
    permission: "open",
    summary: "Health and version",
    answers: { 200: { description: "The service answers", schema: anyObject } },
    handle: ({ notReady }) => json(200, { status: notReady() === null ? "ok" : "degraded", version }),
  },
  {
    method: "get",
    path: "/livez",
    permission: "open",
    summary: "Alive",
    answers: { 200: { description: "The process answers", schema: anyObject } },
    handle: () => json(200, { status: "ok" }),
  },
  {
    method: "get",
    path: "/readyz",
    permission: "open",
    summary: "Ready for requests",
    answers: {
      200: { description: "Ready", schema: anyObject },
      503: { description: "Not ready, with the reason" },
    },
    handle({ notReady }) {
      const reason = notReady();
      if (reason !== null) throw new ApiError("NOT_READY", reason, { retryAfter: 5 });
      return json(200, { status: "ok" });
    },
  },
  {
    method: "get",
    path: "/metrics",
    permission: "loopback",
    summary: "Prometheus metrics; open to this machine, for administrators elsewhere",
    answers: { 200: { description: "Metrics", type: "text/plain" } },
    async handle({ tools }) {
      const { type, body } = await tools.metrics.text();
      return new Response(body, { headers: { "content-type": type } });
    },
  },
];
