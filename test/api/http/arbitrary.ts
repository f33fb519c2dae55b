import fc from "fast-check";

/** A JSON Schema as the OpenAPI document has them. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly examples?: readonly unknown[];
  readonly example?: unknown;
}

/** What references of a document lead to. */
export interface References {
  resolve(ref: string): Schema;
  /** Values that are known to be good, drawn as often as generated ones. */
  examples(ref: string): readonly unknown[];
}

const time = fc
  .integer({ min: Date.parse("2026-01-01T00:00:00Z"), max: Date.parse("2027-01-01T00:00:00Z") })
  .map((ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`);

/** Words that fields without a form of their own are likely to take, and text that they are not. */
const text = (least: number, most: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .constantFrom("1", "5 EUR", "80Gi", "10m", "eu", "nvidia-a100", "99.9%", "web", "one-by-one", "alpha")
      .filter((word) => word.length >= least && word.length <= most),
    fc.string({ minLength: least, maxLength: Math.max(least, Math.min(most, 12)) }),
    fc.string({ unit: "grapheme", minLength: least, maxLength: Math.max(least, Math.min(most, 8)) }),
  );

function stringOf({ format, pattern, minLength = 0, maxLength = 40, example }: Schema): fc.Arbitrary<string> {
  if (example !== undefined) return fc.oneof(fc.constant(String(example)), text(minLength, maxLength));
  if (format === "date-time") return time;
  if (pattern !== undefined) {
    try {
      return fc.stringMatching(new RegExp(pattern, "u"), { maxLength });
    } catch {
      return text(minLength, maxLength);
    }
  }
  return text(minLength, maxLength);
}

/** Values of a schema: mostly small, ties and limits included. `depth` bounds recursion. */
export function arbitraryOf(schema: Schema, references: References, depth = 0): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const generated = arbitraryOf(references.resolve(schema.$ref), references, depth + 1);
    const examples = references.examples(schema.$ref);
    return examples.length === 0 ? generated : fc.oneof(fc.constantFrom(...examples), generated);
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined)
    return fc.oneof(...choices.map((one) => arbitraryOf(one, references, depth + 1)));
  if (schema.allOf !== undefined)
    return fc
      .tuple(...schema.allOf.map((one) => arbitraryOf(one, references, depth + 1)))
      .map((parts) => Object.assign({}, ...(parts as object[])) as object);
  const types = Array.isArray(schema.type)
    ? (schema.type as readonly string[])
    : [schema.type as string | undefined];
  return fc.oneof(...types.map((type) => typed(schema, type, references, depth)));
}

function typed(
  schema: Schema,
  type: string | undefined,
  references: References,
  depth: number,
): fc.Arbitrary<unknown> {
  switch (type) {
    case "string":
      return stringOf(schema);
    case "integer": {
      const min = schema.minimum ?? 0;
      return fc.integer({ min, max: Math.max(min, Math.min(schema.maximum ?? 20, 1e6)) });
    }
    case "number": {
      const min = schema.minimum ?? 0;
      return fc.integer({
        min: Math.ceil(min),
        max: Math.max(Math.ceil(min), Math.min(schema.maximum ?? 100, 1e6)),
      });
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(arbitraryOf(schema.items ?? {}, references, depth + 1), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, Math.max(schema.minItems ?? 0, 3)),
      });
    case "object":
      return objectOf(schema, references, depth);
    default:
      return schema.properties === undefined
        ? fc.jsonValue({ maxDepth: 2 })
        : objectOf(schema, references, depth);
  }
}

function objectOf(schema: Schema, references: References, depth: number): fc.Arbitrary<object> {
  const { properties = {}, required = [] } = schema;
  const entries = Object.entries(properties).filter(([name]) => depth < 12 || required.includes(name));
  return fc.record(
    Object.fromEntries(entries.map(([name, one]) => [name, arbitraryOf(one, references, depth + 1)])),
    {
      requiredKeys: [...required].filter((name) => Object.hasOwn(properties, name)),
      noNullPrototype: true,
    } as never,
  ) as fc.Arbitrary<object>;
}
