// The workflow as a list: every node with its arrows, in the order in which they run. All that the graph can do, by keyboard.

import { useMemo, type KeyboardEvent } from "react";
import { kindName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { marksOf } from "./checks";
import { useChecks, useEditor, useTools } from "./context";
import { linksFrom } from "./links";
import { nodeOf, titleOf, typeOf, type Flow } from "./model";
import { orderOf } from "./order";
import { wayWord, words } from "./words";

export function Outline() {
  const w = useWords(words);
  const { store, reveal } = useTools();
  const flow = useEditor((s) => s.flow);
  const selection = useEditor((s) => s.selection);
  const { problems } = useChecks();
  const marks = useMemo(() => marksOf(problems), [problems]);
  const order = useMemo(() => orderOf(flow), [flow]);
  const onKey = (e: KeyboardEvent<HTMLElement>) => {
    const all = [...e.currentTarget.querySelectorAll<HTMLElement>("button")];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[e.key];
    if (to === undefined || !all[to]) return;
    e.preventDefault();
    all[to].focus();
  };
  return (
    <ol className="outline" aria-label={w.nodes} onKeyDown={onKey} data-testid="outline">
      {order.map((id) => {
        const node = nodeOf(flow, id);
        const mark = marks.get(id);
        return (
          <li key={id}>
            <button type="button" className="outline-node" aria-pressed={selection.nodes.includes(id)} data-testid={`outline-${id}`}
              onClick={(e) => (e.shiftKey || e.ctrlKey || e.metaKey ? store.select(toggled(selection.nodes, id)) : reveal(id))}>
              <span className="step-icon"><Icon name={typeOf(node)} size={14} /></span>
              <span className="kind-words"><strong>{titleOf(flow, id)}</strong><span>{kindName(typeOf(node))} · <code>{id}</code></span></span>
              {mark && <span className="mark-problem" data-severity={mark.severity}><Icon name="warn" size={12} /><span className="sr">{mark.severity === "error" ? w.error : w.warning}</span></span>}
            </button>
            <ArrowList flow={flow} id={id} />
          </li>
        );
      })}
    </ol>
  );
}

const toggled = (ids: readonly string[], id: string) => (ids.includes(id) ? ids.filter((x) => x !== id) : [...ids, id]);

function ArrowList({ flow, id }: { flow: Flow; id: string }) {
  const w = useWords(words);
  const { store } = useTools();
  const link = useEditor((s) => s.selection.link);
  const links = linksFrom(flow, id);
  if (!links.length) return null;
  const type = typeOf(nodeOf(flow, id));
  return (
    <ul>
      {links.map((l) => (
        <li key={l.way + l.to}>
          <button type="button" className="outline-arrow" aria-pressed={link?.from === l.from && link.to === l.to} onClick={() => store.select([], l)}>
            <span aria-hidden="true">→</span> {titleOf(flow, l.to)}{l.way !== "next" && <span className="faint">{wayWord(w, l.way, type)}</span>}
          </button>
        </li>
      ))}
    </ul>
  );
}
