import { Component, useCallback, useEffect, useState, type ReactNode } from "react";
import { api, apiKey, ApiError, client, onLocked } from "./client/http";
import { SessionPage } from "./pages/session";
import { Sidebar, type Who } from "./pages/sidebar";
import { StartPage } from "./pages/start";
import { SessionList } from "./session/list";
import { useAwake } from "./ui/awake";
import { Icon, Mark } from "./ui/icons";
import { href, parseRoute, useHash } from "./ui/route";

type Gate = "asking" | "open" | "locked";

/** A server that demands a key says so to the first call; everything else waits for the answer. */
export function App() {
  const [gate, setGate] = useState<Gate>("asking");
  const [refusal, setRefusal] = useState<string>();
  const [who, setWho] = useState<Who>();
  const lock = useCallback((err?: ApiError) => {
    setRefusal(err && apiKey.get() ? err.message : undefined);
    apiKey.set("");
    client.close();
    setWho(undefined);
    setGate("locked");
  }, []);
  const knock = useCallback(async () => {
    try {
      setWho(await api.whoami());
    } catch (err) {
      if (err instanceof ApiError && err.status === 401) return; // locked by then
    }
    // Unreachable is not locked: the page shows itself, says so, and tries again.
    setGate("open");
  }, []);
  useEffect(() => onLocked(lock), [lock]);
  useEffect(() => void knock(), [knock]);
  if (gate === "asking") return null;
  if (gate === "locked") return <KeyPage refusal={refusal} onKey={(key) => { apiKey.set(key); void knock(); }} />;
  return <Boundary><Shell who={who} onSignOut={() => lock()} /></Boundary>;
}

function Shell({ who, onSignOut }: { who?: Who; onSignOut: () => void }) {
  const hash = useHash();
  const route = parseRoute(hash);
  const [list, setList] = useState<SessionList>();
  const [menu, setMenu] = useState(false);
  const closeMenu = useCallback(() => setMenu(false), []);
  const [live, setLive] = useState(false);
  useEffect(() => {
    const leave = list?.subscribe(() => setLive(list.get().link.state === "live"));
    return () => void leave?.();
  }, [list]);
  useAwake(useCallback(() => list?.retryNow(), [list]));
  const touchList = useCallback(() => list?.touch(), [list]);
  const openMenu = useCallback(() => setMenu(true), []);
  useEffect(() => {
    const opened = new SessionList();
    opened.start();
    setList(opened);
    return () => opened.close();
  }, []);
  return (
    <div className="shell">
      {list && <Sidebar list={list} currentId={route.page === "session" ? route.id : undefined} open={menu} onClose={closeMenu} who={who} onSignOut={onSignOut} />}
      {route.page === "session" && <SessionPage key={route.id} id={route.id} onMenu={openMenu} onWaiting={touchList} />}
      {route.page === "start" && <StartPage workflowId={route.workflowId} from={route.from} onMenu={openMenu} live={live} />}
      {route.page === "lost" && (
        <main className="start">
          <div className="empty"><h1>There is nothing here</h1><p><a className="button" href={href.start()}>Start a run</a></p></div>
        </main>
      )}
    </div>
  );
}

function KeyPage({ refusal, onKey }: { refusal?: string; onKey: (key: string) => void }) {
  const [key, setKey] = useState("");
  return (
    <main className="key-page">
      <form onSubmit={(e) => { e.preventDefault(); if (key.trim()) onKey(key.trim()); }}>
        <Mark size={40} />
        <h1>This server wants a key</h1>
        <p className="faint">It shows its sessions to those who have an API key. Whoever runs it can make one with <code>sluice key create</code>. It is kept for this tab only.</p>
        <div className="field">
          <label htmlFor="key">API key</label>
          <input id="key" type="password" autoComplete="off" autoFocus value={key} onChange={(e) => setKey(e.target.value)} />
          {refusal && <p className="field-error" role="alert">{refusal}</p>}
        </div>
        <button type="submit" className="primary large">Continue</button>
      </form>
    </main>
  );
}

class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  render() {
    if (!this.state.error) return this.props.children;
    return (
      <main className="start">
        <div className="empty" role="alert">
          <h1><Icon name="warn" /> The page has failed</h1>
          <p>The run on the server is not touched by this. Loading the page again shows it as it is.</p>
          <pre>{this.state.error.message}</pre>
          <button type="button" className="primary" onClick={() => location.reload()}>Load again</button>
        </div>
      </main>
    );
  }
}
