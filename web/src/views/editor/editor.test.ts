import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Json } from "@sluice/client";
import { addNode } from "./add";
import { copiedNodes, copyText } from "./clipboard";
import { blankFlow, KINDS } from "./kinds";
import { connect, disconnect, linksFrom, linksOf, redirect, remean, waysFrom } from "./links";
import { flowOf, idsOf, nodeOf, same, setNodeIn, setPlaces, type Flow } from "./model";
import { duplicate, pasteNodes, removeNodes, renameNode } from "./ops";
import { orderOf } from "./order";
import { renameInText } from "./refs";
import { EditorStore, isDirty } from "./store";
import { placeInText, readText, updateText } from "./text";

const flow = flowOf({
  id: "w", start_node_id: "start", surprise: { kept: true },
  nodes: {
    start: { type: "start", next_ids: ["rounds"] },
    rounds: { type: "loop", properties: { max_rounds: 3, exit_when: "nodes.draft.output ~= nil" }, next_ids: ["draft", "review"] },
    draft: { type: "agent", properties: { persona: "x", prompt: "{{ nodes.draft.output }} and nodes.draft, {{ nodes[\"draft\"].status }}" }, next_ids: ["rounds"], on_error: "sorry" },
    review: { type: "human_review", routes: { approve: "pick", reject: "rounds" } },
    pick: { type: "switch", properties: { cases: [{ when: "nodes.draft.output == 'a'", to: "end" }], default: "steps" } },
    steps: { type: "sequence", properties: { steps: ["one", "two"] }, next_ids: ["each"] },
    one: { type: "transform", properties: { output: { a: "nodes.draft.output" } } },
    two: { type: "stage", properties: { checklist: ["x"], depends_on: ["draft"] } },
    each: { type: "map", properties: { items: "input.items", body: ["member"] }, next_ids: ["vote"] },
    member: { type: "transform", properties: { output: "map.item" } },
    vote: { type: "vote", properties: { voters: ["draft", { name: "Ann" }] }, next_ids: ["end"] },
    sorry: { type: "llm", properties: { prompt: "Sorry" }, next_ids: ["end"], extra: 1 },
    end: { type: "end", properties: { output: "nodes.draft.output" } },
  },
} as Json)!;

const arrows = (f: Flow, from: string) => linksFrom(f, from).map((l) => `${l.way}>${l.to}`);

describe("another id", () => {
  const next = renameNode(flow, "draft", "first-draft");
  it("is named everywhere", () => {
    expect(JSON.stringify(next)).not.toMatch(/"draft"|nodes\.draft\b(?!,)|\[\\"draft\\"\]/);
    expect(arrows(next, "rounds")).toEqual(["body>first-draft", "exit>review"]);
    expect(nodeOf(next, "vote")?.properties).toEqual({ voters: ["first-draft", { name: "Ann" }] });
    expect(nodeOf(next, "two")?.properties).toMatchObject({ depends_on: ["first-draft"] });
    expect(nodeOf(next, "end")?.properties).toEqual({ output: "nodes[\"first-draft\"].output" });
  });
  it("changes code, and leaves prose alone", () => {
    expect(nodeOf(next, "first-draft")?.properties).toMatchObject({ prompt: "{{ nodes[\"first-draft\"].output }} and nodes.draft, {{ nodes[\"first-draft\"].status }}" });
    expect(renameInText("{{ mynodes.draft }} {{ nodes.drafts }} {{ x.nodes.draft }}", "draft", "d", false)).toBe("{{ mynodes.draft }} {{ nodes.drafts }} {{ x.nodes.draft }}");
  });
  it("keeps the order, and goes back to what was", () => {
    expect(idsOf(next)[2]).toBe("first-draft");
    const back = renameNode(next, "first-draft", "draft");
    expect(JSON.stringify(back)).toBe(JSON.stringify(flow).replace("nodes[\\\"draft\\\"]", "nodes.draft"));
  });
  it("is refused when it is taken", () => expect(renameNode(flow, "draft", "end")).toBe(flow));
});

