// Between JSON and what stands in the fields of a form. Fields keep text until they are read, so that half a
// number or half a word of JSON can stand there; "" is a field that was left empty.

import type { Json, JsonObject, JsonSchema } from "@sluice/client";
import { wordsNow } from "@/words/words";
import { fits, shapeOf, typeOf, type Choice, type Shape } from "./schema-shape";
import { formWords } from "./schema-words";

export type FormValue = string | boolean | FormValue[] | { [name: string]: FormValue };
export type FormValues = Record<string, FormValue>;
export type FormErrors = Record<string, string>;

/** Members that the schema does not name stand under this name, as JSON: a form must not lose them. */
export const EXTRA = "";

export interface ReadOptions {
  /** Fill in the schema's defaults (as for a new input). False: what was not given stays empty (as for editing). */
  defaults?: boolean;
}

const DEPTH_MAX = 8;
const has = (value: Json | undefined): value is Json => value !== undefined && value !== null;
export const isObject = (value: unknown): value is Record<string, never> => typeof value === "object" && value !== null && !Array.isArray(value);
export const jsonText = (value: Json): string => JSON.stringify(value, null, typeof value === "object" && JSON.stringify(value).length > 60 ? 2 : undefined);

export const fieldsOf = (schema: JsonSchema | null | undefined): [string, JsonSchema][] => Object.entries(schema?.properties ?? {});

export const join = (path: string, name: string): string => (path ? `${path}.${name}` : name);

