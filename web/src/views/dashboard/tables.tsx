// What is compared by name: workflows, failures, models, agents, groups. A bar beside each figure shows its share.

import { useState, type ReactNode } from "react";
import type { StatusCounts } from "@sluice/client";
import { href } from "@/app/route";
import { count, words as spoken } from "@/ui/format";
import { statusWord } from "@/ui/status";
import { common } from "@/words/common";
import { useLang, useWords } from "@/words/words";
import { dollars } from "../models/price";
import { short, type Rank } from "./figures";
import { dashboardWords } from "./words";

const SHOWN = 8;

function Share({ part, of }: { part: number; of: number }) {
  return <span className="share" aria-hidden="true"><span style={{ width: `${of > 0 ? (100 * part) / of : 0}%` }} /></span>;
}

interface TableProps<T> { title: string; empty: string; head: ReactNode; rows: readonly T[]; row: (item: T) => ReactNode; testId?: string }

function Named<T>({ title, empty, head, rows, row, testId }: TableProps<T>) {
  const c = useWords(common);
  const [all, setAll] = useState(false);
  return (
    <section className="card figures">
      <h2>{title}</h2>
      {rows.length === 0 ? <p className="faint">{empty}</p> : (
        <div className="table-scroll" tabIndex={0} role="region" aria-label={title}>
          <table className="data-table" data-testid={testId}><thead><tr>{head}</tr></thead><tbody>{(all ? rows : rows.slice(0, SHOWN)).map(row)}</tbody></table>
        </div>
      )}
      {rows.length > SHOWN && !all && <button type="button" className="small" onClick={() => setAll(true)}>{c.more} ({rows.length - SHOWN})</button>}
    </section>
  );
}

export function Workflows({ rows, names }: { rows: readonly { workflow_id: string | null; by_status: StatusCounts; total: number }[]; names: Map<string, string> }) {
  const w = useWords(dashboardWords);
  useLang();
  const sorted = [...rows].sort((a, b) => b.total - a.total);
  const most = sorted[0]?.total ?? 0;
  return (
    <Named title={w.byWorkflow} empty={w.none} rows={sorted} testId="by-workflow"
      head={<><th scope="col">{w.workflow}</th><th scope="col">{w.states}</th><th scope="col" className="num">{w.total}</th></>}
      row={(r) => (
        <tr key={r.workflow_id ?? ""}>
          <td>{r.workflow_id ? <a href={href.sessions({ workflow_id: r.workflow_id })}>{names.get(r.workflow_id) ?? spoken(r.workflow_id)}</a> : w.none}<Share part={r.total} of={most} /></td>
          <td className="faint">{Object.entries(r.by_status).filter(([, n]) => n > 0).map(([s, n]) => `${statusWord(s)} ${count(n)}`).join(" · ")}</td>
          <td className="num">{count(r.total)}</td>
        </tr>
      )} />
  );
}

export function Failures({ rows }: { rows: readonly { code: string; count: number }[] }) {
  const w = useWords(dashboardWords);
  const most = Math.max(0, ...rows.map((r) => r.count));
  return (
    <Named title={w.failures} empty={w.noFailures} rows={rows} testId="failures"
      head={<><th scope="col">{w.code}</th><th scope="col" className="num">{w.sessions}</th></>}
      row={(r) => <tr key={r.code}><td><code>{r.code}</code><Share part={r.count} of={most} /></td><td className="num">{count(r.count)}</td></tr>} />
  );
}

interface RanksProps { title: string; rows: readonly Rank[]; nobody: string; link?: (id: string) => string; names?: Map<string, string>; testId: string }

export function Ranks({ title, rows, nobody, link, names, testId }: RanksProps) {
  const w = useWords(dashboardWords);
  const most = rows[0]?.tokens ?? 0;
  const name = (r: Rank) => (r.id === null ? nobody : names?.get(r.id) ?? r.id);
  return (
    <Named title={title} empty={w.noUsage} rows={rows} testId={testId}
      head={<><th scope="col">{w.name}</th><th scope="col" className="num">{w.calls}</th><th scope="col" className="num">{w.tokens}</th><th scope="col" className="num">{w.cost}</th></>}
      row={(r) => (
        <tr key={r.id ?? ""}>
          <td>{link && r.id !== null ? <a href={link(r.id)}>{name(r)}</a> : name(r)}<Share part={r.tokens} of={most} /></td>
          <td className="num">{count(r.calls)}</td><td className="num" title={count(r.tokens)}>{short(r.tokens)}</td><td className="num">{r.cost === null ? w.none : dollars(r.cost)}</td>
        </tr>
      )} />
  );
}
