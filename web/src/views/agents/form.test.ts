import { describe, expect, it } from "vitest";
import type { Agent } from "@sluice/client";
import { agentBody, agentForm, richTools } from "./form";

const stored: Agent = {
  id: "ada", name: "Ada", persona: "You are Ada.", provider: "demo", model: ["large", { provider: "other", model: "small" }], temperature: 0, top_p: 0.9, max_tokens: 800,
  capabilities: ["stories"], tools: ["read_file", { name: "look", tool: "web_search" }], max_tool_rounds: 5, memory: { group_results: 0 },
  system: false, version: 3, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z",
};

describe("an agent's form", () => {
  it("gives back what it was made of", () => {
    const { system: _s, version: _v, created_at: _c, updated_at: _u, ...body } = stored;
    expect(JSON.parse(JSON.stringify(agentBody(agentForm(stored))))).toEqual(body);
  });
  it("keeps agents that remember nothing", () => {
    expect(agentBody(agentForm({ ...stored, memory: false })).memory).toBe(false);
  });
  it("leaves out what is empty", () => {
    expect(JSON.parse(JSON.stringify(agentBody({ ...agentForm(undefined), name: " Bo " })))).toEqual({ name: "Bo" });
  });
  it("writes one model as a text, several as a list", () => {
    const f = agentForm(undefined);
    expect(agentBody({ ...f, model: [{ provider: "a", model: "m" }] })).toMatchObject({ provider: "a", model: "m" });
    expect(agentBody({ ...f, model: [{ provider: "a", model: "m" }, { provider: "a", model: "n" }, { provider: "b", model: "" }] })).toMatchObject({ provider: "a", model: ["m", "n"] });
  });
  it("takes a list of tools only", () => {
    expect(() => richTools("{}")).toThrow(SyntaxError);
    expect(() => richTools("[")).toThrow(SyntaxError);
  });
});
