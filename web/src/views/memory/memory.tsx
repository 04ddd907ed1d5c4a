// What is remembered: searched by a question where a group is chosen, else the newest first.

import { useEffect, useState, type FormEvent } from "react";
import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { MemoryTier } from "@sluice/client";
import { useMay } from "@/app/context";
import { setQuery } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { client } from "@/client/http";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { More, usePages } from "@/ui/kit/pages";
import { useWords } from "@/words/words";
import { AddMemory } from "./add";
import { MemoryItem } from "./item";
import { memoryWords } from "./words";
import "./memory.css";

const AGES = [1, 7, 30, 90];
const TIERS: MemoryTier[] = ["quarantine", "working", "long_term"];
const MAX_RESULTS = 50;

interface Filter { group: string; q: string; tier: MemoryTier | ""; days: string }

export default function MemoryView({ query }: ViewProps) {
  const w = useWords(memoryWords);
  const may = useMay();
  const [adding, setAdding] = useState(false);
  const groups = useQuery({ queryKey: ["groups", "all"], queryFn: ({ signal }) => client.listGroups({ limit: 500 }, { signal }) });
  const tier = query.get("tier") ?? "";
  const filter: Filter = { group: query.get("group_id") ?? "", q: query.get("q") ?? "", tier: TIERS.find((t) => t === tier) ?? "", days: query.get("days") ?? "" };
  const known = groups.data?.items ?? [];
  const names = filter.group && !known.some((g) => g.id === filter.group) ? [{ id: filter.group, name: filter.group }, ...known] : known;
  const add = <button type="button" className="primary" disabled={!may("editor")} title={may("editor") ? undefined : w.readOnly} onClick={() => setAdding(true)} data-testid="add-memory"><Icon name="plus" size={14} />{w.add}</button>;
  return (
    <Page title={w.title} about={w.about} actions={add} className="memory-page">
      <Search filter={filter} groups={names} />
      {filter.group && filter.q ? <Answers filter={filter} /> : <Newest filter={filter} />}
      {adding && <AddMemory group={filter.group} groups={names} onClose={() => setAdding(false)} />}
    </Page>
  );
}

function Search({ filter, groups }: { filter: Filter; groups: readonly { id: string; name: string }[] }) {
  const w = useWords(memoryWords);
  const [q, setQ] = useState(filter.q);
  useEffect(() => setQ(filter.q), [filter.q]);
  const ask = (e: FormEvent) => {
    e.preventDefault();
    setQuery({ q: q.trim() });
  };
  return (
    <>
      <form className="toolbar" role="search" onSubmit={ask}>
        <label>{w.group}
          <select value={filter.group} onChange={(e) => setQuery({ group_id: e.target.value })} data-testid="memory-filter-group">
            <option value="">{w.allGroups}</option>
            {groups.map((g) => <option key={g.id} value={g.id}>{g.name}</option>)}
          </select>
        </label>
        <label className="grow">{w.question}
          <input type="search" value={q} placeholder={w.questionHint} disabled={!filter.group} onChange={(e) => setQ(e.target.value)} data-testid="memory-question" />
        </label>
        <label>{w.tier}
          <select value={filter.tier} onChange={(e) => setQuery({ tier: e.target.value })}>
            <option value="">{w.anyTier}</option>
            {TIERS.map((t) => <option key={t} value={t}>{w.tiers[t]}</option>)}
          </select>
        </label>
        {filter.group && filter.q && (
          <label>{w.since}
            <select value={filter.days} onChange={(e) => setQuery({ days: e.target.value })}>
              <option value="">{w.anyAge}</option>
              {AGES.map((d) => <option key={d} value={String(d)}>{w.days(d)}</option>)}
            </select>
          </label>
        )}
        <button type="submit" disabled={!filter.group} data-testid="memory-ask"><Icon name="search" size={13} />{w.ask}</button>
        {filter.q && <button type="button" className="quiet" onClick={() => setQuery({ q: "", days: "" })}>{w.clear}</button>}
      </form>
      {!filter.group && <p className="faint memory-note">{w.needGroup}</p>}
    </>
  );
}

function Answers({ filter }: { filter: Filter }) {
  const w = useWords(memoryWords);
  const query = useQuery({
    queryKey: ["memories", "query", filter], placeholderData: keepPreviousData,
    queryFn: ({ signal }) => client.queryMemory({
      group_id: filter.group, query: filter.q, max_results: MAX_RESULTS, tiers: filter.tier ? [filter.tier] : TIERS, ...(Number(filter.days) > 0 ? { time_range_days: Number(filter.days) } : {}),
    }, { signal }),
  });
  return (
    <Loaded query={query}>
      {({ items, embedded }) => (
        <>
          {!embedded && <p className="faint memory-note">{w.wordsOnly}</p>}
          {items.length === 0 ? <p className="hint" data-testid="memory-none">{w.noneFit}</p> : <ul className="memories" data-testid="memories">{items.map((m) => <MemoryItem key={m.id} item={m} />)}</ul>}
        </>
      )}
    </Loaded>
  );
}

function Newest({ filter }: { filter: Filter }) {
  const w = useWords(memoryWords);
  const pages = usePages(["memories", "list", filter.group, filter.tier], (cursor, signal) =>
    client.listMemories({ group_id: filter.group || null, tier: filter.tier || null, limit: 30, cursor }, { signal }));
  const filtered = filter.group || filter.tier;
  return (
    <Loaded query={pages.query as UseQueryResult<unknown>}>
      {() => (!pages.items?.length ? (
        filtered ? <p className="hint">{w.noneHere}</p> : <Empty title={w.emptyTitle}><p>{w.emptyAbout}</p></Empty>
      ) : (
        <>
          <ul className="memories" data-testid="memories">{pages.items.map((m) => <MemoryItem key={m.id} item={m} />)}</ul>
          <More pages={pages} />
        </>
      ))}
    </Loaded>
  );
}
