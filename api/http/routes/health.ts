import { version } from "../../../engine/version.ts";
import { ApiError } from "../problem.ts";
import { json, type Route } from "../route.ts";

/** Health for people and probes. */
export const healthRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/health",
    permission: "open",
    summary: "Health and version",
    answers: { 200: { description: "The service answers" } },
    handle: ({ notReady }) => json(200, { status: notReady() === null ? "ok" : "degraded", version }),
  },
  {
    method: "get",
    path: "/livez",
    permission: "open",
    summary: "Alive",
    answers: { 200: { description: "The process answers" } },
    handle: () => json(200, { status: "ok" }),
  },
  {
    method: "get",
    path: "/readyz",
    permission: "open",
    summary: "Ready for requests",
    answers: { 200: { description: "Ready" }, 503: { description: "Not ready, with the reason" } },
    handle({ notReady }) {
      const reason = notReady();
      if (reason !== null) throw new ApiError("NOT_READY", reason, { retryAfter: 5 });
      return json(200, { status: "ok" });
    },
  },
];
