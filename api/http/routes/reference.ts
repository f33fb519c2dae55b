import { ApiError } from "../problem.ts";
import type { PageFiles, RequestScope, Route } from "../route.ts";
import { anyObject } from "../shapes.ts";

/**
 * The page may run our own two scripts and talk to us; nothing inline, nothing from elsewhere. Swagger UI draws some
 * icons from `data:` URLs.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FLARE API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="./docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="./docs/swagger-ui-bundle.js"></script>
<script src="./docs/start.js"></script>
</body>
</html>
`;

const start = `SwaggerUIBundle({
  url: "./openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
});
`;

function text(body: string, type: string, more: Readonly<Record<string, string>> = {}): Response {
  return new Response(body, {
    headers: { "content-type": `${type}; charset=utf-8`, "cache-control": "public, max-age=3600", ...more },
  });
}

function filesOf({ page: files }: RequestScope): PageFiles {
  if (files === undefined) throw new ApiError("NOT_FOUND", "this service carries no reference page");
  return files;
}

/** The contract for machines, and as a page. */
export const referenceRoutes: readonly Route[] = [
  {
    method: "get",
    path: "/openapi.json",
    permission: "open",
    summary: "This document, OpenAPI 3.1",
    answers: { 200: { description: "The document", schema: anyObject } },
    handle: ({ tools }) => text(tools.document(), "application/json"),
  },
  {
    method: "get",
    path: "/docs",
    permission: "open",
    summary: "Reference page, without a request to anywhere else",
    answers: {
      200: { description: "The page", type: "text/html" },
      404: { description: "No page is served" },
    },
    handle(scope) {
      filesOf(scope);
      return text(page, "text/html", { "content-security-policy": POLICY, "referrer-policy": "no-referrer" });
    },
  },
  {
    method: "get",
    path: "/docs/{id}",
    permission: "open",
    summary: "Scripts and style of the reference page",
    answers: {
      200: { description: "The file", type: "text/javascript" },
      404: { description: "No such file" },
    },
    handle(scope) {
      const { script, style } = filesOf(scope);
      switch (scope.param("id")) {
        case "swagger-ui-bundle.js":
          return text(script, "text/javascript");
        case "swagger-ui.css":
          return text(style, "text/css");
        case "start.js":
          return text(start, "text/javascript");
        default:
          throw new ApiError("NOT_FOUND", "there is no such file");
      }
    },
  },
];
