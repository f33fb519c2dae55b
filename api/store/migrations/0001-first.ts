import { type CreateTableBuilder, type Kysely, sql } from "kysely";
import type { Dialect } from "../dialect.ts";

/** The first schema. */
export async function up(db: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const { integer, text, identity } = dialect;
  const table = async (
    name: string,
    build: (table: CreateTableBuilder<string, never>) => CreateTableBuilder<string, string>,
  ): Promise<void> => {
    const built = build(db.schema.createTable(name) as CreateTableBuilder<string, never>);
    await (dialect.tableEnd === null ? built : built.modifyEnd(dialect.tableEnd)).execute();
  };

  await table("tenants", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("weight", dialect.real, (c) => c.notNull())
      .addColumn("status", text, (c) => c.notNull())
      .addColumn("quotas", text, (c) => c.notNull())
      .addColumn("cohort", text)
      .addColumn("created_ms", integer, (c) => c.notNull()),
  );
  await table("intents", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("tenant_id", text, (c) => c.notNull().references("tenants.id"))
      .addColumn("name", text, (c) => c.notNull())
      .addColumn("kind", text, (c) => c.notNull())
      .addColumn("phase", text, (c) => c.notNull())
      .addColumn("version", integer, (c) => c.notNull())
      .addColumn("generation", integer, (c) => c.notNull())
      .addColumn("priority", integer, (c) => c.notNull())
      .addColumn("document", text, (c) => c.notNull())
      .addColumn("spec", text, (c) => c.notNull())
      .addColumn("reason", text)
      .addColumn("message", text, (c) => c.notNull())
      .addColumn("ending", text)
      .addColumn("attempt", integer, (c) => c.notNull())
      .addColumn("failures", integer, (c) => c.notNull())
      .addColumn("created_ms", integer, (c) => c.notNull())
      .addColumn("updated_ms", integer, (c) => c.notNull())
      .addColumn("phase_ms", integer, (c) => c.notNull())
      .addColumn("due_ms", integer)
      .addColumn("expected_start_ms", integer)
      .addColumn("held", text)
      .addColumn("work_done_seconds", integer, (c) => c.notNull())
      .addColumn("started_ms", integer)
      .addColumn("terminal_ms", integer),
  );
  await db.schema.createIndex("intents_by_tenant").on("intents").columns(["tenant_id", "id"]).execute();
  await sql`create unique index intents_by_name on intents (tenant_id, name) where terminal_ms is null`.execute(
    db,
  );
  await sql`create index intents_alive on intents (phase, id) where terminal_ms is null`.execute(db);
  await table("labels", (t) =>
    t
      .addColumn("intent_id", text, (c) => c.notNull().references("intents.id"))
      .addColumn("tenant_id", text, (c) => c.notNull())
      .addColumn("key", text, (c) => c.notNull())
      .addColumn("value", text, (c) => c.notNull())
      .addPrimaryKeyConstraint("labels_pk", ["intent_id", "key"] as never),
  );
  await db.schema
    .createIndex("labels_by_value")
    .on("labels")
    .columns(["tenant_id", "key", "value", "intent_id"])
    .execute();
  await table("allocations", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("intent_id", text, (c) => c.notNull().references("intents.id"))
      .addColumn("tenant_id", text, (c) => c.notNull())
      .addColumn("offer", text, (c) => c.notNull())
      .addColumn("provider", text, (c) => c.notNull())
      .addColumn("region", text)
      .addColumn("gpus", integer, (c) => c.notNull())
      .addColumn("replicas", integer, (c) => c.notNull())
      .addColumn("cpu_milli", integer, (c) => c.notNull())
      .addColumn("memory_mib", integer, (c) => c.notNull())
      .addColumn("spot", integer, (c) => c.notNull())
      .addColumn("cost_micro", integer, (c) => c.notNull())
      .addColumn("currency", text, (c) => c.notNull())
      .addColumn("state", text, (c) => c.notNull())
      .addColumn("contract", text)
      .addColumn("service_url", text)
      .addColumn("created_ms", integer, (c) => c.notNull())
      .addColumn("expires_ms", integer)
      .addColumn("billed_ms", integer)
      .addColumn("released_ms", integer),
  );
  await db.schema.createIndex("allocations_by_intent").on("allocations").column("intent_id").execute();
  await sql`create index allocations_held on allocations (id) where released_ms is null`.execute(db);
  await table("events", (t) =>
    t
      .addColumn("seq", integer, (c) => c.primaryKey())
      .addColumn("tenant_id", text, (c) => c.notNull())
      .addColumn("at_ms", integer, (c) => c.notNull())
      .addColumn("actor", text, (c) => c.notNull())
      .addColumn("kind", text, (c) => c.notNull())
      .addColumn("subject_id", text, (c) => c.notNull())
      .addColumn("payload", text, (c) => c.notNull())
      .addColumn("prev_hash", text, (c) => c.notNull())
      .addColumn("hash", text, (c) => c.notNull()),
  );
  await db.schema.createIndex("events_by_tenant").on("events").columns(["tenant_id", "seq"]).execute();
  await db.schema.createIndex("events_by_subject").on("events").columns(["subject_id", "seq"]).execute();
  await table("audit", (t) =>
    t
      .addColumn("seq", integer, (c) => c.primaryKey())
      .addColumn("tenant_id", text, (c) => c.notNull())
      .addColumn("at_ms", integer, (c) => c.notNull())
      .addColumn("actor", text, (c) => c.notNull())
      .addColumn("action", text, (c) => c.notNull())
      .addColumn("target", text, (c) => c.notNull())
      .addColumn("outcome", text, (c) => c.notNull())
      .addColumn("request_id", text, (c) => c.notNull())
      .addColumn("prev_hash", text, (c) => c.notNull())
      .addColumn("hash", text, (c) => c.notNull()),
  );
  await db.schema.createIndex("audit_by_tenant").on("audit").columns(["tenant_id", "seq"]).execute();
  await table("outbox", (t) =>
    identity(t, "id")
      .addColumn("event_seq", integer, (c) => c.notNull())
      .addColumn("due_ms", integer, (c) => c.notNull())
      .addColumn("attempts", integer, (c) => c.notNull())
      .addColumn("claim_id", text)
      .addColumn("claimed_until_ms", integer, (c) => c.notNull()),
  );
  await db.schema.createIndex("outbox_due").on("outbox").column("due_ms").execute();
  await table("idempotency", (t) =>
    t
      .addColumn("tenant_id", text, (c) => c.notNull())
      .addColumn("key", text, (c) => c.notNull())
      .addColumn("request_hash", text, (c) => c.notNull())
      .addColumn("status", integer, (c) => c.notNull())
      .addColumn("response", text, (c) => c.notNull())
      .addColumn("expires_ms", integer, (c) => c.notNull())
      .addPrimaryKeyConstraint("idempotency_pk", ["tenant_id", "key"] as never),
  );
  await db.schema.createIndex("idempotency_expiry").on("idempotency").column("expires_ms").execute();
  await table("tokens", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("tenant_id", text, (c) => c.notNull().references("tenants.id"))
      .addColumn("hash", text, (c) => c.notNull())
      .addColumn("permissions", text, (c) => c.notNull())
      .addColumn("name", text, (c) => c.notNull())
      .addColumn("created_by", text, (c) => c.notNull())
      .addColumn("created_ms", integer, (c) => c.notNull())
      .addColumn("expires_ms", integer, (c) => c.notNull())
      .addColumn("revoked_ms", integer)
      .addColumn("last_used_ms", integer),
  );
  await db.schema.createIndex("tokens_by_tenant").on("tokens").column("tenant_id").execute();
  await table("reservations", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("tenant_id", text, (c) => c.notNull().references("tenants.id"))
      .addColumn("offer", text, (c) => c.notNull())
      .addColumn("gpus", integer, (c) => c.notNull())
      .addColumn("from_ms", integer, (c) => c.notNull())
      .addColumn("to_ms", integer, (c) => c.notNull())
      .addColumn("state", text, (c) => c.notNull())
      .addColumn("version", integer, (c) => c.notNull())
      .addColumn("created_ms", integer, (c) => c.notNull()),
  );
  await db.schema
    .createIndex("reservations_by_offer")
    .on("reservations")
    .columns(["offer", "to_ms"])
    .execute();
  await table("sessions", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("hash", text, (c) => c.notNull())
      .addColumn("issuer", text, (c) => c.notNull())
      .addColumn("subject", text, (c) => c.notNull())
      .addColumn("name", text, (c) => c.notNull())
      .addColumn("groups", text, (c) => c.notNull())
      .addColumn("created_ms", integer, (c) => c.notNull())
      .addColumn("expires_ms", integer, (c) => c.notNull())
      .addColumn("used_ms", integer, (c) => c.notNull())
      .addColumn("ended_ms", integer),
  );
  await db.schema.createIndex("sessions_by_subject").on("sessions").columns(["issuer", "subject"]).execute();
  await table("cutoffs", (t) =>
    t
      .addColumn("issuer", text, (c) => c.notNull())
      .addColumn("subject", text, (c) => c.notNull())
      .addColumn("since_ms", integer, (c) => c.notNull())
      .addPrimaryKeyConstraint("cutoffs_pk", ["issuer", "subject"] as never),
  );
  await table("webhooks", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("tenant_id", text, (c) => c.notNull().references("tenants.id"))
      .addColumn("url", text, (c) => c.notNull())
      .addColumn("description", text, (c) => c.notNull())
      .addColumn("events", text, (c) => c.notNull())
      .addColumn("status", text, (c) => c.notNull())
      .addColumn("reason", text)
      .addColumn("secret", text, (c) => c.notNull())
      .addColumn("previous", text)
      .addColumn("previous_until_ms", integer)
      .addColumn("position", integer, (c) => c.notNull())
      .addColumn("due_ms", integer)
      .addColumn("failing_ms", integer)
      .addColumn("version", integer, (c) => c.notNull())
      .addColumn("created_ms", integer, (c) => c.notNull())
      .addColumn("updated_ms", integer, (c) => c.notNull()),
  );
  await db.schema.createIndex("webhooks_by_tenant").on("webhooks").columns(["tenant_id", "id"]).execute();
  await table("deliveries", (t) =>
    identity(t, "id")
      .addColumn("webhook_id", text, (c) => c.notNull().references("webhooks.id"))
      .addColumn("tenant_id", text, (c) => c.notNull())
      .addColumn("message_id", text, (c) => c.notNull())
      .addColumn("event_seq", integer)
      .addColumn("kind", text, (c) => c.notNull())
      .addColumn("state", text, (c) => c.notNull())
      .addColumn("attempts", integer, (c) => c.notNull())
      .addColumn("status", integer)
      .addColumn("error", text)
      .addColumn("answer", text)
      .addColumn("duration_ms", integer)
      .addColumn("created_ms", integer, (c) => c.notNull())
      .addColumn("attempted_ms", integer),
  );
  await db.schema
    .createIndex("deliveries_by_webhook")
    .on("deliveries")
    .columns(["webhook_id", "state", "id"])
    .execute();
  await table("plans", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("at_ms", integer, (c) => c.notNull())
      .addColumn("parent", text)
      .addColumn("catalog_hash", text, (c) => c.notNull())
      .addColumn("inputs", text, (c) => c.notNull())
      .addColumn("answers", text, (c) => c.notNull())
      .addColumn("engine", text, (c) => c.notNull()),
  );
  await table("catalogs", (t) =>
    t.addColumn("hash", text, (c) => c.primaryKey()).addColumn("document", text, (c) => c.notNull()),
  );
  await table("decisions", (t) =>
    identity(t, "seq")
      .addColumn("intent_id", text, (c) => c.notNull().references("intents.id"))
      .addColumn("tenant_id", text, (c) => c.notNull())
      .addColumn("plan_id", text, (c) => c.notNull())
      .addColumn("at_ms", integer, (c) => c.notNull())
      .addColumn("outcome", text, (c) => c.notNull())
      .addColumn("reason", text, (c) => c.notNull())
      .addColumn("document", text, (c) => c.notNull()),
  );
  await db.schema.createIndex("decisions_by_intent").on("decisions").columns(["intent_id", "seq"]).execute();
  await table("leases", (t) =>
    t
      .addColumn("name", text, (c) => c.primaryKey())
      .addColumn("holder", text, (c) => c.notNull())
      .addColumn("epoch", integer, (c) => c.notNull())
      .addColumn("renewals", integer, (c) => c.notNull()),
  );
  await table("writers", (t) =>
    t
      .addColumn("id", text, (c) => c.primaryKey())
      .addColumn("last_group", integer, (c) => c.notNull())
      .addColumn("at_ms", integer, (c) => c.notNull()),
  );
  await table("meta", (t) =>
    t.addColumn("key", text, (c) => c.primaryKey()).addColumn("value", text, (c) => c.notNull()),
  );
  await dialect.forbidChanges(db, "events");
  await dialect.forbidChanges(db, "audit");
}
