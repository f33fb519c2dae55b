import fc from "fast-check";
import { intentChoices } from "../../../adapters/json/choices.ts";

/** The canonical values of one enumeration. */
const oneOf = (path: string): fc.Arbitrary<string> => fc.constantFrom(...intentChoices[path]!.values);
const small = fc.integer({ min: 1, max: 8 });
const share = fc.constantFrom(0, 0.05, 0.5, 1);
const size = fc.constantFrom("1Gi", "512Mi", "16Gi", "70Gi", "1.5Gi", "1000M", "2e9");
const duration = fc.constantFrom("0s", "30s", "5m", "1h30m", "2h", "250ms");
const money = fc.constantFrom("5", "5.50 EUR", "10 EUR/hour", "0.000001 USD", 4, 2.5);
const place = fc.constantFrom("EU", "germany", "DE", "eu-central-1", "us-east-1", "us-east-1a", "Asia");
const model = fc.constantFrom("nvidia-h100", "H100", "any", "nvidia-a6000", "amd-rx-7900xtx", "custom-x1");
const time = fc.constantFrom("2026-12-24T18:00:00Z", "2026-12-24T18:00:00+02:00", "2027-01-01T00:00:00.250Z");
const text = fc.constantFrom("a", "data", "x-1");
const optional = <T extends { readonly [key: string]: fc.Arbitrary<unknown> }>(
  fields: T,
  required: (keyof T & string)[] = [],
): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(fields, { requiredKeys: required }) as fc.Arbitrary<Record<string, unknown>>;

const gpu = optional({
  count: small,
  model,
  preferred_models: fc.array(model, { maxLength: 2 }),
  memory_min: fc.constantFrom("1Gi", "16Gi"),
  memory_max: fc.constantFrom("80Gi", "100Gi"),
  cores_min: fc.integer({ min: 0, max: 5 }),
  cores_max: fc.integer({ min: 5, max: 9 }),
  clock_speed_min: fc.constantFrom("1.5G", "900M"),
  compute_capability: fc.constantFrom("8.0", "8.9", "9", 8.6, "any"),
  fp32_tflops: fc.constantFrom(0, 19.5, 67),
  multi_gpu_efficiency: share,
  architecture: oneOf("intent.workload.resources.gpu.architecture"),
  tier: oneOf("intent.workload.resources.gpu.tier"),
  interconnect: oneOf("intent.workload.resources.gpu.interconnect"),
  topology: oneOf("intent.workload.resources.gpu.topology"),
  vendor: oneOf("intent.workload.resources.gpu.vendor"),
  dedicated: fc.boolean(),
  multi_instance: fc.boolean(),
  interruptible: fc.boolean(),
});

const sharedGpu = fc.record({
  shared: fc.constant(true),
  fraction: fc.constantFrom(0.001, 0.25, 0.5, 1),
});

const volume = optional(
  {
    name: text,
    size,
    type: oneOf("intent.workload.storage.volumes[].type"),
    path: fc.constantFrom("/data", "/"),
    source: fc.record({
      type: oneOf("intent.workload.storage.volumes[].source.type"),
      uri: fc.constant("s3://bucket/x"),
      credentials: text,
    }),
  },
  ["name", "size", "type", "path"],
);

const workload = optional(
  {
    type: oneOf("intent.workload.type"),
    name: fc.constantFrom("a", "chat-1", "x".repeat(63)),
    image: fc.constant("registry.local/chat:1"),
    kind: oneOf("intent.workload.kind"),
    commands: fc.array(text, { maxLength: 2 }),
    env: fc.array(fc.constantFrom("A=b", "A=", "URL=http://x?a=b", "lower=with blank"), { maxLength: 2 }),
    ports: fc.array(
      optional(
        {
          port: fc.constantFrom(1, 80, 65535),
          protocol: oneOf("intent.workload.ports[].protocol"),
          expose: fc.boolean(),
          domain: fc.constant("x.example"),
        },
        ["port"],
      ),
      { maxLength: 2 },
    ),
    storage: optional({ volumes: fc.array(volume, { maxLength: 2 }) }),
    secrets: fc.array(fc.record({ name: text, env: text }), { maxLength: 2 }),
    deployment_strategy: oneOf("intent.workload.deployment_strategy"),
    communication_pattern: oneOf("intent.workload.communication_pattern"),
    scaling: optional({
      min_replicas: small,
      max_replicas: fc.integer({ min: 8, max: 12 }),
      auto_scale: fc.boolean(),
      target_cpu_percent: fc.integer({ min: 0, max: 100 }),
      target_gpu_percent: fc.integer({ min: 0, max: 100 }),
    }),
    batch: optional({
      parallel_tasks: small,
      max_retries: fc.integer({ min: 0, max: 3 }),
      timeout: duration,
      completion_policy: oneOf("intent.workload.batch.completion_policy"),
      estimated_runtime: duration,
      estimated_on: fc.constantFrom("nvidia-t4", "A100"),
      checkpoint_interval: duration,
    }),
    evictable: fc.boolean(),
    min_runtime: duration,
    resources: optional({
      cpu: fc.constantFrom("1", "4.5", "250m", 2),
      memory: size,
      gpu: fc.oneof(gpu, sharedGpu),
    }),
  },
  ["type", "name", "image", "resources"],
);

