import { describe, expect, it } from "vitest";
import type { JsonSchema, Session } from "@sluice/client";
import { duration, inputTitle, nodeName, outputText, personaName, sessionTitle } from "./format";
import { href, matchRoute } from "@/app/route";
import { readForm, valuesFrom } from "./schema-form";

describe("routes", () => {
  it("come back from their own addresses", () => {
    expect(matchRoute("", "")?.params).toEqual({});
    expect(matchRoute("sessions/:id", href.session("a b/c"))?.params).toEqual({ id: "a b/c" });
    const started = matchRoute("new/:workflowId", href.workflow("w", "s1"));
    expect([started?.params, started?.query.get("from")]).toEqual([{ workflowId: "w" }, "s1"]);
    expect(matchRoute("sessions/:id", "#/nowhere/at/all")).toBeUndefined();
    expect(matchRoute("sessions/:id", "#/sessions/%E0%A4%A")?.params).toEqual({ id: "%E0%A4%A" });
  });
});

describe("forms from a schema", () => {
  const schema: JsonSchema = {
    type: "object", required: ["topic", "n"],
    properties: {
      topic: { type: "string", minLength: 3 },
      n: { type: "integer", minimum: 1, maximum: 5, default: 2 },
      tone: { enum: ["calm", 7] },
      deep: { type: "object" },
      on: { type: "boolean", default: true },
    },
  };
  it("begin with the defaults, or with an earlier input", () => {
    expect(valuesFrom(schema)).toEqual({ topic: "", n: "2", tone: "", deep: "", on: true });
    expect(valuesFrom(schema, { topic: "x", n: 4, on: false, deep: { a: 1 } })).toMatchObject({ topic: "x", n: "4", on: false, deep: '{"a":1}' });
  });
  it("give JSON of the right kinds, and leave out what is empty", () => {
    expect(readForm(schema, { topic: "abc", n: "3", tone: "7", deep: '{"a":[1]}', on: false }))
      .toEqual({ data: { topic: "abc", n: 3, tone: 7, deep: { a: [1] }, on: false }, errors: {} });
    expect(readForm(schema, { topic: "abc", n: "3", tone: "", deep: "", on: true }).data).toEqual({ topic: "abc", n: 3, on: true });
  });
  it("say what is wrong, by field", () => {
    const { errors } = readForm(schema, { topic: "ab", n: "9", deep: "{", on: true });
    expect(Object.keys(errors).sort()).toEqual(["deep", "n", "topic"]);
    expect(readForm(schema, { topic: " ", n: "1.5" }).errors).toEqual({ topic: "This is needed.", n: "This must be a whole number." });
  });
});

describe("words", () => {
  const session = (more: Partial<Session>): Session => ({ id: "s", status: "running", workflow_id: "council-debate", ...more });
  it("title a run by its own name, else by what it is about", () => {
    expect(sessionTitle(session({ name: "Mine", input: { topic: "T" } }))).toBe("Mine");
    expect(sessionTitle(session({ name: "Council debate", input: { topic: "T" } }))).toBe("T");
    expect(sessionTitle(session({ name: "Council debate", input: {} }))).toBe("Council debate");
    expect(sessionTitle(session({ input: null }))).toBe("Council debate");
    expect(inputTitle({ n: 3, place: "Lisbon" })).toBe("Lisbon");
  });
  it("name nodes and the personas that speak in them", () => {
    const node = { type: "agent", name: "In favour", properties: { name: "Ada" } };
    expect(nodeName("pro", node)).toBe("In favour");
    expect(personaName(node)).toBe("Ada");
    expect(nodeName("the_judge", undefined)).toBe("The judge");
  });
  it("tell text outputs from others", () => {
    expect(outputText("a")).toBe("a");
    expect(outputText({ verdict: "a" })).toBe("a");
    expect(outputText({ a: "a", b: "b" })).toBeNull();
  });
  it("tell time", () => {
    expect(duration(59_999)).toBe("59 s");
    expect(duration(61_000)).toBe("1 min 01 s");
  });
});
