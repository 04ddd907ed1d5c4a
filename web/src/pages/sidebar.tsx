// All sessions, newest first, with their states as they change.

import { useEffect, useRef, useSyncExternalStore } from "react";
import type { SessionList } from "../session/list";
import { ago, sessionTitle } from "../ui/format";
import { Icon, Mark } from "../ui/icons";
import { href } from "../ui/route";
import { StatusDot, statusWord } from "../ui/status";

const FILTERS: [string, string][] = [
  ["", "All"], ["running", "Running"], ["paused", "Paused"], ["completed", "Completed"], ["failed", "Failed"], ["cancelled", "Cancelled"],
];

export interface Who {
  kind: string;
  name: string;
  role: string;
}

interface Props {
  list: SessionList;
  currentId?: string;
  open: boolean;
  onClose: () => void;
  who?: Who;
  onSignOut: () => void;
}

const MAY: Record<string, string> = {
  viewer: "may look", operator: "may run and answer", editor: "may change everything here", admin: "may do everything",
};

export function Sidebar({ list, currentId, open, onClose, who, onSignOut }: Props) {
  const state = useSyncExternalStore(list.subscribe, list.get);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!open) return;
    const onKey = (e: KeyboardEvent) => { if (e.key === "Escape") onClose(); };
    window.addEventListener("keydown", onKey);
    box.current?.querySelector<HTMLElement>("a,button")?.focus();
    return () => window.removeEventListener("keydown", onKey);
  }, [open, onClose]);
  const filtered = Boolean(state.filter.q || state.filter.status);
  return (
    <>
      {open && <div className="scrim" onClick={onClose} />}
      <nav className="sidebar" data-open={open || undefined} aria-label="Sessions" ref={box}>
        <div className="brand">
          <a href={href.start()} className="brand-link" onClick={onClose}><Mark /><span>Sluice</span></a>
          <a className="button primary small" href={href.start()} onClick={onClose}><Icon name="plus" size={14} />New run</a>
        </div>
        <div className="filters">
          <label className="search">
            <Icon name="search" size={14} />
            <span className="sr">Search sessions</span>
            <input type="search" placeholder="Search" value={state.filter.q} onChange={(e) => list.setFilter({ q: e.target.value })} />
          </label>
          <label>
            <span className="sr">State</span>
            <select value={state.filter.status} onChange={(e) => list.setFilter({ status: e.target.value })}>
              {FILTERS.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
            </select>
          </label>
        </div>
        {state.error && (
          <div className="list-note" role="status">
            <p>{state.error.code === "unreachable" ? "The server cannot be reached." : state.error.message}</p>
            <button type="button" className="small" onClick={() => list.retryNow()}>Try again</button>
          </div>
        )}
        <ul className="session-list" data-testid="session-list">
          {state.items.map((s) => {
            const waits = (s.waiting_on?.length ?? 0) > 0 && (s.status === "running" || s.status === "paused");
            const status = waits && s.status === "running" ? "suspended" : s.status;
            return (
              <li key={s.id}>
                <a href={href.session(s.id)} aria-current={s.id === currentId ? "page" : undefined} onClick={onClose}>
                  <StatusDot status={status} />
                  <span className="session-name">{sessionTitle(s)}</span>
                  <span className="session-meta">
                    <span data-status={status}>{waits ? "Waits for you" : statusWord(s.status)}</span>
                    <span>{ago(s.created_at)}</span>
                  </span>
                </a>
              </li>
            );
          })}
        </ul>
        {!state.loading && !state.error && state.items.length === 0 && (
          <p className="list-note">{filtered ? "No session matches." : "No sessions yet. The first one you start stands here."}</p>
        )}
        {state.cursor && <button type="button" className="quiet" disabled={state.loading} onClick={() => void list.more()}>Show older</button>}
        {who && who.kind !== "anonymous" && (
          <div className="list-note signed-in" data-testid="who">
            <p><strong>{who.name}</strong> {MAY[who.role] ?? who.role}</p>
            <button type="button" className="small" data-testid="sign-out" onClick={onSignOut}>Sign out</button>
          </div>
        )}
      </nav>
    </>
  );
}
