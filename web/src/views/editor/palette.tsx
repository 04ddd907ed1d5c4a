// Every kind of node. A click or Enter adds one behind what is selected; dragged, it goes where it is dropped.

import { useState, type KeyboardEvent } from "react";
import { kindName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { DRAG_KIND } from "./canvas";
import { useEditor, useTools } from "./context";
import { GROUPS } from "./kinds";
import { nodeOf, titleOf } from "./model";
import { groupWord, kindAbout, words } from "./words";

function useWhere(): string {
  const w = useWords(words);
  const link = useEditor((s) => s.selection.link);
  const name = useEditor((s) => {
    const id = s.selection.nodes.at(-1);
    return id && nodeOf(s.flow, id) ? titleOf(s.flow, id) : undefined;
  });
  if (link) return w.addAtLink;
  return name ? w.addAfter(name) : w.addAtEnd;
}

const moveFocus = (e: KeyboardEvent<HTMLElement>) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  if (!step) return;
  const all = [...e.currentTarget.querySelectorAll<HTMLElement>("input, button")];
  const to = all[all.indexOf(document.activeElement as HTMLElement) + step];
  if (!to) return;
  e.preventDefault();
  to.focus();
};

export function Palette() {
  const w = useWords(words);
  const about = useWords(kindAbout);
  const { add } = useTools();
  const where = useWhere();
  const [query, setQuery] = useState("");
  const q = query.trim().toLowerCase();
  const fits = (kind: string) => !q || `${kind} ${kindName(kind)} ${about[kind] ?? ""}`.toLowerCase().includes(q);
  const groups = GROUPS.map(([group, kinds]) => [group, kinds.filter(fits)] as const).filter(([, kinds]) => kinds.length);
  const first = groups[0]?.[1][0];
  return (
    <div className="palette" role="group" aria-label={w.palette} onKeyDown={moveFocus}>
      <div className="search">
        <Icon name="search" size={14} />
        <input type="search" id="palette-search" aria-label={w.find} placeholder={w.find} value={query} data-testid="palette-search" onChange={(e) => setQuery(e.target.value)}
          onKeyDown={(e) => { if (e.key === "Enter" && q && first) { e.preventDefault(); add(first); setQuery(""); } }} />
      </div>
      <p className="faint">{where}</p>
      {groups.length === 0 && <p className="hint">{w.noKind}</p>}
      {groups.map(([group, kinds]) => (
        <section key={group} aria-label={w[groupWord[group]]}>
          <h2>{w[groupWord[group]]}</h2>
          {kinds.map((kind) => (
            <button key={kind} type="button" className="kind" draggable title={w.dragAbout} data-testid={`kind-${kind}`} onClick={() => add(kind)}
              onDragStart={(e) => { e.dataTransfer.setData(DRAG_KIND, kind); e.dataTransfer.effectAllowed = "copy"; }}>
              <span className="step-icon"><Icon name={kind} size={14} /></span>
              <span className="kind-words"><strong>{kindName(kind)}</strong><span>{about[kind]}</span></span>
            </button>
          ))}
        </section>
      ))}
    </div>
  );
}