const constraints = optional({
  max_hourly_cost: money,
  max_total_cost: money,
  location: fc.oneof(place, fc.constant("any")),
  availability_zone: fc.constantFrom("eu-west-1a", "Zone-B"),
  max_latency_ms: fc.constantFrom(0, 20, 99.5),
  deadline: time,
  preemptible: fc.boolean(),
  providers: fc.array(fc.constantFrom("AWS", "aws", "Provider-1"), { maxLength: 3 }),
  preferred_providers: fc.array(fc.constantFrom("GCP", "aws"), { maxLength: 2 }),
  spread: fc.record({
    by: oneOf("intent.constraints.spread.by"),
    min_domains: fc.integer({ min: 2, max: 4 }),
  }),
  origin: fc.oneof(fc.constant("eu-central-1"), fc.constant({ latitude: 1.5, longitude: -2 })),
  availability: optional(
    {
      window_start: fc.constantFrom("00:00", "22:30"),
      window_end: fc.constantFrom("06:00", "23:59"),
      timezone: fc.constantFrom("Europe/Berlin", "UTC"),
      days_of_week: fc.array(oneOf("intent.constraints.availability.days_of_week[]"), {
        minLength: 1,
        maxLength: 3,
      }),
      blackout_dates: fc.array(fc.constantFrom("2026-12-24", "2028-02-29"), { maxLength: 2 }),
      maintenance_windows: fc.array(
        optional(
          {
            start: fc.constant("2026-12-01T00:00:00Z"),
            end: fc.constant("2026-12-01T02:00:00Z"),
            frequency: oneOf("intent.constraints.availability.maintenance_windows[].frequency"),
          },
          ["start", "end"],
        ),
        { maxLength: 2 },
      ),
    },
    ["window_start", "window_end", "timezone", "days_of_week"],
  ),
  energy: optional({
    max_carbon_footprint: fc.constantFrom("50g CO2/h", "1.5kg CO2/h", 20),
    renewable_energy_only: fc.boolean(),
    energy_efficiency_rating: oneOf("intent.constraints.energy.energy_efficiency_rating"),
    power_usage_effectiveness: fc.constantFrom(1, 1.2, 2),
    green_certified_only: fc.boolean(),
  }),
  security: optional({
    network_isolation: oneOf("intent.constraints.security.network_isolation"),
    firewall_rules: fc.array(
      fc.record({
        port: fc.constantFrom(22, 443),
        protocol: oneOf("intent.constraints.security.firewall_rules[].protocol"),
        source: fc.constant("10.0.0.0/8"),
        action: oneOf("intent.constraints.security.firewall_rules[].action"),
      }),
      { maxLength: 2 },
    ),
    vpn_access: fc.boolean(),
    bastion_host: fc.boolean(),
    intrusion_detection: fc.boolean(),
    vulnerability_scanning: fc.boolean(),
  }),
  performance: optional({
    min_network_bandwidth: fc.constantFrom("10Gbps", "500Mbps", 25),
    max_jitter_ms: fc.constantFrom(0, 5),
    min_uptime_percent: fc.constantFrom(99, "99.9%"),
    max_cold_start_time: duration,
    gpu_utilization_target: share,
    memory_utilization_target: share,
  }),
  compliance: optional({
    data_residency: fc.array(place, { maxLength: 2 }),
    certifications: fc.array(fc.constantFrom("ISO27001", "ISO 27001", "soc2"), { maxLength: 3 }),
    encryption_at_rest: fc.boolean(),
    encryption_in_transit: fc.boolean(),
    audit_logging: fc.boolean(),
    gdpr_compliant: fc.boolean(),
    hipaa_compliant: fc.boolean(),
  }),
  negotiation: optional({
    max_negotiation_rounds: fc.integer({ min: 0, max: 3 }),
    price_flexibility: share,
    resource_flexibility: share,
    timeout_seconds: fc.integer({ min: 0, max: 300 }),
    fallback_strategy: fc.oneof(
      oneOf("intent.constraints.negotiation.fallback_strategy[]"),
      fc.array(oneOf("intent.constraints.negotiation.fallback_strategy[]"), { maxLength: 3 }),
    ),
    auto_accept_threshold: share,
  }),
});

/** Documents that the reader accepts, every documented field among them. */
export const intentDocuments: fc.Arbitrary<{ intent: Record<string, unknown> }> = fc.record({
  intent: optional(
    {
      objective: oneOf("intent.objective"),
      tenant: fc.constantFrom("default", "team-a"),
      priority: fc.oneof(
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom("critical", "best-effort", "Normal"),
      ),
      bid: fc.record({ max_price_per_gpu_hour: money }),
      weights: fc.constantFrom({ cost: 1 }, { cost: 0.5, latency: 2 }, { performance: 1, energy: 0 }),
      workload,
      constraints,
      sla: optional({
        availability: fc.constantFrom("99.9%", 99, "100%"),
        max_interruption_time: duration,
        backup_strategy: oneOf("intent.sla.backup_strategy"),
      }),
      submitted_at: time,
    },
    ["objective", "workload"],
  ),
});
