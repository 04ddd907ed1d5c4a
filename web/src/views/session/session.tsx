// One session: its state and controls, the graph, the conversation, and what waits for a person.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useSession, useSessionList, useStore, StoreContext } from "@/session/hooks";
import { TERMINAL } from "@/session/model";
import { SessionStore, type Command } from "@/session/store";
import { WorkflowGraph } from "@/graph/graph";
import "@xyflow/react/dist/base.css";
import "@/style/session.css";
import { useAwake } from "@/app/awake";
import { useApp } from "@/app/context";
import type { ViewProps } from "@/app/views";
import { clock, count, duration, money, nodeName, plural, sessionTitle, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { href } from "@/app/route";
import { StatusPill, statusWord } from "@/ui/status";
import { Conversation } from "./conversation";
import { Dock } from "./dock";
import { Inspector } from "./inspector";

const PLAIN_KEY = "sluice.plain";
const SPLIT_KEY = "sluice.split";
const SPLIT = 36;
const SPLIT_MIN = 18;
const SPLIT_MAX = 70;
const PENDING_WORD: Record<Command, string> = { pause: "pausing", resume: "resuming", cancel: "cancelling" };

export default function SessionPage({ params }: ViewProps) {
  const { list, openMenu: onMenu } = useApp();
  const id = params.id ?? "";
  // The session waits for a person, or no longer does.
  const onWaiting = useCallback(() => list.touch(), [list]);
  const [store, setStore] = useState<SessionStore>();
  useEffect(() => {
    const opened = new SessionStore(id);
    opened.start();
    setStore(opened);
    return () => opened.close();
  }, [id]);
  if (!store || store.sessionId !== id) return <main className="session" />;
  return (
    <StoreContext.Provider value={store}>
      <SessionView onMenu={onMenu} onWaiting={onWaiting} />
    </StoreContext.Provider>
  );
}

function Elapsed() {
  const activeMs = useSession((s) => s.view.activeMs);
  const since = useSession((s) => s.view.runningSince);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!since) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [since]);
  const ms = activeMs + (since ? Math.max(0, now - Date.parse(since)) : 0);
  return <span title="Time spent running">{duration(ms)}</span>;
}

function Facts() {
  const usage = useSession((s) => s.view.usage);
  const tokens = usage.input_tokens + usage.output_tokens;
  return (
    <div className="facts">
      <Elapsed />
      {tokens > 0 && (
        <span title={`${count(usage.input_tokens)} in, ${count(usage.output_tokens)} out`} data-testid="usage">
          {plural(tokens, "token")}
        </span>
      )}
      {typeof usage.cost_usd === "number" && usage.cost_usd > 0 && <span className="cost">{money(usage.cost_usd)}</span>}
    </div>
  );
}

function Controls() {
  const store = useStore();
  const status = useSession((s) => s.view.status);
  const pending = useSession((s) => s.pending);
  const connected = useSession((s) => s.link.state === "live");
  const session = useSession((s) => s.session);
  const dialog = useRef<HTMLDialogElement>(null);
  const known = useSession((s) => s.view.lastSeq > 0);
  if (!known) return null;
  if (TERMINAL.has(status)) {
    return session?.workflow_id ? (
      <div className="controls"><a className="button" href={href.workflow(session.workflow_id, session.id)}><Icon name="again" size={14} />Run again</a></div>
    ) : null;
  }
  const busy = pending !== undefined || !connected;
  return (
    <div className="controls">
      {status === "paused" || pending === "resume" ? (
        <button type="button" className="primary" disabled={busy} onClick={() => void store.command("resume")} data-testid="resume">
          {pending === "resume" ? <span className="spinner" aria-hidden="true" /> : <Icon name="play" size={14} />}
          {pending === "resume" ? "Resuming…" : "Resume"}
        </button>
      ) : (
        <button type="button" disabled={busy || status !== "running"} onClick={() => void store.command("pause")} data-testid="pause">
          {pending === "pause" ? <span className="spinner" aria-hidden="true" /> : <Icon name="pause" size={14} />}
          {pending === "pause" ? "Pausing…" : "Pause"}
        </button>
      )}
      <button type="button" className="danger" disabled={busy} onClick={() => dialog.current?.showModal()} data-testid="cancel">
        {pending === "cancel" ? <span className="spinner" aria-hidden="true" /> : <Icon name="stop" size={14} />}
        {pending === "cancel" ? "Cancelling…" : "Cancel"}
      </button>
      <dialog ref={dialog} aria-labelledby="cancel-title">
        <form method="dialog">
          <h2 id="cancel-title">Cancel this run?</h2>
          <p>It stops at once and cannot be resumed. Everything said so far is kept.</p>
          <div className="dialog-actions">
            <button type="submit" autoFocus>Keep it running</button>
            <button type="submit" className="danger filled" onClick={() => void store.command("cancel")} data-testid="cancel-confirm">Cancel the run</button>
          </div>
        </form>
      </dialog>
    </div>
  );
}

