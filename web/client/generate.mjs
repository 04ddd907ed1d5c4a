#!/usr/bin/env node
// operations.js and operations.d.ts, from docs/api/openapi.yaml: node web/client/generate.mjs
// A test (tests/integration/jsclient.test.mjs) fails when an operation is in one and not in the other.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const repo = join(here, "../..");
const { parse } = createRequire(join(repo, "tests/integration/package.json"))("yaml");
const api = parse(readFileSync(join(repo, "docs/api/openapi.yaml"), "utf8"));

// What a client does otherwise, or has no use for.
export const EXCEPTIONS = new Set(["streamEvents", "webSocket", "openapi", "asyncapi", "healthz", "readyz", "metrics"]);
// Written by hand in types.d.ts, for events and views.
const BY_HAND = new Set(["Session", "Workflow", "Message", "NodeRun", "Usage"]);

const resolve = (v) => (v?.$ref ? v.$ref.split("/").slice(1).reduce((at, k) => at[k], api) : v);
const METHODS = ["get", "head", "post", "put", "patch", "delete"];

function all() {
  const found = [];
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((m) => item[m])) {
      const op = item[method];
      const params = [...(item.parameters ?? []), ...(op.parameters ?? [])].map(resolve);
      found.push({ path, method, op, name: op.operationId, params });
    }
  }
  return found;
}

/** Every operation of the contract: names. */
export const operationIds = () => all().map((o) => o.name);

function tsOf(schema, depth = 0) {
  if (schema === true || schema === undefined || depth > 12) return "Json";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ") || "string";
  for (const many of ["oneOf", "anyOf"]) {
    if (schema[many] && !schema.properties) return [...new Set(schema[many].map((s) => tsOf(s, depth + 1)))].join(" | ");
  }
  if (schema.allOf) return schema.allOf.map((s) => `(${tsOf(s, depth + 1)})`).join(" & ");
  if (Array.isArray(schema.type)) return [...new Set(schema.type.map((type) => tsOf({ ...schema, type }, depth + 1)))].join(" | ");
  switch (schema.type) {
    case "string": return "string";
    case "integer": case "number": return "number";
    case "boolean": return "boolean";
    case "null": return "null";
    case "array": return `Array<${tsOf(schema.items, depth + 1)}>`;
  }
  if (!schema.properties) {
    const values = schema.additionalProperties;
    return values && typeof values === "object" ? `{ [key: string]: ${tsOf(values, depth + 1)} }` : schema.type === "object" ? "JsonObject" : "Json";
  }
  const required = new Set(schema.required ?? []);
  const members = Object.entries(schema.properties)
    .map(([k, v]) => `${/^\w+$/.test(k) ? k : JSON.stringify(k)}${required.has(k) ? "" : "?"}: ${tsOf(v, depth + 1)}`);
  return `{ ${members.join("; ")} }`;
}

const contentOf = (thing) => Object.entries(resolve(thing)?.content ?? {});
function resultOf(op) {
  const found = new Set();
  for (const [status, response] of Object.entries(op.responses)) {
    if (!/^2/.test(status)) continue;
    const content = contentOf(response);
    if (!content.length) found.add("null");
    for (const [type, { schema }] of content) found.add(/json$/.test(type) && type !== "application/x-ndjson" ? tsOf(schema) : "string");
  }
  return [...found].join(" | ") || "null";
}

const idsOf = (path) => [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
const takesOf = (o) => (o.op.requestBody || o.method === "post" ? "body" : o.method === "get" && o.params.some((p) => p.in === "query") ? "query" : "none");
const isKeyed = (o) => o.params.some((p) => /^idempotency-key$/i.test(p.name));
const textOf = (o) => contentOf(o.op.requestBody).map(([type]) => type).find((t) => t !== "application/json");

function declare(o) {
  const ids = idsOf(o.path).map((id) => `${id.replace(/_(\w)/g, (_, c) => c.toUpperCase())}: string`);
  const takes = takesOf(o);
  const bodyTypes = contentOf(o.op.requestBody).map(([type, { schema }]) => (/^application\/json$/.test(type) ? tsOf(schema) : "string"));
  const body = [...new Set(bodyTypes)].join(" | ") || "JsonObject";
  const query = o.params.filter((p) => p.in === "query").map((p) => `${p.name}?: ${tsOf(p.schema)} | null`);
  const optional = takes === "query" || (takes === "body" && !o.op.requestBody?.required);
  const given = takes === "body" ? [`body${optional ? "?" : ""}: ${body}`] : takes === "query" ? [`query?: { ${query.join("; ")} }`] : [];
  const result = o.name === "sessionExists" ? "boolean" : resultOf(o.op);
  const says = o.op.summary ? `  /** ${o.op.summary.replace(/\*\//g, "")} */\n` : "";
  return `${says}  ${o.name}(${[...ids, ...given, "options?: CallOptions"].join(", ")}): Promise<${result}>;`;
}

export function generate() {
  const ops = all().filter((o) => !EXCEPTIONS.has(o.name));
  const rows = ops.map((o) => {
    const row = [o.method.toUpperCase(), o.path, takesOf(o), isKeyed(o), textOf(o)].filter((v) => v !== undefined);
    return `  ${o.name}: ${JSON.stringify(row)},`;
  });
  const schemas = Object.entries(api.components.schemas).filter(([name]) => !BY_HAND.has(name));
  const head = "// Made by generate.mjs from docs/api/openapi.yaml. Do not edit.\n";
  return {
    "operations.js": `${head}export const operations = {\n${rows.join("\n")}\n};\n`,
    "operations.d.ts": `${head}import type { Json, JsonObject, Message, NodeRun, Session, Usage, Workflow } from "./types";
import type { CallOptions } from "./index";

${schemas.map(([name, s]) => `export type ${name} = ${tsOf(s)};`).join("\n")}

/** One method for each operation, by its name there. */
export interface Operations {
${ops.map(declare).join("\n")}
}
export type OperationName = keyof Operations;
`,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of Object.entries(generate())) writeFileSync(join(here, file), text);
}
