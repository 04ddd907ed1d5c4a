// A session again, as it was at any moment: the very components of the live view over a part of its log.

import { useEffect, useRef, useState } from "react";
import { useMay } from "@/app/context";
import { href, setQuery } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { StoreContext, useSession } from "@/session/hooks";
import { clock, count, duration, errorText, money, sessionTitle } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { MenuButton, useTitle } from "@/ui/kit/page";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { SessionPanes } from "../session/panes";
import { ForkDialog, RetryButton } from "./fork";
import { ReplayContext, useReplay, useReplayStore } from "./hooks";
import { Lineage } from "./lineage";
import { ReplayStore } from "./store";
import { Transport, type Scale } from "./transport";
import { replayWords } from "./words";
import "./replay.css";

const SETTLED_MS = 400;

const numberIn = (query: URLSearchParams, name: string) => {
  const n = Number(query.get(name) ?? NaN);
  return Number.isInteger(n) && n >= 0 ? n : undefined;
};

export default function ReplayView({ params, query }: ViewProps) {
  const id = params.id ?? "";
  const at = numberIn(query, "at");
  const first = useRef(at);
  const [store, setStore] = useState<ReplayStore>();
  useEffect(() => {
    const opened = new ReplayStore(id, first.current);
    opened.start();
    setStore(opened);
    return () => opened.close();
  }, [id]);
  if (!store || store.sessionId !== id) return <main className="session" />;
  return (
    <StoreContext.Provider value={store}>
      <ReplayContext.Provider value={store}>
        <Replay at={at} query={query} />
      </ReplayContext.Provider>
    </StoreContext.Provider>
  );
}

/** The position stands in the address, once it has come to rest, and the address moves the position. */
function useAddress(at: number | undefined): void {
  const store = useReplayStore();
  const seq = useSession((s) => s.view.lastSeq);
  const ready = useReplay((s) => s.ready);
  const written = useRef(at);
  useEffect(() => {
    if (!ready || written.current === seq) return;
    const timer = setTimeout(() => {
      written.current = seq;
      setQuery({ at: seq || undefined });
    }, SETTLED_MS);
    return () => clearTimeout(timer);
  }, [seq, ready]);
  useEffect(() => {
    if (at === undefined || at === written.current) return;
    written.current = at;
    store.pause();
    store.seekSeq(at);
  }, [at, store]);
}

function Moment() {
  const store = useReplayStore();
  const position = useReplay((s) => s.position);
  const activeMs = useSession((s) => s.view.activeMs);
  const since = useSession((s) => s.view.runningSince);
  const usage = useSession((s) => s.view.usage);
  const w = useWords(replayWords);
  const now = store.recording.events[position - 1]?.timestamp;
  const ms = activeMs + (since && now ? Math.max(0, Date.parse(now) - Date.parse(since)) : 0);
  const tokens = usage.input_tokens + usage.output_tokens;
  return (
    <div className="facts">
      <span>{duration(ms)}</span>
      {tokens > 0 && <span data-testid="usage">{w.tokens(tokens)}</span>}
      {typeof usage.cost_usd === "number" && usage.cost_usd > 0 && <span className="cost">{money(usage.cost_usd)}</span>}
    </div>
  );
}

function Head({ node }: { node?: string }) {
  const w = useWords(replayWords);
  const may = useMay();
  const store = useReplayStore();
  const session = useSession((s) => s.session);
  const workflow = useSession((s) => s.workflow);
  const status = useSession((s) => s.view.status);
  const seq = useSession((s) => s.view.lastSeq);
  const hasRun = useSession((s) => Boolean(node && s.view.nodes[node]?.runIds.length));
  const ready = useReplay((s) => s.ready && s.length > 0);
  const [forking, setForking] = useState(false);
  const title = sessionTitle(session, workflow);
  useTitle(w.of(title));
  const openFork = () => { store.pause(); setForking(true); };
  return (
    <header className="session-head replay-head">
      <MenuButton />
      <div className="session-title">
        <h1 title={title}><span className="chip"><Icon name="replay" size={13} />{w.replay}</span>{title}</h1>
        <p className="faint">{[workflow?.name !== title && workflow?.name, session?.started_at && w.started(clock(session.started_at))].filter(Boolean).join(" · ")}</p>
      </div>
      {ready && <StatusPill status={status} testId="status" />}
      <Moment />
      <div className="controls">
        <a className="button" href={href.session(store.sessionId)} data-testid="to-session"><Icon name="eye" size={14} />{w.session}</a>
        {session && <RetryButton session={session} workflow={workflow} />}
        <button type="button" className="primary" disabled={!ready || !may("operator")} title={may("operator") ? undefined : w.mayNot} onClick={openFork} data-testid="fork">
          <Icon name="fork" size={14} />{w.fork}
        </button>
      </div>
      {forking && <ForkDialog sessionId={store.sessionId} session={session} workflow={workflow} seq={seq} nodeId={hasRun ? node : undefined} onClose={() => setForking(false)} />}
    </header>
  );
}

function Notices() {
  const w = useWords(replayWords);
  const session = useSession((s) => s.session);
  const growing = useReplay((s) => s.growing);
  const gaps = useReplay((s) => s.ready && s.gaps > 0);
  const id = useReplayStore().sessionId;
  return (
    <>
      <Lineage session={session} />
      {growing && <p className="banner" data-tone="good" role="status" data-testid="growing"><Icon name="play" size={14} /><span>{w.growing}</span><a href={href.session(id)}>{w.live}</a></p>}
      {gaps && <p className="banner" data-tone="warn" role="status" data-testid="folded"><Icon name="warn" size={14} />{w.folded}</p>}
    </>
  );
}

function Replay({ at, query }: { at?: number; query: URLSearchParams }) {
  const w = useWords(replayWords);
  const fatal = useSession((s) => s.fatal);
  const ready = useReplay((s) => s.ready);
  const empty = useReplay((s) => s.ready && s.length === 0);
  const loaded = useReplay((s) => s.loaded);
  const total = useReplay((s) => s.total);
  const playing = useReplay((s) => s.playing);
  const running = useSession((s) => s.view.status === "running");
  const paused = useSession((s) => s.view.status === "paused");
  const [scale, setScale] = useState<Scale>("time");
  useAddress(at);
  if (fatal) {
    return (
      <main className="page" tabIndex={-1}>
        <div className="empty" role="alert">
          <MenuButton />
          <h1>{fatal.status === 404 ? w.missing : w.failed}</h1><p>{fatal.status === 404 ? w.missingAbout : errorText(fatal)}</p>
          <p><a className="button" href={href.sessions()}>{w.sessions}</a></p>
        </div>
      </main>
    );
  }
  return (
    <main className="session replay" data-still={!playing || !running || undefined} data-paused={paused || undefined} data-testid="replay" data-ready={ready || undefined} tabIndex={-1}>
      <Head node={query.get("node") ?? undefined} />
      <Notices />
      {empty ? <div className="empty replay-empty"><h2>{w.empty}</h2><p>{w.emptyAbout}</p></div> : !ready ? (
        <div className="replay-reading" role="status">
          <p>{w.reading(loaded, total)}</p>
          {total > 0 && <progress max={total} value={loaded} aria-label={w.reading(loaded, total)}>{count(loaded)}</progress>}
        </div>
      ) : (
        <SessionPanes query={query} />
      )}
      <Transport scale={scale} onScale={setScale} />
    </main>
  );
}
