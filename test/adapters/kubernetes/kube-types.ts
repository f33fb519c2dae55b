import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as client from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import type { KubernetesObject } from "../../../adapters/kubernetes/object.ts";

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}
interface Model {
  readonly getAttributeTypeMap: () => readonly Attribute[];
}

/** Kinds of Kubernetes itself, by their class in the official client. */
const models: Readonly<Record<string, string>> = {
  "v1 Namespace": "V1Namespace",
  "v1 ConfigMap": "V1ConfigMap",
  "v1 PersistentVolume": "V1PersistentVolume",
  "v1 PersistentVolumeClaim": "V1PersistentVolumeClaim",
  "v1 Service": "V1Service",
  "apps/v1 Deployment": "V1Deployment",
  "batch/v1 Job": "V1Job",
  "networking.k8s.io/v1 Ingress": "V1Ingress",
  "networking.k8s.io/v1 NetworkPolicy": "V1NetworkPolicy",
  "autoscaling/v2 HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
};

const primitives = ["string", "number", "boolean"];

/** What is wrong with a value of a type of the client's OpenAPI models: unknown members and wrong primitives. */
function problems(value: unknown, type: string, path: string): string[] {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list !== undefined)
    return Array.isArray(value)
      ? value.flatMap((item, index) => problems(item, list, `${path}[${index}]`))
      : [`${path}: no list`];
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (map !== undefined)
    return Object.entries(value as object).flatMap(([key, item]) => problems(item, map, `${path}["${key}"]`));
  if (primitives.includes(type)) return typeof value === type ? [] : [`${path}: ${typeof value} for ${type}`];
  if (type === "IntOrString")
    return ["string", "number"].includes(typeof value) ? [] : [`${path}: no IntOrString`];
  const model = (client as unknown as Record<string, Model | undefined>)[type];
  if (model === undefined) return [`${path}: unknown type ${type}`];
  if (typeof value !== "object" || value === null) return [`${path}: no object`];
  const attributes = new Map(model.getAttributeTypeMap().map(({ baseName, type: of }) => [baseName, of]));
  return Object.entries(value).flatMap(([key, item]) => {
    const of = attributes.get(key);
    return of === undefined ? [`${path}.${key}: unknown member`] : problems(item, of, `${path}.${key}`);
  });
}

/** What the types of the official client find wrong with an object; null for kinds that are not Kubernetes' own. */
export function clientProblems(object: KubernetesObject): string[] | null {
  const type = models[`${object.apiVersion} ${object.kind}`];
  return type === undefined ? null : problems(object, type, object.kind);
}

/** Validators compiled from Kubernetes' published OpenAPI schema, by API version and kind. */
type Validated = new (data: object) => { readonly validate: () => void };
const modules: Readonly<Record<string, () => Promise<object>>> = {
  v1: () => import("kubernetes-models/v1"),
  "apps/v1": () => import("kubernetes-models/apps/v1"),
  "batch/v1": () => import("kubernetes-models/batch/v1"),
  "networking.k8s.io/v1": () => import("kubernetes-models/networking.k8s.io/v1"),
  "autoscaling/v2": () => import("kubernetes-models/autoscaling/v2"),
};

/**
 * What the published schema finds wrong with an object: missing and mistyped members, values out of their choices,
 * quantities that do not parse. Null for kinds that are not Kubernetes' own.
 */
export async function openApiProblems(object: KubernetesObject): Promise<string[] | null> {
  const load = modules[object.apiVersion];
  if (load === undefined) return null;
  const { [object.kind]: Model } = (await load()) as Readonly<Record<string, Validated | undefined>>;
  if (Model === undefined) return [`${object.apiVersion} has no ${object.kind}`];
  try {
    new Model(object).validate();
    return [];
  } catch (error) {
    return [`${object.kind} ${object.metadata.name}: ${(error as Error).message}`];
  }
}

/** A structural schema as CustomResourceDefinitions carry it. */
interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function schemaProblems(value: unknown, schema: Schema, path: string): string[] {
  const found = typeOf(value);
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${path}: ${value} is no choice`];
  if (schema.pattern !== undefined && typeof value === "string" && !new RegExp(schema.pattern).test(value))
    return [`${path}: ${value} does not match ${schema.pattern}`];
  if (schema["x-kubernetes-int-or-string"] === true) return [];
  if (
    schema.type !== undefined &&
    found !== schema.type &&
    !(schema.type === "number" && found === "integer")
  )
    return [`${path}: ${found} for ${schema.type}`];
  if (found === "array")
    return (value as unknown[]).flatMap((item, index) =>
      schemaProblems(item, schema.items ?? {}, `${path}[${index}]`),
    );
  if (found !== "object" || value === null) return [];
  const missing = (schema.required ?? []).filter((key) => !(key in (value as object)));
  return [
    ...missing.map((key) => `${path}.${key}: missing`),
    ...Object.entries(value as object).flatMap(([key, item]) => {
      const of = schema.properties?.[key];
      if (of !== undefined) return schemaProblems(item, of, `${path}.${key}`);
      if (typeof schema.additionalProperties === "object")
        return schemaProblems(item, schema.additionalProperties, `${path}.${key}`);
      const isOpen =
        schema["x-kubernetes-preserve-unknown-fields"] === true || schema.properties === undefined;
      return isOpen ? [] : [`${path}.${key}: would be pruned`];
    }),
  ];
}

/** Folder with CustomResourceDefinitions of FLUIDOS and Liqo, where there is one. */
export const crdFolder: string | undefined = process.env["FLARE_CRDS"];

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

/** A check of objects against the definitions in a folder; null for kinds that it does not define. */
export function crdCheck(folder: string): (object: KubernetesObject) => string[] | null {
  const schemas = new Map<string, Schema>();
  for (const file of existsSync(folder) ? readdirSync(folder) : []) {
    for (const document of parseAllDocuments(readFileSync(join(folder, file), "utf8"))) {
      const { spec } = document.toJS() as Definition;
      for (const { name, schema } of spec.versions)
        schemas.set(`${spec.group}/${name} ${spec.names.kind}`, schema.openAPIV3Schema);
    }
  }
  return (object) => {
    const schema = schemas.get(`${object.apiVersion} ${object.kind}`);
    if (schema === undefined) return null;
    const { metadata, ...rest } = object;
    return schemaProblems({ ...rest, metadata: {} }, schema, object.kind).filter(
      (problem) => !problem.includes(".metadata"),
    );
  };
}
