// What a prompt or an expression can name here, put in at the cursor.

import { useMemo, type RefObject } from "react";
import { dict, useWords } from "@/words/words";
import { useEditor } from "./context";
import { getIn, idsOf, isObject, nodeOf, propsOf, titleOf, typeOf, type Flow } from "./model";
import { nodeRef } from "./refs";
import { words } from "./words";

const names = dict({
  en: { input: "Input", nodes: "Nodes", other: "Variables, rounds, items", round: "number of the round", item: "item of the map", session: "name of the session" },
  zh: { input: "输入", nodes: "节点", other: "变量、轮次、各项", round: "轮次", item: "遍历的当前项", session: "会话名称" },
});

interface Reference { code: string; text: string }

// Members of the outputs of these kinds that one wants most.
const MEMBERS: Record<string, string[]> = {
  human_review: ["action", "data", "content"], vote: ["passed", "tally"], fact_check: ["passed", "pass_rate"], loop: ["rounds", "score"], context_synth: ["context"], memory_retrieval: ["history_context"],
};

function membersOf(flow: Flow, id: string): string[] {
  const node = nodeOf(flow, id);
  const p = propsOf(node);
  const schema = getIn(p, ["response_schema", "properties"]);
  if (isObject(schema)) return Object.keys(schema);
  if (typeOf(node) === "transform" && isObject(p.output)) return Object.keys(p.output);
  return MEMBERS[typeOf(node)] ?? [];
}

const member = (base: string, name: string) => (/^[A-Za-z_]\w*$/.test(name) ? `${base}.${name}` : `${base}[${JSON.stringify(name)}]`);

export function referencesOf(flow: Flow, self: string | undefined): { input: Reference[]; nodes: Reference[] } {
  const fields = getIn(flow, ["input_schema", "properties"]);
  const input = Object.entries(isObject(fields) ? fields : {}).map(([name, f]) => ({ code: member("input", name), text: `${member("input", name)}${isObject(f) && typeof f.title === "string" ? ` · ${f.title}` : ""}` }));
  const nodes = idsOf(flow).filter((id) => id !== self && !["end", "start", "switch", "parallel"].includes(typeOf(nodeOf(flow, id)))).flatMap((id) => {
    const out = `${nodeRef(id)}.output`;
    return [{ code: out, text: `${titleOf(flow, id)} · ${out}` }, ...membersOf(flow, id).map((m) => ({ code: member(out, m), text: `${titleOf(flow, id)} · ${m}` }))];
  });
  return { input: input.length ? input : [{ code: "json(input)", text: "json(input)" }], nodes };
}

interface Props { self?: string; field: RefObject<HTMLTextAreaElement | null>; template: boolean; onInsert: (text: string) => void }

export function InsertReference({ self, field, template, onInsert }: Props) {
  const w = useWords(words);
  const n = useWords(names);
  const flow = useEditor((s) => s.flow);
  const { input, nodes } = useMemo(() => referencesOf(flow, self), [flow, self]);
  const vars = isObject(flow.vars) ? Object.keys(flow.vars) : [];
  const insert = (code: string) => {
    const el = field.current;
    if (!el || !code) return;
    const put = template ? `{{ ${code} }}` : code;
    const { selectionStart: from, selectionEnd: to, value } = el;
    onInsert(value.slice(0, from) + put + value.slice(to));
    // The field has the new text with the next frame only.
    requestAnimationFrame(() => {
      el.focus();
      el.setSelectionRange(from + put.length, from + put.length);
    });
  };
  const option = (r: Reference) => <option key={r.code} value={r.code}>{r.text}</option>;
  return (
    <select className="insert-ref" aria-label={w.insertRef} value="" onChange={(e) => insert(e.target.value)}>
      <option value="">{w.insertShort}</option>
      <optgroup label={n.input}>{input.map(option)}</optgroup>
      {nodes.length > 0 && <optgroup label={n.nodes}>{nodes.map(option)}</optgroup>}
      <optgroup label={n.other}>
        {vars.map((v) => option({ code: member("vars", v), text: member("vars", v) }))}
        {option({ code: "loop.round", text: `loop.round · ${n.round}` })}
        {option({ code: "map.item", text: `map.item · ${n.item}` })}
        {option({ code: "session.name", text: `session.name · ${n.session}` })}
      </optgroup>
    </select>
  );
}