describe("arrows", () => {
  it("of every kind come and go", () => {
    for (const link of linksOf(flow)) {
      const without = disconnect(flow, link);
      expect(linksFrom(without, link.from).some((l) => l.way === link.way && l.to === link.to)).toBe(false);
      const again = connect(without, link.from, link.to, link.way.startsWith("case:") ? undefined : link.way);
      expect(linksFrom(again, link.from).some((l) => l.to === link.to)).toBe(true);
      expect(linksFrom(redirect(flow, link, "sorry"), link.from).some((l) => l.to === "sorry" && l.way === link.way)).toBe(true);
    }
  });
  it("of a loop stay body and exit", () => {
    const [body] = linksFrom(flow, "rounds");
    const open = disconnect(flow, body!);
    expect(waysFrom(open, "rounds")[0]).toBe("exit");
    expect(arrows(connect(open, "rounds", "sorry", "body"), "rounds")).toEqual(["body>sorry", "exit>review"]);
  });
  it("of a review take the labels that are free first", () => {
    expect(waysFrom(flow, "review")).toEqual(["route:modify", "route:approve", "route:reject", "next", "error"]);
    expect(waysFrom(flow, "end")).toEqual([]);
  });
  it("can come to mean something else", () => {
    const [approve] = linksFrom(flow, "review");
    expect(arrows(remean(flow, approve!, "route:modify"), "review")).toEqual(["route:reject>rounds", "route:modify>pick"]);
  });
});

describe("taking nodes out", () => {
  it("closes the gap in a chain", () => {
    const next = removeNodes(flow, ["vote"]);
    expect(arrows(next, "each")).toEqual(["next>end", "member>member"]);
    expect(arrows(removeNodes(flow, ["rounds"]), "start")).toEqual(["next>review"]);
  });
  it("leaves no name behind", () => {
    const next = removeNodes(flow, ["two", "sorry", "member", "end"]);
    const ids = new Set(idsOf(next));
    expect(linksOf(next).filter((l) => !ids.has(l.to))).toEqual([]);
    expect(nodeOf(next, "draft")?.on_error).toBeUndefined();
  });
});

describe("copies", () => {
  it("of several keep the arrows among them", () => {
    const { flow: next, ids } = duplicate(flow, ["draft", "rounds"]);
    expect(ids).toEqual(["draft-2", "rounds-2"]);
    expect(arrows(next, "draft-2")).toEqual(["next>rounds-2", "error>sorry"]);
  });
  it("go through the clipboard", () => {
    const text = copyText(flow, ["one", "two"]);
    const { flow: next, ids } = pasteNodes(blankFlow(), copiedNodes(text)!);
    expect(ids).toEqual(["one", "two"]);
    expect(nodeOf(next, "two")?.properties).toEqual({ checklist: ["x"] });
    expect(copiedNodes("{\"a\": 1}")).toBeUndefined();
  });
  it("of a branch are another branch", () => {
    const { flow: next } = addNode(blankFlow(), "parallel", {});
    const { flow: twice } = duplicate(next, ["agent"]);
    expect(arrows(twice, "parallel")).toEqual(["next>agent", "next>agent-2", "next>agent-3"]);
  });
});

describe("a new node", () => {
  it("of every kind is on the way to the end", () => {
    for (const kind of KINDS.filter((k) => k !== "start" && k !== "end")) {
      const { flow: next, ids: [id] } = addNode(blankFlow(), kind, {});
      expect(arrows(next, "start")).toEqual([`next>${id}`]);
      expect(linksOf(next).some((l) => l.to === "end")).toBe(true);
    }
  });
  it("goes behind what is selected, in every kind's way", () => {
    const after = (id: string) => addNode(flow, "wait", { after: id }).flow;
    expect(arrows(after("draft"), "wait")).toEqual(["next>rounds"]);
    expect(arrows(after("rounds"), "rounds")).toEqual(["body>wait", "exit>review"]);
    expect(arrows(after("review"), "wait")).toEqual(["next>pick"]);
    expect(arrows(after("one"), "steps")).toEqual(["next>each", "step>one", "step>wait", "step>two"]);
    expect(arrows(after("member"), "each")).toEqual(["next>vote", "member>member", "member>wait"]);
    expect(arrows(after("pick"), "pick")).toEqual(["case:0>end", "case:1>wait", "default>steps"]);
    expect(linksOf(after("end")).filter((l) => l.to === "end").map((l) => l.from)).toEqual(["wait"]);
  });
  it("is put on an arrow", () => {
    const link = linksFrom(flow, "steps").find((l) => l.way === "step")!;
    expect(arrows(addNode(flow, "wait", { link }).flow, "steps")[1]).toBe("step>wait");
  });
});

// Commands at random, by a generator that gives the same every time.
function randomly(seed: number) {
  let x = seed;
  return (n: number) => {
    x = (x * 1103515245 + 12345) % 2147483648;
    return x % n;
  };
}

