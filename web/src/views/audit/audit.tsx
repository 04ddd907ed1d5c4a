// The audit log: who asked for what. The filters stand in the address.

import { useEffect, useState } from "react";
import type { UseQueryResult } from "@tanstack/react-query";
import type { AuditEntry } from "@sluice/client";
import { useMay } from "@/app/context";
import { href, setQuery } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { client } from "@/client/http";
import { locale } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { Empty, Page } from "@/ui/kit/page";
import { More, usePages } from "@/ui/kit/pages";
import { useWords } from "@/words/words";
import { actionWords, dayEdge, objectLink } from "./objects";
import { auditWords } from "./words";
import "./audit.css";

export default function Audit(props: ViewProps) {
  const w = useWords(auditWords);
  const may = useMay();
  if (may("admin")) return <Log {...props} />;
  return <Page title={w.title} about={w.about}><Empty title={w.title}><p>{w.adminOnly}</p></Empty></Page>;
}

const FIELDS = ["actor", "action", "object", "from", "until"] as const;
type Filter = Record<(typeof FIELDS)[number], string>;

// Offered while one types; any other word may be asked for, too.
const ACTIONS = [
  "execute", "pause", "resume", "cancel", "stop", "node_resume", "signal", "input", "fork", "retry", "session_delete", "session_batch", "session_import", "workflow_create", "workflow_put",
  "workflow_delete", "catalog_create", "catalog_put", "catalog_patch", "catalog_delete", "template_instantiate", "schedule_create", "schedule_put", "schedule_delete", "schedule_run",
  "webhook_create", "webhook_patch", "webhook_delete", "webhook_test", "webhook_replay", "key_create", "key_revoke", "memory_ingest", "memory_delete", "memory_promote",
];

function Log({ query }: ViewProps) {
  const w = useWords(auditWords);
  const filter = Object.fromEntries(FIELDS.map((f) => [f, query.get(f) ?? ""])) as Filter;
  const used = FIELDS.some((f) => filter[f]);
  const pages = usePages(["audit", filter], (cursor, signal) => client.readAudit({
    actor: filter.actor || null, action: filter.action || null, object: filter.object || null, after: dayEdge(filter.from) ?? null, before: dayEdge(filter.until, true) ?? null, limit: 50, cursor,
  }, { signal }));
  return (
    <Page title={w.title} about={w.about} className="audit"
      actions={<button type="button" onClick={() => void pages.query.refetch()} disabled={pages.query.isFetching}><Icon name="again" size={13} />{w.refresh}</button>}>
      <div className="toolbar" role="search">
        <Text name="actor" label={w.actor} value={filter.actor} hint={w.actorHint} />
        <Text name="action" label={w.action} value={filter.action} hint={w.actionHint} list={ACTIONS} />
        <Text name="object" label={w.object} value={filter.object} grow />
        <label>{w.from}<input type="date" value={filter.from} max={filter.until || undefined} onChange={(e) => setQuery({ from: e.target.value })} /></label>
        <label>{w.until}<input type="date" value={filter.until} min={filter.from || undefined} onChange={(e) => setQuery({ until: e.target.value })} /></label>
        {used && <button type="button" className="small" onClick={() => setQuery(Object.fromEntries(FIELDS.map((f) => [f, ""])))} data-testid="clear">{w.clear}</button>}
      </div>
      <Loaded query={pages.query as UseQueryResult<unknown>}>
        {() => (!pages.items?.length ? (
          <Empty title={used ? w.noneFit : w.emptyTitle}>{!used && <p>{w.emptyAbout}</p>}</Empty>
        ) : (
          <>
            <div className="table-wrap" tabIndex={0} role="region" aria-label={w.title}>
              <table className="data-table" data-testid="audit">
                <thead><tr><th scope="col">{w.when}</th><th scope="col">{w.actor}</th><th scope="col">{w.action}</th><th scope="col">{w.about_}</th><th scope="col">{w.answer}</th><th scope="col">{w.remote}</th></tr></thead>
                <tbody>{pages.items.map((e) => <Row key={e.id} entry={e} />)}</tbody>
              </table>
            </div>
            <More pages={pages} />
          </>
        ))}
      </Loaded>
    </Page>
  );
}

/** Typed text goes into the address a moment after the last key. */
function Text({ name, label, value, hint, list, grow }: { name: string; label: string; value: string; hint?: string; list?: string[]; grow?: boolean }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => setQuery({ [name]: text.trim() }), 300);
    return () => clearTimeout(timer);
  }, [text, value, name]);
  return (
    <label className={grow ? "grow" : undefined}>{label}
      <input value={text} placeholder={hint} list={list && `audit-${name}`} onChange={(e) => setText(e.target.value)} data-testid={`audit-${name}`} />
      {list && <datalist id={`audit-${name}`}>{list.map((v) => <option key={v} value={v} />)}</datalist>}
    </label>
  );
}

const time = (iso: string) => new Date(iso).toLocaleString(locale(), { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

function Row({ entry: e }: { entry: AuditEntry }) {
  const w = useWords(auditWords);
  const link = objectLink(e);
  const good = e.code === null;
  return (
    <tr data-testid="audit-row">
      <td className="nowrap">{time(e.at)}</td>
      <td><button type="button" className="link" onClick={() => setQuery({ actor: e.actor })}>{e.actor === "anonymous" ? w.anonymous : e.actor}</button>{e.role && <span className="faint"> {e.role}</span>}</td>
      <td><button type="button" className="link" title={e.action} onClick={() => setQuery({ action: e.action })}>{actionWords(e.action)}</button></td>
      <td className="audit-about">
        {e.session_id && <a href={href.session(e.session_id)}>{w.session} <code>{e.session_id.slice(-6)}</code></a>}
        {e.object && (link ? <a href={link}><code>{e.object.length > 24 ? `…${e.object.slice(-8)}` : e.object}</code></a> : <code>{e.object.length > 24 ? `…${e.object.slice(-8)}` : e.object}</code>)}
      </td>
      <td><span className="chip" data-tone={good ? "good" : "bad"}><Icon name={good ? "check" : "cross"} size={12} />{good ? w.done : e.code} {e.status}</span></td>
      <td className="faint">{e.remote}</td>
    </tr>
  );
}