function LinkBanner() {
  const store = useStore();
  const link = useSession((s) => s.link);
  const ended = useSession((s) => TERMINAL.has(s.view.status));
  const seen = useSession((s) => s.view.lastSeq);
  const [now, setNow] = useState(Date.now);
  const [wasAway, setWasAway] = useState(false);
  const [back, setBack] = useState(false);
  const away = link.state === "waiting" || (link.state === "connecting" && link.attempt > 0);

  useEffect(() => {
    if (link.state !== "waiting") return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [link]);
  useEffect(() => {
    if (away) setWasAway(true);
    if (link.state !== "live" || !wasAway) return;
    setWasAway(false);
    setBack(true);
    const timer = setTimeout(() => setBack(false), 4000);
    return () => clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [link.state, away]);

  if (ended && seen > 0) return null;
  if (away) {
    const seconds = link.state === "waiting" ? Math.ceil((link.retryAt - now) / 1000) : 0;
    return (
      <div className="banner" data-tone="warn" role="status" data-testid="reconnecting">
        <span className="spinner" aria-hidden="true" />
        <p><strong>Reconnecting…</strong> The connection to the server is lost. Nothing is missed: the run goes on from event {count(seen)}.</p>
        {link.state === "waiting" && seconds > 1 && (
          <button type="button" onClick={() => store.retryNow()}>Try now <span className="faint">({seconds} s)</span></button>
        )}
      </div>
    );
  }
  if (back) return <div className="banner" data-tone="good" role="status" data-testid="reconnected"><Icon name="check" /><p>Connected again, nothing lost.</p></div>;
  return null;
}

function StateBanner() {
  const status = useSession((s) => s.view.status);
  const quiesced = useSession((s) => s.view.quiesced);
  const seq = useSession((s) => s.view.pausedSeq);
  const reason = useSession((s) => s.view.reason);
  const pending = useSession((s) => s.pending);
  if (pending === "pause") {
    return <div className="banner" data-tone="pause" role="status" data-testid="pausing"><span className="spinner" aria-hidden="true" /><p><strong>Pausing…</strong> Stopping between two words.</p></div>;
  }
  if (status !== "paused") return null;
  return (
    <div className="banner" data-tone="pause" role="status" data-testid="paused">
      <Icon name="pause" />
      <p><strong>{quiesced ? "Paused, nothing moves." : "Paused."}</strong>{" "}
        {reason ? `${reason}. ` : ""}{seq ? `The log stands still at event ${count(seq)}.` : ""}</p>
    </div>
  );
}

function ProblemBanner() {
  const store = useStore();
  const problem = useSession((s) => s.problem);
  if (!problem) return null;
  return (
    <div className="banner" data-tone="bad" role="alert">
      <Icon name="warn" />
      <p><strong>{problem.title}.</strong> {problem.error.message}</p>
      <button type="button" className="quiet square" aria-label="Dismiss" onClick={() => store.dismissProblem()}><Icon name="close" size={14} /></button>
    </div>
  );
}

/** For screen readers: what changed, in a sentence; never the tokens. */
function Announcer() {
  const status = useSession((s) => s.view.status);
  const workflow = useSession((s) => s.workflow);
  const open = useSessionList((s) => s.view.open.map((id) => s.view.interrupts[id]?.nodeId ?? ""));
  const text = open.length ? `${open.map((n) => nodeName(n, workflow?.nodes?.[n])).join(", ")} waits for you` : `Session ${statusWord(status)}`;
  return <p className="sr" role="status">{text}</p>;
}

function Header({ onMenu }: { onMenu: () => void }) {
  const session = useSession((s) => s.session);
  const workflow = useSession((s) => s.workflow);
  const status = useSession((s) => s.view.status);
  const known = useSession((s) => s.view.lastSeq > 0);
  const startedAt = useSession((s) => s.view.startedAt);
  const pending = useSession((s) => s.pending);
  const waits = useSession((s) => s.view.open.length > 0);
  // Nothing runs and somebody is asked: "Running" would be no help.
  const waitsOnly = useSession((s) => s.view.status === "running" && s.view.open.length > 0 &&
    !Object.values(s.view.nodes).some((n) => n.status === "running"));
  const title = sessionTitle(session, workflow);
  const workflowName = workflow?.name ?? (session?.workflow_id ? words(session.workflow_id) : "");
  useEffect(() => {
    document.title = `${waits ? "● " : ""}${title} · Sluice`;
    return () => { document.title = "Sluice"; };
  }, [title, waits]);
  return (
    <header className="session-head">
      <button type="button" className="quiet square menu-button" aria-label="Sessions" onClick={onMenu}><Icon name="menu" /></button>
      <div className="session-title">
        <h1 title={title}>{title}</h1>
        <p className="faint">
          {[workflowName !== title && workflowName, startedAt && `started ${clock(startedAt)}`].filter(Boolean).join(" · ")}
        </p>
      </div>
      {known && <StatusPill status={pending ? PENDING_WORD[pending] : waitsOnly ? "suspended" : status} testId="status" />}
      <Facts />
      <Controls />
    </header>
  );
}

function Fatal({ onMenu }: { onMenu: () => void }) {
  const fatal = useSession((s) => s.fatal);
  const id = useStore().sessionId;
  const missing = fatal?.status === 404;
  return (
    <main className="session">
      <div className="empty">
        <button type="button" className="quiet square menu-button" aria-label="Sessions" onClick={onMenu}><Icon name="menu" /></button>
        <h1>{missing ? "There is no such session" : "This session cannot be shown"}</h1>
        <p>{missing ? "It may have been deleted, or it belongs to another workspace." : fatal?.message}</p>
        <p className="faint mono">{id}</p>
        <p><a className="button" href={href.start()}>Start a run</a></p>
      </div>
    </main>
  );
}

/** How much of the width the graph takes, in percent: by pointer, or by the arrow keys. */
function Splitter({ panes }: { panes: React.RefObject<HTMLDivElement | null> }) {
  const [percent, setPercent] = useState(() => Number(localStorage.getItem(SPLIT_KEY)) || SPLIT);
  useEffect(() => {
    panes.current?.style.setProperty("--split", `${percent}%`);
  }, [panes, percent]);
  const move = (to: number) => {
    const next = Math.min(SPLIT_MAX, Math.max(SPLIT_MIN, Math.round(to)));
    setPercent(next);
    localStorage.setItem(SPLIT_KEY, String(next));
  };
  return (
    <div className="splitter" role="separator" tabIndex={0} aria-orientation="vertical" aria-label="Width of the graph"
      aria-valuenow={percent} aria-valuemin={SPLIT_MIN} aria-valuemax={SPLIT_MAX}
      onKeyDown={(e) => {
        if (e.key === "ArrowLeft") move(percent - 3);
        if (e.key === "ArrowRight") move(percent + 3);
      }}
      onDoubleClick={() => move(SPLIT)}
      onPointerDown={(e) => e.currentTarget.setPointerCapture(e.pointerId)}
      onPointerMove={(e) => {
        const box = panes.current?.getBoundingClientRect();
        if (box && e.currentTarget.hasPointerCapture(e.pointerId)) move(((e.clientX - box.left) / box.width) * 100);
      }} />
  );
}

function SessionView({ onMenu, onWaiting }: { onMenu: () => void; onWaiting: () => void }) {
  const fatal = useSession((s) => s.fatal);
  const workflow = useSession((s) => s.workflow);
  const workflowProblem = useSession((s) => s.workflowProblem);
  const seenNodes = useSessionList((s) => (s.workflow ? [] : Object.keys(s.view.nodes)));
  const ended = useSession((s) => TERMINAL.has(s.view.status));
  const away = useSession((s) => s.link.state === "waiting");
  const still = useSession((s) => s.view.status !== "running") || away;
  const loading = useSession((s) => s.view.lastSeq === 0 && s.link.state !== "waiting");
  const replaying = useSession((s) => s.view.lastSeq < s.target);
  const waiting = useSession((s) => s.view.open.length);
  useEffect(onWaiting, [waiting, onWaiting]);
  const store = useStore();
  useAwake(useCallback(() => store.retryNow(), [store]));
  const [selected, setSelected] = useState<string>();
  const [tab, setTab] = useState<"conversation" | "graph">("conversation");
  const [plain, setPlain] = useState(() => localStorage.getItem(PLAIN_KEY) === "1");
  const nodeIds = useMemo(() => seenNodes, [seenNodes]);
  const panes = useRef<HTMLDivElement>(null);
  const closeInspector = useCallback(() => setSelected(undefined), []);
  if (fatal) return <Fatal onMenu={onMenu} />;
  return (
    <main className="session" data-still={still || undefined} data-ended={ended || undefined} data-testid="session" data-replaying={replaying || undefined}>
      <Header onMenu={onMenu} />
      <LinkBanner />
      <StateBanner />
      <ProblemBanner />
      <Announcer />
      <div className="pane-bar">
        <div className="tabs pane-tabs" role="group" aria-label="View">
          <button type="button" aria-pressed={tab === "conversation"} onClick={() => setTab("conversation")}>Conversation</button>
          <button type="button" aria-pressed={tab === "graph"} onClick={() => setTab("graph")}>Graph</button>
        </div>
      </div>
      <div className="panes" data-tab={tab} ref={panes}>
        <section className="pane-graph" aria-label="Workflow graph">
          {workflow || nodeIds.length > 0
            ? <WorkflowGraph workflow={workflow} nodeIds={nodeIds} selected={selected} onSelect={setSelected} />
            : <div className="graph" />}
          {workflowProblem && <p className="graph-note">The workflow's graph could not be loaded: {workflowProblem}</p>}
          {selected && <Inspector nodeId={selected} onClose={closeInspector} />}
        </section>
        <Splitter panes={panes} />
        <section className="pane-talk" aria-label="Conversation and questions">
          <div className="talk-bar">
            <h2>Conversation</h2>
            <div className="tabs" role="group" aria-label="How text is shown">
              <button type="button" aria-pressed={!plain} onClick={() => { setPlain(false); localStorage.removeItem(PLAIN_KEY); }}>Formatted</button>
              <button type="button" aria-pressed={plain} onClick={() => { setPlain(true); localStorage.setItem(PLAIN_KEY, "1"); }} data-testid="plain">Plain text</button>
            </div>
          </div>
          {loading ? <div className="hint"><span className="spinner" aria-hidden="true" /> Opening the session…</div> : <Conversation plain={plain} />}
          <Dock />
        </section>
      </div>
    </main>
  );
}
