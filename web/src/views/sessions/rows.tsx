// The sessions as a table, and as cards where there is no room for one.

import { useEffect, useState, type MouseEvent } from "react";
import type { Session, Workflow } from "@sluice/client";
import { href, setQuery } from "@/app/route";
import { serverNow } from "@/client/server-time";
import { TERMINAL } from "@/session/model";
import { ago, count, duration, moment, money, sessionTitle, words as plainWords } from "@/ui/format";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { words } from "./words";

export interface RowsProps {
  items: Session[];
  workflows: ReadonlyMap<string, Workflow>;
  selected: ReadonlySet<string>;
  onSelect: (id: string, range: boolean) => void;
  onSelectAll: (all: boolean) => void;
}

const flowOf = (s: Session, workflows: RowsProps["workflows"]) => workflows.get(s.workflow_id ?? "");
const flowName = (s: Session, workflows: RowsProps["workflows"]) => flowOf(s, workflows)?.name ?? plainWords(s.workflow_id ?? "");
const waitsOf = (s: Session) => (TERMINAL.has(s.status) ? [] : s.waiting_on ?? []);
const asksOf = (s: Session) => waitsOf(s).filter((i) => i.kind !== "signal");
const statusOf = (s: Session) => (s.status === "running" && waitsOf(s).length > 0 ? "suspended" : s.status);
const tokensOf = (s: Session) => (s.usage?.input_tokens ?? 0) + (s.usage?.output_tokens ?? 0);
const whoOf = (s: Session) => [s.user_id, s.group_id].filter(Boolean).join(" · ");
const costOf = (s: Session) => (typeof s.usage?.cost_usd === "number" ? money(s.usage.cost_usd) : "–");

/** Columns that stand only where one of the sessions has something to put there. */
interface Columns { who: boolean; tags: boolean; waits: boolean }
const columnsOf = (items: Session[]): Columns => ({
  who: items.some((s) => whoOf(s) !== ""), tags: items.some((s) => (s.tags?.length ?? 0) > 0), waits: items.some((s) => asksOf(s).length > 0),
});

export function SessionTable({ items, workflows, selected, onSelect, onSelectAll }: RowsProps) {
  const w = useWords(words);
  const all = items.length > 0 && items.every((s) => selected.has(s.id));
  const some = items.some((s) => selected.has(s.id));
  const columns = columnsOf(items);
  return (
    <div className="table-wrap">
      <table className="data-table session-table" data-testid="sessions">
        <caption className="sr">{w.table}</caption>
        <thead>
          <tr>
            <th className="pick"><input type="checkbox" aria-label={w.selectAll} checked={all} ref={(el) => { if (el) el.indeterminate = some && !all; }} onChange={() => onSelectAll(!all)} data-testid="select-all" /></th>
            <th>{w.state}</th><th>{w.colTitle}</th><th>{w.workflow}</th>{columns.who && <th>{w.colWho}</th>}{columns.tags && <th>{w.colTags}</th>}<th>{w.colStarted}</th>
            <th className="num">{w.colTime}</th><th className="num">{w.colTokens}</th><th className="num">{w.colCost}</th>{columns.waits && <th>{w.colWaits}</th>}
          </tr>
        </thead>
        <tbody>
          {items.map((s) => <TableRow key={s.id} session={s} workflows={workflows} columns={columns} on={selected.has(s.id)} onSelect={onSelect} />)}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  workflows: RowsProps["workflows"];
  onSelect: RowsProps["onSelect"];
  session: Session;
  columns: Columns;
  on: boolean;
}

function TableRow({ session: s, workflows, columns, on, onSelect }: RowProps) {
  const title = sessionTitle(s, flowOf(s, workflows));
  return (
    <tr data-session={s.id} aria-selected={on}>
      <td className="pick"><Pick title={title} id={s.id} on={on} onSelect={onSelect} /></td>
      <td><StatusPill status={statusOf(s)} /></td>
      <td className="session-title-cell"><a href={href.session(s.id)} title={title}>{title}</a></td>
      <td className="clip">{flowName(s, workflows) || "–"}</td>
      {columns.who && <td className="clip">{whoOf(s) || "–"}</td>}
      {columns.tags && <td><Tags tags={s.tags} /></td>}
      <td className="nowrap"><time dateTime={s.created_at} title={moment(s.created_at)}>{ago(s.created_at, serverNow())}</time></td>
      <td className="num nowrap"><Time session={s} /></td>
      <td className="num">{tokensOf(s) ? count(tokensOf(s)) : "–"}</td>
      <td className="num">{costOf(s)}</td>
      {columns.waits && <td><Waits session={s} /></td>}
    </tr>
  );
}

export function SessionCards({ items, workflows, selected, onSelect }: RowsProps) {
  return (
    <ul className="session-cards" data-testid="sessions">
      {items.map((s) => (
        <li key={s.id} className="card" data-session={s.id} data-selected={selected.has(s.id) || undefined}>
          <div className="row"><Pick title={sessionTitle(s, flowOf(s, workflows))} id={s.id} on={selected.has(s.id)} onSelect={onSelect} /><StatusPill status={statusOf(s)} /><span className="faint card-when">{ago(s.created_at, serverNow())}</span></div>
          <a href={href.session(s.id)}>{sessionTitle(s, flowOf(s, workflows))}</a>
          <p className="session-card-facts faint">
            {s.workflow_id && <span>{flowName(s, workflows)}</span>}
            {whoOf(s) && <span>{whoOf(s)}</span>}
            <Time session={s} />
            {tokensOf(s) > 0 && <span>{count(tokensOf(s))}</span>}
            {typeof s.usage?.cost_usd === "number" && <span>{costOf(s)}</span>}
          </p>
          <div className="row"><Tags tags={s.tags} /><Waits session={s} /></div>
        </li>
      ))}
    </ul>
  );
}

function Pick({ id, title, on, onSelect }: { id: string; title: string; on: boolean; onSelect: RowsProps["onSelect"] }) {
  const w = useWords(words);
  // A click knows of Shift, a change does not.
  const click = (e: MouseEvent) => onSelect(id, e.shiftKey);
  return <input type="checkbox" aria-label={w.select(title)} checked={on} onClick={click} onChange={() => undefined} data-testid="pick" />;
}

function Tags({ tags }: { tags?: string[] }) {
  if (!tags?.length) return null;
  return <span className="session-tags">{tags.map((tag) => <button key={tag} type="button" className="chip" onClick={() => setQuery({ tag })}>{tag}</button>)}</span>;
}

function Waits({ session }: { session: Session }) {
  const w = useWords(words);
  const waits = asksOf(session);
  if (!waits.length) return null;
  const to = waits.length === 1 ? href.review(waits[0]!.interrupt_id) : href.session(session.id);
  return <a className="chip" data-tone="warm" href={to}>{w.waits(waits.length)}</a>;
}

function Time({ session }: { session: Session }) {
  const live = session.status === "running" && session.started_at;
  const now = useSeconds(Boolean(live));
  if (!session.started_at) return <span>–</span>;
  const end = session.ended_at ? Date.parse(session.ended_at) : session.status === "running" ? now : Date.parse(session.updated_at ?? session.started_at);
  return <span>{duration(Math.max(0, end - Date.parse(session.started_at)))}</span>;
}

function useSeconds(on: boolean): number {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => setNow(serverNow()), 1000);
    return () => clearInterval(timer);
  }, [on]);
  return now;
}
