import { describe, expect, it } from "vitest";
import type { Json, JsonSchema } from "@sluice/client";
import { shapeOf, variantName } from "./schema-shape";
import { jsonProblem, readForm, valuesFrom } from "./schema-values";

const person: JsonSchema = {
  type: "object", required: ["name"],
  properties: { name: { type: "string", minLength: 2 }, age: { type: "integer", minimum: 0 }, loud: { type: "boolean" } },
};
const object = (properties: Record<string, JsonSchema>, more: JsonSchema = {}): JsonSchema => ({ type: "object", properties, ...more });
const through = (schema: JsonSchema, input: Json) => readForm(schema, valuesFrom(schema, input, { defaults: false }));

describe("a form's values", () => {
  const whole = object({
    who: person, voices: { type: "array", items: person }, prices: { type: "object", additionalProperties: { type: "number" } },
    tags: { type: "array", items: { type: "string" } }, tones: { type: "array", uniqueItems: true, items: { enum: ["calm", "loud"] } },
    level: { oneOf: [{ const: 1, title: "Low" }, { const: 2, title: "High" }] }, free: { type: "object" }, anything: {},
    agent: { anyOf: [{ $ref: "#/$defs/name" }, person, { type: "null" }] }, join: { anyOf: [{ enum: ["all", "any", null] }, { type: "integer" }] },
  }, { $defs: { name: { type: "string", maxLength: 10 } } });

  it("come back as they went in", () => {
    const input: Json = {
      who: { name: "Ada", age: 3, loud: false }, voices: [{ name: "Bo" }, { name: "Cy", loud: true }], prices: { a: 1, b: 2.5 },
      tags: ["x", "y z"], tones: ["loud"], level: 2, free: { deep: [1, { a: null }] }, anything: "input.topic", agent: "judge", join: 3,
    };
    expect(through(whole, input)).toEqual({ data: input, errors: {} });
    for (const anything of ["42", 42, true, "{ not json", [1], "plain"]) expect(through(whole, { anything })).toEqual({ data: { anything }, errors: {} });
    expect(through(whole, { agent: { name: "Eve" }, join: "any" })).toEqual({ data: { agent: { name: "Eve" }, join: "any" }, errors: {} });
  });

  it("leave out what nobody filled in, also when parts of it would be required", () => {
    expect(readForm(whole, valuesFrom(whole))).toEqual({ data: {}, errors: {} });
    expect(through(whole, { who: null })).toEqual({ data: {}, errors: {} });
  });

  it("fill in defaults only for a new input", () => {
    const schema = object({ n: { type: "integer", default: 2 }, o: object({ s: { type: "string", default: "x" } }), b: { type: "boolean" } });
    expect(readForm(schema, valuesFrom(schema)).data).toEqual({ n: 2, o: { s: "x" }, b: false });
    expect(through(schema, {}).data).toEqual({});
  });

  it("keep members that the schema does not name", () => {
    expect(through(whole, { own: 1, who: { name: "Ada", more: [2] } }).data).toEqual({ own: 1, who: { name: "Ada", more: [2] } });
    const closed = object({ a: { type: "string" } }, { additionalProperties: false });
    expect(readForm(closed, valuesFrom(closed, { a: "x", gone: 1 })).data).toEqual({ a: "x" });
  });

  it("tell what is wrong at the path of the field", () => {
    const schema = object({
      who: person, voices: { type: "array", items: person, maxItems: 1 }, id: { type: "string", pattern: "^[a-z]+$" }, half: { type: "number", multipleOf: 0.5 },
      prices: { type: "object", additionalProperties: { type: "number" } }, mail: { type: "string", format: "email" }, list: { type: "array", items: { type: "string" }, minItems: 1 },
    }, { required: ["list"] });
    const { errors } = readForm(schema, {
      who: { name: "A", age: "x", loud: "" }, voices: [{ name: "Bo", age: "-1", loud: "" }, { name: "", age: "1", loud: "" }], id: "A1", half: "0.7",
      prices: [{ key: "a", value: "1" }, { key: "a", value: "2" }, { key: "", value: "3" }], mail: "nobody", list: [],
    });
    expect(errors).toEqual({
      "who.name": "At least 2 characters.", "who.age": "This is not a number.", "voices[0].age": "At least 0.", "voices[1].name": "This is needed.",
      voices: "At most 1 of them.", id: "This must fit the pattern ^[a-z]+$", half: "This must be a multiple of 0.5.",
      "prices[1]": "This stands here twice.", "prices[2]": "This is needed.", mail: "This is no e-mail address.", list: "At least 1 of them.",
    });
  });

  it("follow references that lead to themselves", () => {
    const tree = object({ root: { $ref: "#/$defs/node" } }, { $defs: { node: object({ name: { type: "string" }, next: { $ref: "#/$defs/node" } }) } });
    expect(through(tree, { root: { name: "a", next: { name: "b" } } }).data).toEqual({ root: { name: "a", next: { name: "b" } } });
    expect(valuesFrom(tree)).toEqual({ root: "" });
  });
});

describe("a schema's shape", () => {
  it("sets null aside and names alternatives", () => {
    expect(shapeOf({ anyOf: [{ type: "string", maxLength: 5 }, { type: "null" }] }, {}).kind).toBe("text");
    expect(shapeOf({ type: ["integer", "null"] }, {}).kind).toBe("number");
    expect(shapeOf({ enum: ["a", null] }, {})).toMatchObject({ kind: "choice", choices: [{ value: "a" }] });
    expect(shapeOf({ type: "object", anyOf: [{ required: ["a"] }, { required: ["b"] }], properties: { a: {}, b: {} } }, {}).kind).toBe("object");
    expect([{ type: "string" }, person, { enum: ["a", "b"] }].map((s) => variantName(s, {}))).toEqual(["Text", "Object", "a, b"]);
  });
  it("knows where JSON breaks off", () => {
    expect(jsonProblem('{"a": 1}', "array")).toMatch(/list/);
    expect(jsonProblem("[1, 2]", "array")).toBeUndefined();
    expect(jsonProblem("{")).toMatch(/not valid JSON/);
  });
});
