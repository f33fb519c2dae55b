import { bearer, failure, type Row, service, shown, signIn } from "./proof.ts";

/** Rows on the service: routes, answers, errors, tokens. */
export const serviceRows: readonly Row[] = [
  shown(
    "F-001",
    "POST /intents",
    service(
      "F-001, F-139, F-140, F-141: a submission is answered with id, pending, estimates as text and as figures",
    ),
  ),
  shown(
    "F-002",
    "GET /intents",
    service(
      "F-002, F-007: the list holds the caller's own intents, ended ones too, by status, time and page",
    ),
  ),
  shown(
    "F-003",
    "GET /intents/{id}",
    service(
      "F-003, F-004, F-015, F-142: the status is found under both paths, with and without the base path",
    ),
  ),
  shown(
    "F-004",
    "GET /intents/{id}/status",
    service(
      "F-003, F-004, F-015, F-142: the status is found under both paths, with and without the base path",
    ),
  ),
  shown(
    "F-005",
    "DELETE /intents/{id}",
    service("F-005, F-153: a cancellation is accepted with 202, ends the intent and releases what it held"),
  ),
  shown(
    "F-006",
    "PATCH /intents/{id}",
    service("F-006, F-283: constraints and priority of an intent can be changed, and its history tells"),
  ),
  shown(
    "F-007",
    "history of intents",
    service(
      "F-002, F-007: the list holds the caller's own intents, ended ones too, by status, time and page",
    ),
  ),
  shown(
    "F-008",
    "GET /resources",
    service(
      "F-008, F-152: resources are listed by model, count, memory of one GPU, place, provider and price",
    ),
  ),
  shown(
    "F-009",
    "reservations and utilization",
    service("F-009: capacity can be reserved for later, and use is reported"),
  ),
  shown(
    "F-010",
    "POST /auth/tokens",
    service("F-010, F-174, F-175: a token is made with name, life and permissions, its text shown once"),
  ),
  shown(
    "F-011",
    "GET /auth/tokens",
    service("F-011, F-176: tokens are listed with seven members and without their secrets"),
  ),
  shown(
    "F-012",
    "DELETE /auth/tokens/{id}",
    service("F-012, F-166, F-177: a revoked token is answered as revoked, with its id and time"),
  ),
  shown("F-013", "GET /auth/verify", service("F-013, F-178: a caller is told who they are and until when")),
  shown(
    "F-014",
    "GET /health",
    service(
      "F-014, F-021: health is open; what is not ready, not JSON, without a token or nowhere is answered as such",
    ),
  ),
  shown(
    "F-015",
    "base path and root aliases",
    service(
      "F-003, F-004, F-015, F-142: the status is found under both paths, with and without the base path",
    ),
  ),
  shown(
    "F-016",
    "content type of requests",
    service("F-016, F-018: a body is JSON and declared so, and what it lacks is named"),
  ),
  shown(
    "F-017",
    "bearer tokens",
    service(
      "F-017, F-164, F-167: every route wants a bearer token; B-14: odd credentials are refused, whatever they look like",
    ),
  ),
  shown(
    "F-020",
    "port 8080, plain HTTP",
    service("F-020: the service listens on port 8080 unless told otherwise"),
  ),
  shown(
    "F-021",
    "the QuickStart's error answers",
    service(
      "F-014, F-021: health is open; what is not ready, not JSON, without a token or nowhere is answered as such",
    ),
  ),
  shown(
    "F-139",
    "answer to a submission",
    service(
      "F-001, F-139, F-140, F-141: a submission is answered with id, pending, estimates as text and as figures",
    ),
  ),
  shown(
    "F-140",
    "its variant with status success",
    service(
      "F-001, F-139, F-140, F-141: a submission is answered with id, pending, estimates as text and as figures",
    ),
  ),
  shown(
    "F-141",
    "its variant with numbers",
    service(
      "F-001, F-139, F-140, F-141: a submission is answered with id, pending, estimates as text and as figures",
    ),
  ),
  shown(
    "F-142",
    "status of an intent",
    service(
      "F-003, F-004, F-015, F-142: the status is found under both paths, with and without the base path",
    ),
  ),
  shown(
    "F-143",
    "accrued cost",
    service("F-143: the cost so far is the price that is really paid times the time it was paid"),
  ),
  shown(
    "F-144",
    "workload address",
    service("F-144, F-146: the workload's address is there once it runs, under both names"),
  ),
  shown(
    "F-145",
    "status variant with allocation",
    service(
      "F-145, F-147, F-148, F-149: the status tells provider, GPUs, place and price of every part, and the tenant's cost",
    ),
  ),
  shown(
    "F-146",
    "status variant with service_url",
    service("F-144, F-146: the workload's address is there once it runs, under both names"),
  ),
  shown(
    "F-147",
    "status variant with metrics: the engine's own; metrics of workloads are theirs",
    service(
      "F-145, F-147, F-148, F-149: the status tells provider, GPUs, place and price of every part, and the tenant's cost",
    ),
  ),
  shown(
    "F-148",
    "status over several regions",
    service(
      "F-145, F-147, F-148, F-149: the status tells provider, GPUs, place and price of every part, and the tenant's cost",
    ),
  ),
  shown(
    "F-149",
    "metrics of a tenant",
    service(
      "F-145, F-147, F-148, F-149: the status tells provider, GPUs, place and price of every part, and the tenant's cost",
    ),
  ),
  shown(
    "F-150",
    "metrics of a batch",
    service("F-150: the status of a batch counts its tasks and what they cost"),
  ),
  shown(
    "F-151",
    "running services are running",
    service("F-151: a service that runs is running, however long"),
  ),
  shown(
    "F-152",
    "answer of GET /resources",
    service(
      "F-008, F-152: resources are listed by model, count, memory of one GPU, place, provider and price",
    ),
  ),
  shown(
    "F-153",
    "answer to a cancellation",
    service("F-005, F-153: a cancellation is accepted with 202, ends the intent and releases what it held"),
  ),
  shown("F-154", "form of errors", failure("%s, F-154: %s is %i, in the original's form")),
  shown("F-155", "error INVALID_FORMAT", failure("%s, F-154: %s is %i, in the original's form", '["F-155"')),
  shown(
    "F-156",
    "error MISSING_REQUIRED_FIELD",
    failure("%s, F-154: %s is %i, in the original's form", '["F-156"'),
  ),
  shown(
    "F-157",
    "error INSUFFICIENT_RESOURCES",
    failure("%s, F-154: %s is %i, in the original's form", '["F-157"'),
  ),
  shown(
    "F-158",
    "error GPU_MODEL_UNAVAILABLE",
    failure("%s, F-154: %s is %i, in the original's form", '["F-158"'),
  ),
  shown(
    "F-159",
    "error GPU_MEMORY_INSUFFICIENT",
    failure("%s, F-154: %s is %i, in the original's form", '["F-159"'),
  ),
  shown(
    "F-160",
    "error GPU_COUNT_INSUFFICIENT",
    failure("%s, F-154: %s is %i, in the original's form", '["F-160"'),
  ),
  shown(
    "F-161",
    "error REGION_UNAVAILABLE",
    failure("%s, F-154: %s is %i, in the original's form", '["F-161"'),
  ),
  shown(
    "F-162",
    "error COST_LIMIT_EXCEEDED",
    failure("%s, F-154: %s is %i, in the original's form", '["F-162"'),
  ),
  shown(
    "F-163",
    "error QUOTA_EXCEEDED",
    failure("F-163, F-172: a tenant over its quota is told so, with what is used"),
  ),
  shown(
    "F-164",
    "error INVALID_TOKEN",
    service(
      "F-017, F-164, F-167: every route wants a bearer token; B-14: odd credentials are refused, whatever they look like",
    ),
  ),
  shown("F-165", "error TOKEN_EXPIRED", failure("F-165, F-171: an expired token is answered as expired")),
  shown(
    "F-166",
    "error TOKEN_REVOKED",
    service("F-012, F-166, F-177: a revoked token is answered as revoked, with its id and time"),
  ),
  shown(
    "F-167",
    "error AUTHENTICATION_FAILED",
    service(
      "F-017, F-164, F-167: every route wants a bearer token; B-14: odd credentials are refused, whatever they look like",
    ),
  ),
  shown(
    "F-168",
    "error INSUFFICIENT_PERMISSIONS",
    failure(
      "F-168, F-179, F-180: each permission opens its own routes, and B-19: nobody gives more than they have",
    ),
  ),
  shown(
    "F-169",
    "example: model unavailable",
    failure(
      "%s: what would be placed instead is suggested, with its cost and what it means for speed",
      '"F-169"',
    ),
  ),
  shown(
    "F-170",
    "example: cost limit",
    failure(
      "%s: what would be placed instead is suggested, with its cost and what it means for speed",
      '"F-170"',
    ),
  ),
  shown("F-171", "example: token expired", failure("F-165, F-171: an expired token is answered as expired")),
  shown(
    "F-172",
    "example: quota",
    failure("F-163, F-172: a tenant over its quota is told so, with what is used"),
  ),
  shown(
    "F-173",
    "nothing matches: error or queue",
    failure("F-173: where nothing fits, queue is accepted and waits, reject and silence are refused"),
  ),
  shown(
    "F-174",
    "creating a token",
    service("F-010, F-174, F-175: a token is made with name, life and permissions, its text shown once"),
  ),
  shown(
    "F-175",
    "answer with a new token",
    service("F-010, F-174, F-175: a token is made with name, life and permissions, its text shown once"),
  ),
  shown(
    "F-176",
    "tokens in a list",
    service("F-011, F-176: tokens are listed with seven members and without their secrets"),
  ),
  shown(
    "F-177",
    "answer to a revocation",
    service("F-012, F-166, F-177: a revoked token is answered as revoked, with its id and time"),
  ),
  shown("F-178", "answer to a check", service("F-013, F-178: a caller is told who they are and until when")),
  shown(
    "F-179",
    "permissions",
    failure(
      "F-168, F-179, F-180: each permission opens its own routes, and B-19: nobody gives more than they have",
    ),
  ),
  shown(
    "F-180",
    "only administrators make tokens",
    failure(
      "F-168, F-179, F-180: each permission opens its own routes, and B-19: nobody gives more than they have",
    ),
  ),
  shown(
    "F-181",
    "single sign-on",
    signIn("alice signs in at the issuer, works with her session and signs out"),
    bearer("a token of a trusted issuer is somebody, with the roles that the table gives to the groups"),
  ),
];
