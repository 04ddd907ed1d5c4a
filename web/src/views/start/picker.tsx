// The list at the side: search, categories, what there is.

import { useEffect, useRef } from "react";
import { href, setQuery } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import { ago, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { categoriesOf, found, type Entry } from "./entries";
import { startWords } from "./words";

interface Props {
  lists: { recent: Entry[]; workflows: Entry[]; templates: Entry[] };
  chosen?: { kind: string; id: string };
  q: string;
  category: string;
}

export function Picker({ lists, chosen, q, category }: Props) {
  const w = useWords(startWords);
  const search = useRef<HTMLInputElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const all = [...lists.recent, ...lists.workflows, ...lists.templates];
  const categories = categoriesOf(all);
  const filter = (list: Entry[]) => list.filter((e) => found(e, q, category));
  const sections = [[w.recent, filter(lists.recent)], [w.workflows, filter(lists.workflows)], [w.templates, filter(lists.templates)]] as const;
  useShortcuts([{ keys: "/", what: w.search, run: () => search.current?.focus() }]);
  // Chosen by its address, it may be far down.
  useEffect(() => { box.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); }, [chosen?.id]);
  return (
    <div className="picker">
      <div className="search">
        <Icon name="search" size={14} />
        <input ref={search} type="search" value={q} aria-label={w.search} placeholder={w.search} data-testid="start-search" onChange={(e) => setQuery({ q: e.target.value })} />
      </div>
      {categories.length > 1 && (
        <div className="picker-tags" role="group" aria-label={w.category}>
          {["", ...categories].map((name) => (
            <button key={name} type="button" className="tag" aria-pressed={category === name} onClick={() => setQuery({ category: name })}>{name ? words(name) : w.all}</button>
          ))}
        </div>
      )}
      <nav className="picker-list" aria-label={w.chooser} ref={box}>
        {sections.map(([title, list]) => list.length > 0 && (
          <section key={title} aria-label={title}>
            <h2>{title}</h2>
            <ul>{list.map((e) => <Item key={e.kind + e.id} entry={e} current={chosen?.kind === e.kind && chosen.id === e.id} query={{ q, category }} />)}</ul>
          </section>
        ))}
        {sections.every(([, list]) => list.length === 0) && (
          <div className="picker-none" role="status">
            <p>{q ? w.nothing(q) : w.noneOf}</p>
            <button type="button" className="small" onClick={() => setQuery({ q: "", category: "" })}>{w.showAll}</button>
          </div>
        )}
      </nav>
    </div>
  );
}

function Item({ entry, current, query }: { entry: Entry; current: boolean; query: Record<string, string> }) {
  const w = useWords(startWords);
  const kept = new URLSearchParams(Object.entries(query).filter(([, v]) => v));
  const to = `${entry.kind === "workflow" ? href.workflow(entry.id) : href.template(entry.id)}${kept.size ? `?${kept}` : ""}`;
  return (
    <li>
      <a href={to} aria-current={current ? "true" : undefined} data-testid={`${entry.kind}-${entry.id}`}>
        <strong>{entry.name}</strong>
        {entry.description && <span className="picker-about">{entry.description}</span>}
        <span className="picker-meta">
          {entry.category && <span>{words(entry.category)}</span>}{entry.used && <span>{w.used(ago(entry.used))}</span>}
        </span>
      </a>
    </li>
  );
}
