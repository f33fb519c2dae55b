import * as z from "zod";

const text = z.union([z.string(), z.number()]).transform(String);
const optionalText = text.optional();
const flag = z.boolean().optional();
const figure = z.coerce.number().optional();

/**
 * GPU traits of a K8Slice: the first three members upstream, all of them in the fork. The fork writes node totals to
 * `cores` and `memory`, leaves false and zero out, and puts the zone into `region` and the region into `zone`.
 */
const gpuSchema = z.object({
  model: z.string().default(""),
  cores: text.default("0"),
  memory: text.default("0"),
  vendor: z.string().optional(),
  count: figure,
  tier: z.string().optional(),
  multi_instance: flag,
  shared: flag,
  sharing_strategy: z.string().optional(),
  dedicated: flag,
  interruptible: flag,
  network_bandwidth: optionalText,
  network_latency_ms: figure,
  network_tier: z.string().optional(),
  training_score: figure,
  inference_score: figure,
  hpc_score: figure,
  graphics_score: figure,
  architecture: z.string().optional(),
  interconnect: z.string().optional(),
  interconnect_bandwidth: optionalText,
  compute_capability: optionalText,
  clock_speed: optionalText,
  fp32_tflops: figure,
  topology: z.string().optional(),
  multi_gpu_efficiency: optionalText,
  region: z.string().optional(),
  zone: z.string().optional(),
  hourly_rate: figure,
  provider: z.string().optional(),
  pre_emptible: flag,
});

const sliceSchema = z.object({
  characteristics: z.object({
    architecture: z.string().optional(),
    cpu: optionalText,
    memory: optionalText,
    pods: optionalText,
    gpu: gpuSchema.optional(),
  }),
  properties: z
    .looseObject({
      latency: z.number().optional(),
      securityStandards: z.array(z.string()).optional(),
      additionalProperties: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
  policies: z
    .looseObject({
      partitionability: z.object({ gpuMin: optionalText, gpuStep: optionalText }).optional(),
    })
    .optional(),
});

const specSchema = z.object({
  providerID: z.string().optional(),
  flavorType: z.object({ typeIdentifier: z.string(), typeData: z.unknown() }),
  owner: z.object({
    domain: z.string(),
    nodeID: z.string(),
    ip: z.string(),
    additionalInformation: z.object({ liqoID: z.string().optional() }).optional(),
  }),
  price: z.object({ amount: text, currency: z.string(), period: z.string() }),
  availability: z.boolean(),
  location: z
    .looseObject({
      latitude: optionalText,
      longitude: optionalText,
      country: z.string().optional(),
      city: z.string().optional(),
    })
    .optional(),
});

/** GPU traits of a slice; absent is not stated, quantities are text. */
export interface SliceGpu {
  readonly model: string;
  readonly cores: string;
  readonly memory: string;
  readonly vendor?: string | undefined;
  readonly count?: number | undefined;
  readonly tier?: string | undefined;
  readonly multi_instance?: boolean | undefined;
  readonly shared?: boolean | undefined;
  readonly sharing_strategy?: string | undefined;
  readonly dedicated?: boolean | undefined;
  readonly interruptible?: boolean | undefined;
  readonly network_bandwidth?: string | undefined;
  readonly network_latency_ms?: number | undefined;
  readonly network_tier?: string | undefined;
  readonly training_score?: number | undefined;
  readonly inference_score?: number | undefined;
  readonly hpc_score?: number | undefined;
  readonly graphics_score?: number | undefined;
  readonly architecture?: string | undefined;
  readonly interconnect?: string | undefined;
  readonly interconnect_bandwidth?: string | undefined;
  readonly compute_capability?: string | undefined;
  readonly clock_speed?: string | undefined;
  readonly fp32_tflops?: number | undefined;
  readonly topology?: string | undefined;
  readonly multi_gpu_efficiency?: string | undefined;
  readonly region?: string | undefined;
  readonly zone?: string | undefined;
  readonly hourly_rate?: number | undefined;
  readonly provider?: string | undefined;
  readonly pre_emptible?: boolean | undefined;
}

/** The data of a flavor of type K8Slice. */
export interface K8Slice {
  readonly characteristics: {
    readonly architecture?: string | undefined;
    readonly cpu?: string | undefined;
    readonly memory?: string | undefined;
    readonly pods?: string | undefined;
    readonly gpu?: SliceGpu | undefined;
  };
  readonly properties?:
    | {
        /** ms */
        readonly latency?: number | undefined;
        readonly securityStandards?: readonly string[] | undefined;
        readonly additionalProperties?: Readonly<Record<string, unknown>> | undefined;
      }
    | undefined;
  readonly policies?:
    | {
        readonly partitionability?:
          | { readonly gpuMin?: string | undefined; readonly gpuStep?: string | undefined }
          | undefined;
      }
    | undefined;
}

/** Who sells a flavor. */
interface FlavorOwner {
  readonly domain: string;
  readonly nodeID: string;
  /** `host:port` of its REAR gateway. */
  readonly ip: string;
  readonly additionalInformation?: { readonly liqoID?: string | undefined } | undefined;
}

/** The specification of a flavor; its data depends on the type. */
interface FlavorSpec {
  readonly providerID?: string | undefined;
  readonly flavorType: { readonly typeIdentifier: string; readonly typeData?: unknown };
  readonly owner: FlavorOwner;
  readonly price: { readonly amount: string; readonly currency: string; readonly period: string };
  readonly availability: boolean;
  readonly location?:
    | {
        readonly latitude?: string | undefined;
        readonly longitude?: string | undefined;
        readonly country?: string | undefined;
        readonly city?: string | undefined;
      }
    | undefined;
}

/** A FLUIDOS Flavor, as an object of its own or embedded in a PeeringCandidate. */
export interface FlavorResource {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
  readonly spec: FlavorSpec;
}

/** A FLUIDOS PeeringCandidate. */
export interface CandidateResource {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
  readonly spec: { readonly flavor: FlavorResource; readonly available: boolean };
}

const metadata = z.object({ name: z.string().min(1), namespace: z.string().optional() });

/** Reads a Flavor; members that placement does not know are dropped. */
export const flavorSchema: z.ZodType<FlavorResource> = z.object({ metadata, spec: specSchema });

/** Reads a PeeringCandidate. */
export const candidateSchema: z.ZodType<CandidateResource> = z.object({
  metadata,
  spec: z.object({ flavor: flavorSchema, available: z.boolean() }),
});

/** Reads the data of a flavor of type K8Slice. */
export const k8SliceSchema: z.ZodType<K8Slice> = sliceSchema;
