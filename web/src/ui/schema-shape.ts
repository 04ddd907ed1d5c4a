// What a schema asks for, as a form sees it: one of a few kinds, with references followed and null set aside
// (a field that is left empty says the same).

import type { Json, JsonSchema } from "@sluice/client";
import { formWords } from "./schema-words";
import { words } from "./format";
import { wordsNow } from "@/words/words";

export interface Choice { value: Json; text: string; key: string }

export type Shape = { schema: JsonSchema } & (
  | { kind: "flag" | "number" | "text" | "json" | "any" }
  | { kind: "object" }
  | { kind: "fixed"; value: Json }
  | { kind: "choice"; choices: Choice[] }
  | { kind: "several"; choices: Choice[] }
  | { kind: "list"; items: JsonSchema }
  | { kind: "map"; items: JsonSchema }
  | { kind: "variants"; variants: JsonSchema[] });

const isSchema = (s: JsonSchema | boolean | undefined): s is JsonSchema => typeof s === "object" && s !== null;

/** The text that stands for a value in a select: as it is, or as JSON. */
const keyOf = (value: Json) => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));

function followed(schema: JsonSchema, root: JsonSchema, depth = 0): JsonSchema {
  if (!schema.$ref || depth > 16) return schema;
  const { $ref, ...own } = schema;
  let at: unknown = root;
  for (const part of $ref.replace(/^#\/?/, "").split("/").filter(Boolean)) {
    at = at && typeof at === "object" ? (at as Record<string, unknown>)[decodeURIComponent(part).replace(/~1/g, "/").replace(/~0/g, "~")] : undefined;
  }
  return at && typeof at === "object" ? { ...followed(at as JsonSchema, root, depth + 1), ...own } : own;
}

function merged(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const { allOf, ...own } = followed(schema, root);
  if (!allOf) return own;
  return allOf.map((s) => merged(s, root)).reduce((a, b) => ({
    ...b, ...a, properties: a.properties || b.properties ? { ...b.properties, ...a.properties } : undefined,
    required: [...(a.required ?? []), ...(b.required ?? [])],
  }), own);
}

const isNull = (s: JsonSchema) => s.type === "null" || s.const === null || (s.enum?.length === 1 && s.enum[0] === null);

// Alternatives that only say which members go together describe no value of their own.
const isValue = (s: JsonSchema) => Boolean(s.type ?? s.enum ?? s.items ?? s.oneOf ?? s.anyOf) || s.const !== undefined;

export function typeOf(schema: JsonSchema): string | undefined {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).filter((t) => t !== undefined && t !== "null");
  if (types.length > 1) return types.every((t) => t === "number" || t === "integer") ? "number" : undefined;
  if (types[0]) return types[0];
  if (schema.properties) return "object";
  return schema.items ? "array" : undefined;
}

const choice = (s: JsonSchema, value: Json): Choice => ({ value, key: keyOf(value), text: s.title ?? keyOf(value) });

function choicesOf(schema: JsonSchema): Choice[] | undefined {
  if (schema.enum) return schema.enum.filter((e) => e !== null).map((e) => choice({}, e));
  const several = schema.oneOf ?? schema.anyOf;
  const consts = several?.filter((s) => !isNull(s));
  if (!consts?.length || !consts.every((s) => s.const !== undefined)) return undefined;
  return consts.map((s) => choice(s, s.const!));
}

function listShape(schema: JsonSchema, root: JsonSchema): Shape {
  if (!isSchema(schema.items) || Object.keys(schema.items).length === 0) return { kind: "json", schema };
  const items = merged(schema.items, root);
  const choices = schema.uniqueItems ? choicesOf(items) : undefined;
  return choices ? { kind: "several", choices, schema } : { kind: "list", items: schema.items, schema };
}

function objectShape(schema: JsonSchema): Shape {
  if (schema.properties && Object.keys(schema.properties).length) return { kind: "object", schema };
  const more = schema.additionalProperties;
  return isSchema(more) && Object.keys(more).length ? { kind: "map", items: more, schema } : { kind: "json", schema };
}

export function shapeOf(given: JsonSchema | boolean, root: JsonSchema): Shape {
  if (!isSchema(given)) return { kind: "any", schema: {} };
  const schema = merged(given, root);
  if (schema.const !== undefined && schema.const !== null) return { kind: "fixed", value: schema.const, schema };
  const choices = choicesOf(schema);
  if (choices) return { kind: "choice", choices, schema };
  const type = typeOf(schema);
  const several = (schema.oneOf ?? schema.anyOf)?.map((s) => followed(s, root)).filter((s) => !isNull(s));
  if (several?.length && !schema.properties && several.every((s) => isValue(s) || s.properties)) {
    const { oneOf: _one, anyOf: _any, ...own } = schema;
    if (several.length === 1) return shapeOf({ ...several[0]!, ...own }, root);
    return { kind: "variants", variants: several.map((s) => ({ ...(own.type ? { type: own.type } : {}), ...s })), schema };
  }
  switch (type) {
    case "boolean": return { kind: "flag", schema };
    case "number": case "integer": return { kind: "number", schema };
    case "array": return listShape(schema, root);
    case "object": return objectShape(schema);
    case "string": return { kind: "text", schema };
    default: return { kind: "any", schema };
  }
}

/** Whether a value could have come of this alternative; enough to choose one, the server judges. */
export function fits(schema: JsonSchema, root: JsonSchema, value: Json): boolean {
  const shape = shapeOf(schema, root);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  switch (shape.kind) {
    case "fixed": return keyOf(shape.value) === keyOf(value);
    case "choice": return shape.choices.some((c) => c.key === keyOf(value));
    case "flag": return typeof value === "boolean";
    case "number": return typeof value === "number";
    case "text": return typeof value === "string";
    case "list": case "several": return Array.isArray(value);
    case "map": return isObject;
    case "object": return isObject && (shape.schema.required ?? []).every((name) => value[name] !== undefined)
      && Object.entries(shape.schema.properties ?? {}).every(([name, s]) => s.const === undefined || value[name] === undefined || keyOf(s.const) === keyOf(value[name]));
    case "variants": return shape.variants.some((v) => fits(v, root, value));
    case "json": return typeOf(shape.schema) === "array" ? Array.isArray(value) : isObject;
    default: return true;
  }
}

/** What an alternative is called in the select of its kinds. */
export function variantName(schema: JsonSchema, root: JsonSchema): string {
  const shape = shapeOf(schema, root);
  if (shape.schema.title) return shape.schema.title;
  if (shape.kind === "choice") return shape.choices.map((c) => c.text).join(", ");
  if (shape.kind === "fixed") return keyOf(shape.value);
  const type = typeOf(shape.schema);
  return (type && wordsNow(formWords).types[type]) ?? words(type ?? shape.kind);
}

/** Whether a text is written in several lines. */
export function isLong(schema: JsonSchema): boolean {
  if (schema["x-multiline"] !== undefined) return schema["x-multiline"];
  if (schema.contentMediaType?.startsWith("text/")) return true;
  if (schema.format) return /^(markdown|text|textarea|multiline|html|code)$/.test(schema.format);
  return !schema.pattern && (schema.maxLength ?? 999) > 200;
}
