// All sessions: found by filters that stand in the address, shown as they are now, and handled many at a time.

import { useEffect, useId, useMemo, useRef, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { Session } from "@sluice/client";
import { useMay } from "@/app/context";
import { useMoves } from "@/app/moves";
import { go, href, setQuery } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import { useWorkflowNames } from "@/app/workflow-names";
import type { ViewProps } from "@/app/views";
import { ApiError, client } from "@/client/http";
import { errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { More, usePages } from "@/ui/kit/pages";
import { toast } from "@/ui/kit/toast";
import { useIsPhone } from "@/ui/media";
import { useLang, useWords } from "@/words/words";
import { dayStart, metadataOf, selectRange } from "./bulk";
import { BulkBar } from "./bulk-bar";
import { FilterBar, FILTERS, filtersOf, isFiltered, type Filters } from "./filters";
import { SessionCards, SessionTable } from "./rows";
import { words } from "./words";
import "./sessions.css";

const PAGE = 50;
// Tokens and questions of a session come over no channel: while something runs they are looked at.
const READ_MS = 5_000;

function useList(filters: Filters) {
  const queries = useQueryClient();
  const key = FILTERS.map((f) => filters[f]);
  const [runs, setRuns] = useState(false);
  const pages = usePages<Session>(["sessions", "list", ...key], async (cursor, signal) => {
    const { meta, order, created_after, created_before, ...plain } = filters;
    return client.listSessions({
      ...plain, limit: PAGE, cursor, order: order === "asc" ? "asc" : null, created_after: dayStart(created_after), created_before: dayStart(created_before, 1),
    }, { signal, query: metadataOf(meta) });
  }, runs ? { refetchInterval: READ_MS } : {});
  const moves = useMoves();
  const first = useRef(moves);
  useEffect(() => {
    if (first.current !== moves) void queries.invalidateQueries({ queryKey: ["sessions", "list"] });
    first.current = moves;
  }, [queries, moves]);
  const anyRuns = pages.items?.some((s) => s.status === "running") ?? false;
  useEffect(() => setRuns(anyRuns), [anyRuns]);
  return pages;
}

/** Which ones are selected; those that the filter hides are not. */
function useSelection(items: Session[]) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const last = useRef<string>(undefined);
  const order = useMemo(() => items.map((s) => s.id), [items]);
  const selected = useMemo(() => new Set(order.filter((id) => chosen.has(id))), [order, chosen]);
  const select = (id: string, range: boolean) => {
    setChosen(selectRange(order, selected, id, last.current, range));
    last.current = id;
  };
  return { selected, select, set: (ids: string[]) => setChosen(new Set(ids)) };
}

/** Where the keyboard is: the row whose link has the focus. */
function useRowKeys(items: Session[], select: (id: string, range: boolean) => void, searchId: string) {
  const w = useWords(words);
  const at = () => document.activeElement?.closest<HTMLElement>("[data-session]")?.dataset.session;
  const move = (by: number) => {
    const here = items.findIndex((s) => s.id === at());
    const to = items[here < 0 ? 0 : here + by];
    if (to) document.querySelector<HTMLElement>(`[data-session="${CSS.escape(to.id)}"] a`)?.focus();
  };
  const pick = (range: boolean) => {
    const id = at();
    if (id) select(id, range);
  };
  useShortcuts([
    { keys: "j", what: w.kDown, run: () => move(1) }, { keys: "k", what: w.kUp, run: () => move(-1) },
    { keys: "x", what: w.kSelect, run: () => pick(false) }, { keys: "X", what: w.kRange, run: () => pick(true) },
    { keys: "/", what: w.kSearch, run: () => document.getElementById(searchId)?.focus() },
  ]);
}

export default function Sessions({ query }: ViewProps) {
  const w = useWords(words);
  useLang();
  const searchId = useId();
  const filters = useMemo(() => filtersOf(query), [query]);
  const pages = useList(filters);
  const items = pages.items ?? [];
  const { selected, select, set } = useSelection(items);
  const phone = useIsPhone();
  const workflows = useWorkflowNames();
  useRowKeys(items, select, searchId);
  const Rows = phone ? SessionCards : SessionTable;
  const none = pages.items?.length === 0 && !isFiltered(filters);
  return (
    <Page title={w.title} about={w.about} actions={<Import />} className="sessions-page">
      {!none && <FilterBar filters={filters} searchId={searchId} />}
      <Loaded query={pages.query}>{() => (items.length ? (
        <div className="stack">
          <Rows items={items} workflows={workflows} selected={selected} onSelect={select} onSelectAll={(all) => set(all ? items.map((s) => s.id) : [])} />
          <More pages={pages} />
        </div>
      ) : none ? (
        <Empty title={w.empty} action={<a className="button primary" href={href.start()}>{w.start}</a>}><p>{w.emptyAbout}</p></Empty>
      ) : (
        <div className="empty" data-testid="empty"><p>{w.nothing}</p><button type="button" onClick={() => setQuery(Object.fromEntries(FILTERS.map((f) => [f, ""])))}>{w.clear}</button></div>
      ))}</Loaded>
      {selected.size > 0 && <BulkBar selected={items.filter((s) => selected.has(s.id))} onDone={set} />}
    </Page>
  );
}

function Import() {
  const w = useWords(words);
  const may = useMay();
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const take = async (file: File | undefined) => {
    if (!file) return;
    setBusy(true);
    try {
      const { session_id } = await client.importSession(await file.text(), { timeoutMs: 120_000 });
      toast(w.imported);
      go(href.session(session_id));
    } catch (err) {
      toast(err instanceof ApiError && err.status === 409 ? w.importHere : errorText(err), "bad");
    } finally {
      setBusy(false);
      if (input.current) input.current.value = "";
    }
  };
  return (
    <>
      <input ref={input} type="file" accept=".jsonl,.ndjson,application/x-ndjson" hidden data-testid="import-file" onChange={(e) => void take(e.target.files?.[0])} />
      <button type="button" disabled={busy || !may("operator")} title={may("operator") ? undefined : w.noRole} onClick={() => input.current?.click()} data-testid="import">
        {busy ? <><span className="spinner" aria-hidden="true" />{w.importing}</> : <><Icon name="up" size={14} />{w.importFile}</>}
      </button>
    </>
  );
}