/** A field is empty when nothing in it says anything. */
export function isEmpty(value: FormValue | undefined): boolean {
  if (value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.values(value).every(isEmpty);
}

// A text that would be read as other JSON is shown in its quotes.
function anyText(value: Json): string {
  if (typeof value !== "string") return jsonText(value);
  try {
    JSON.parse(value);
    return JSON.stringify(value);
  } catch {
    return /^\s*["[{]/.test(value) ? JSON.stringify(value) : value;
  }
}

interface Filling { root: JsonSchema; defaults: boolean }

function objectValue(schema: JsonSchema, given: Json | undefined, f: Filling, depth: number): FormValues {
  const have: JsonObject = isObject(given) ? given : {};
  const out: FormValues = {};
  for (const [name, field] of fieldsOf(schema)) {
    out[name] = valueOf(field, have[name], schema.required?.includes(name) ?? false, f, depth + 1);
  }
  const extra = Object.entries(have).filter(([name]) => !schema.properties?.[name]);
  if (extra.length && (schema.additionalProperties !== false || !f.defaults)) out[EXTRA] = jsonText(Object.fromEntries(extra));
  return out;
}

function variantValue(variants: JsonSchema[], value: Json | undefined, f: Filling, depth: number): FormValue {
  if (!has(value)) return "";
  const at = Math.max(0, variants.findIndex((v) => fits(v, f.root, value)));
  return { variant: String(at), value: valueOf(variants[at]!, value, true, f, depth + 1) };
}

/** What stands in the field of a value, or of none. */
export function valueOf(schema: JsonSchema | boolean, given: Json | undefined, required: boolean, f: Filling, depth = 0): FormValue {
  const shape = shapeOf(schema, f.root);
  const value = given ?? (f.defaults ? shape.schema.default : undefined);
  switch (shape.kind) {
    case "fixed": return has(value) ? "set" : "";
    case "flag": return typeof value === "boolean" ? value : f.defaults && depth <= 1 ? false : "";
    case "object": {
      if (!has(value) && depth > DEPTH_MAX) return "";
      const members = objectValue(shape.schema, value, f, depth);
      return has(value) || required || !isEmpty(members) ? members : "";
    }
    case "list": return Array.isArray(value) ? value.map((v) => valueOf(shape.items, v, true, f, depth + 1)) : [];
    case "several": return Array.isArray(value) ? value.map((v) => (typeof v === "object" ? JSON.stringify(v) : String(v))) : [];
    case "map": return Object.entries(isObject(value) ? (value as JsonObject) : {})
      .map(([key, v]) => ({ key, value: valueOf(shape.items, v, true, f, depth + 1) }));
    case "variants": return variantValue(shape.variants, value, f, depth);
    case "json": return has(value) ? jsonText(value) : "";
    case "any": return has(value) ? anyText(value) : "";
    default: return !has(value) ? "" : typeof value === "string" ? value : JSON.stringify(value);
  }
}

export function valuesFrom(schema: JsonSchema | null | undefined, input?: Json, { defaults = true }: ReadOptions = {}): FormValues {
  return schema ? objectValue(shapeOf({ ...schema, type: "object" }, schema).schema, input, { root: schema, defaults }, 0) : {};
}

interface Reading { root: JsonSchema; errors: FormErrors }

function chosen(choices: Choice[], text: string): Json {
  return choices.find((c) => c.key === text)?.value ?? text;
}

function numberProblem(schema: JsonSchema, n: number): string | undefined {
  const w = wordsNow(formWords);
  if (!Number.isFinite(n)) return w.number;
  if (typeOf(schema) === "integer" && !Number.isInteger(n)) return w.whole;
  if (schema.minimum !== undefined && n < schema.minimum) return w.atLeast(schema.minimum);
  if (schema.maximum !== undefined && n > schema.maximum) return w.atMost(schema.maximum);
  if (schema.exclusiveMinimum !== undefined && n <= schema.exclusiveMinimum) return w.above(schema.exclusiveMinimum);
  if (schema.exclusiveMaximum !== undefined && n >= schema.exclusiveMaximum) return w.below(schema.exclusiveMaximum);
  const steps = schema.multipleOf ? n / schema.multipleOf : 0;
  return Math.abs(steps - Math.round(steps)) > 1e-9 ? w.multiple(schema.multipleOf!) : undefined;
}

function fitsPattern(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true; // a pattern of another dialect is the server's to judge
  }
}

function textProblem(schema: JsonSchema, text: string): string | undefined {
  const w = wordsNow(formWords);
  const length = [...text].length;
  if (schema.minLength !== undefined && length < schema.minLength) return w.minLength(schema.minLength);
  if (schema.maxLength !== undefined && length > schema.maxLength) return w.maxLength(schema.maxLength);
  if (schema.pattern !== undefined && !fitsPattern(schema.pattern, text)) return w.pattern(schema.pattern);
  if (schema.format === "email" && !/^\S+@\S+$/.test(text)) return w.email;
  if (schema.format === "uri" && !/^[a-z][a-z0-9+.-]*:\S+$/i.test(text)) return w.uri;
  return schema.format === "date" && Number.isNaN(Date.parse(text)) ? w.date : undefined;
}

/** What is wrong with a text that has to be JSON, with its line where the browser tells the place. */
export function jsonProblem(text: string, type?: string): string | undefined {
  const w = wordsNow(formWords);
  try {
    const value = JSON.parse(text) as Json;
    if (type === "object" && !isObject(value)) return w.jsonObject;
    return type === "array" && !Array.isArray(value) ? w.jsonArray : undefined;
  } catch (err) {
    const at = /line (\d+)/.exec((err as Error).message)?.[1];
    const position = /position (\d+)/.exec((err as Error).message)?.[1];
    const line = at ? Number(at) : position ? text.slice(0, Number(position)).split("\n").length : 0;
    return line > 1 ? w.jsonAt(line) : w.json;
  }
}

function readAny(text: string): { value: Json } | { problem: string } {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return /^\s*["[{]/.test(text) ? { problem: jsonProblem(text)! } : { value: text };
  }
}

function readText(shape: Shape, text: string, path: string, r: Reading): Json | undefined {
  const fail = (problem: string | undefined) => { if (problem) r.errors[path] = problem; return problem !== undefined; };
  switch (shape.kind) {
    case "choice": return chosen(shape.choices, text);
    case "number": {
      const n = Number(text);
      return fail(numberProblem(shape.schema, n)) ? undefined : n;
    }
    case "json": return fail(jsonProblem(text, typeOf(shape.schema))) ? undefined : (JSON.parse(text) as Json);
    case "any": {
      const read = readAny(text);
      if ("value" in read) return read.value;
      fail(read.problem);
      return undefined;
    }
    default: return fail(textProblem(shape.schema, text)) ? undefined : text;
  }
}

function readObject(schema: JsonSchema, values: FormValues, path: string, r: Reading): JsonObject {
  const data: JsonObject = {};
  for (const [name, field] of fieldsOf(schema)) {
    const value = readValue(field, values[name] ?? "", schema.required?.includes(name) ?? false, join(path, name), r);
    if (value !== undefined) data[name] = value;
  }
  const extra = values[EXTRA];
  if (typeof extra === "string" && extra.trim()) {
    const problem = jsonProblem(extra, "object");
    if (problem) r.errors[join(path, EXTRA)] = problem;
    else Object.assign(data, JSON.parse(extra) as JsonObject);
  }
  return data;
}

function countProblem(schema: JsonSchema, n: number): string | undefined {
  const w = wordsNow(formWords);
  if (schema.minItems !== undefined && n < schema.minItems) return w.minItems(schema.minItems);
  return schema.maxItems !== undefined && n > schema.maxItems ? w.maxItems(schema.maxItems) : undefined;
}

function readList(shape: Shape & { kind: "list" | "several" }, values: FormValue[], path: string, r: Reading): Json[] {
  // A line that was left empty is no item.
  const list = shape.kind === "several" ? values.map((v) => chosen(shape.choices, String(v)))
    : values.flatMap((v, i) => (v === "" ? [] : [readValue(shape.items, v, true, `${path}[${i}]`, r) ?? null]));
  const problem = countProblem(shape.schema, list.length);
  if (problem) r.errors[path] = problem;
  return list;
}

function readMap(items: JsonSchema, rows: FormValue[], path: string, r: Reading): JsonObject {
  const w = wordsNow(formWords);
  const data: JsonObject = {};
  rows.forEach((row, i) => {
    const { key = "", value = "" } = isObject(row) ? (row as { key?: FormValue; value?: FormValue }) : {};
    const name = String(key).trim();
    if (!name && isEmpty(value)) return;
    if (!name) r.errors[`${path}[${i}]`] = w.needed;
    else if (name in data) r.errors[`${path}[${i}]`] = w.twice;
    const read = readValue(items, value, true, join(path, name || String(i)), r);
    if (read !== undefined) data[name] = read;
  });
  return data;
}

function readFilled(shape: Shape, value: FormValue, path: string, r: Reading): Json | undefined {
  switch (shape.kind) {
    case "fixed": return shape.value;
    case "flag": return value === true;
    case "object": return readObject(shape.schema, isObject(value) ? value : {}, path, r);
    case "list": case "several": return readList(shape, Array.isArray(value) ? value : [], path, r);
    case "map": return readMap(shape.items, Array.isArray(value) ? value : [], path, r);
    case "variants": {
      const { variant, value: inner = "" } = isObject(value) ? (value as { variant?: FormValue; value?: FormValue }) : {};
      const schema = shape.variants[Number(variant ?? 0)];
      return schema && readValue(schema, inner, true, path, r);
    }
    default: return readText(shape, String(value), path, r);
  }
}

function readValue(schema: JsonSchema | boolean, value: FormValue, required: boolean, path: string, r: Reading): Json | undefined {
  const shape = shapeOf(schema, r.root);
  const blank = typeof value === "string" ? !value.trim() : isEmpty(value);
  if (!blank) return readFilled(shape, value, path, r);
  if (!required) return undefined;
  if (shape.kind === "flag") return false;
  if (shape.kind === "fixed") return shape.value;
  if (shape.kind === "list" || shape.kind === "several" || shape.kind === "map") {
    // An empty list is a list.
    const problem = countProblem(shape.schema, 0);
    if (!problem) return shape.kind === "map" ? {} : [];
    r.errors[path] = problem;
    return undefined;
  }
  if (shape.kind === "object") return readObject(shape.schema, {}, path, r);
  r.errors[path] = wordsNow(formWords).needed;
  return undefined;
}

/** The values as JSON, and what is wrong with them by the path of the field: "topic", "voices[0].name". */
export function readForm(schema: JsonSchema | null | undefined, values: FormValues): { data: JsonObject; errors: FormErrors } {
  const errors: FormErrors = {};
  if (!schema) return { data: {}, errors };
  return { data: readObject(shapeOf({ ...schema, type: "object" }, schema).schema, values, "", { root: schema, errors }), errors };
}