function command(at: (n: number) => number, i: number): (f: Flow) => Flow {
  const pick = (f: Flow) => idsOf(f)[at(idsOf(f).length)] ?? "start";
  const [what, kind] = [at(8), KINDS[at(KINDS.length)]!];
  return (f) => {
    const id = pick(f);
    const links = linksOf(f);
    const link = links[at(links.length || 1)];
    switch (what) {
      case 0: return addNode(f, kind, { after: id }).flow;
      case 1: return renameNode(f, id, `n${i}`);
      case 2: return removeNodes(f, [id]);
      case 3: return connect(f, id, pick(f));
      case 4: return link ? disconnect(f, link) : f;
      case 5: return duplicate(f, [id, pick(f)]).flow;
      case 6: return setPlaces(f, { [id]: { x: i, y: i } });
      default: return setNodeIn(f, id, ["properties", "prompt"], `${i}`);
    }
  };
}

describe("undo", () => {
  it("of any sequence gives the original, and redo what was made of it", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const store = new EditorStore(flow);
      const at = randomly(seed);
      for (let i = 0; i < 30; i++) store.run(command(at, i));
      const end = store.get().flow;
      for (let i = 0; i < 40; i++) store.undo();
      expect(store.get().flow).toBe(flow);
      for (let i = 0; i < 40; i++) store.redo();
      expect(store.get().flow).toBe(end);
    }
  });
  it("takes typing in one field as one step", () => {
    const store = new EditorStore(flow);
    for (const text of ["a", "ab", "abc"]) store.run((f) => setNodeIn(f, "sorry", ["properties", "prompt"], text), { key: "prompt" });
    expect(isDirty(store.get())).toBe(true);
    store.undo();
    expect(store.get().flow).toBe(flow);
    expect(isDirty(store.get())).toBe(false);
  });
  it("never leaves an arrow to a node that is not there", () => {
    for (let seed = 50; seed <= 80; seed++) {
      const at = randomly(seed);
      let f = flow;
      for (let i = 0; i < 25; i++) f = command(at, i)(f);
      expect(linksOf(f).filter((l) => !nodeOf(f, l.to))).toEqual([]);
    }
  });
});

const examples = fileURLToPath(new URL("../../../../examples", import.meta.url));
const files = ["", "kinds", "topologies"].flatMap((dir) => readdirSync(join(examples, dir)).filter((n) => n.endsWith(".yaml")).map((n) => join(examples, dir, n)));

describe("the outline", () => {
  it("tells a loop's body before what comes behind it", () => {
    expect(orderOf(flow).filter((id) => ["start", "rounds", "draft", "review", "end"].includes(id))).toEqual(["start", "rounds", "draft", "review", "end"]);
    expect([...orderOf(flow)].sort()).toEqual([...idsOf(flow)].sort());
  });
});

describe("text", () => {
  it("keeps every example as it is, and takes what is changed in it", { timeout: 60_000 }, () => {
    for (const file of files) {
      const text = readFileSync(file, "utf8");
      const said = flowOf(parse(text) as Json);
      if (!said) continue;
      expect(updateText(text, said, "yaml")).toBe(text);
      const changed = renameNode(said, idsOf(said).at(-1)!, "the_last");
      expect(same(readText(updateText(text, changed, "yaml"), "yaml").value, changed), file).toBe(true);
      expect(same(readText(updateText("", said, "json"), "json").value, said)).toBe(true);
    }
  });
  it("keeps comments where nothing has changed", () => {
    const text = "# On top\nid: w\nnodes:\n  # the start\n  start: { type: start, next_ids: [end] }\n  end:\n    type: end # over\n";
    const changed = setNodeIn(flowOf(parse(text) as Json)!, "end", ["name"], "The end");
    expect(updateText(text, changed, "yaml")).toBe("# On top\nid: w\nnodes:\n  # the start\n  start: { type: start, next_ids: [ end ] }\n  end:\n    type: end # over\n    name: The end\n");
  });
  it("says where it is wrong", () => {
    expect(readText("a: [1\nb: 2", "yaml").problems[0]?.line).toBe(2);
    expect(readText("{\n  \"a\": }", "json").problems).toHaveLength(1);
  });
  it("finds the line of a problem", () => {
    const text = "nodes:\n  a.b:\n    type: llm\n    properties:\n      prompt: x\n  c:\n    type: switch\n    properties:\n      cases:\n        - { when: a, to: b }\n        - { when: b, to: b }\n";
    expect(placeInText(text, "nodes.a.b.properties.prompt", "yaml")).toBe(5);
    expect(placeInText(text, "nodes.c.properties.cases[1].when", "yaml")).toBe(11);
    expect(placeInText(text, "nodes.c.next_ids", "yaml")).toBe(6);
    expect(placeInText("{\n \"nodes\": {\n \"a\": {}}}", "nodes.a", "json")).toBe(3);
  });
});
