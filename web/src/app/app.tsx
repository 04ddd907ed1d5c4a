import { Component, Suspense, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { api, apiKey, ApiError, client, onLocked } from "@/client/http";
import { SessionList } from "@/session/list";
import { Icon, Mark } from "@/ui/icons";
import { Toasts } from "@/ui/kit/toast";
import { Waiting } from "@/ui/kit/loaded";
import { Page } from "@/ui/kit/page";
import { dict, useWords } from "@/words/words";
import { useAwake } from "./awake";
import { setBehind } from "./behind";
import { ConnectionBanner } from "./connection";
import { AppContext, type AppState, type Who } from "./context";
import { href, matchRoute, useHash } from "./route";
import { ShortcutHelp } from "./shortcuts";
import { Sidebar } from "./sidebar";
import { views } from "./views";

const words = dict({
  en: {
    lost: "There is nothing here", toStart: "Start a run", wantsKey: "This server wants a key", keyLabel: "API key", go: "Continue",
    keyAbout: "It shows its sessions to those who have an API key. Whoever runs it can make one with", keyKept: "It is kept for this tab only.",
    failed: "The page has failed", failedAbout: "The run on the server is not touched by this. Loading the page again shows it as it is.", reload: "Load again",
    toContent: "To the content",
  },
  zh: {
    lost: "这里什么都没有", toStart: "开始运行", wantsKey: "此服务器需要密钥", keyLabel: "API 密钥", go: "继续",
    keyAbout: "只有持有 API 密钥的人才能查看会话。服务器的管理者可以用下面的命令创建一个：", keyKept: "密钥只保存在此标签页中。",
    failed: "页面出错了", failedAbout: "服务器上的运行不受影响。重新加载页面即可看到它的现状。", reload: "重新加载",
    toContent: "跳到内容",
  },
});

// A person looks on: what failed is said at once and tried again when they ask, or when the server is back.
const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, staleTime: 5_000, networkMode: "always" }, mutations: { networkMode: "always" } },
});

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
    queries.clear();
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
  return (
    <Boundary>
      <QueryClientProvider client={queries}>
        <Shell who={who} onSignOut={() => lock()} />
      </QueryClientProvider>
    </Boundary>
  );
}

function currentView(hash: string) {
  for (const view of views) {
    const match = matchRoute(view.pattern, hash);
    if (match) return { view, match };
  }
  return undefined;
}

function Shell({ who, onSignOut }: { who?: Who; onSignOut: () => void }) {
  const w = useWords(words);
  const hash = useHash();
  const current = useMemo(() => currentView(hash), [hash]);
  const [list, setList] = useState<SessionList>();
  const [menu, setMenu] = useState(false);
  const closeMenu = useCallback(() => setMenu(false), []);
  const openMenu = useCallback(() => setMenu(true), []);
  useAwake(useCallback(() => client.retryNow(), []));
  useEffect(() => {
    const opened = new SessionList();
    opened.start();
    setList(opened);
    return () => opened.close();
  }, []);
  // Back after an absence: what was read before may be old.
  useEffect(() => {
    let was = list?.get().link.state;
    const leave = list?.subscribe(() => {
      const is = list.get().link.state;
      if (is === "live" && was !== "live") {
        setBehind("queries", true);
        void queries.invalidateQueries().finally(() => setBehind("queries", false));
      }
      was = is;
    });
    return () => void leave?.();
  }, [list]);
  const app = useMemo<AppState | undefined>(() => list && { who, list, openMenu }, [who, list, openMenu]);
  if (!app) return null;
  const key = current && `${current.view.name}/${Object.values(current.match.params).join("/")}`;
  return (
    <AppContext.Provider value={app}>
      <div className="shell">
        <a className="skip-link" href="#content" onClick={(e) => { e.preventDefault(); document.querySelector<HTMLElement>("main")?.focus(); }}>{w.toContent}</a>
        <Sidebar open={menu} view={current?.view.name} params={current?.match.params ?? {}} onClose={closeMenu} onSignOut={onSignOut} />
        <div id="content" className="shell-content">
          <ConnectionBanner />
          <Boundary key={key}>
            <Suspense fallback={<main className="page"><Waiting /></main>}>
              {current ? <current.view.view {...current.match} /> : (
                <Page title={w.lost}><p><a className="button" href={href.start()}>{w.toStart}</a></p></Page>
              )}
            </Suspense>
          </Boundary>
        </div>
      </div>
      <ShortcutHelp />
      <Toasts />
    </AppContext.Provider>
  );
}

function KeyPage({ refusal, onKey }: { refusal?: string; onKey: (key: string) => void }) {
  const w = useWords(words);
  const [key, setKey] = useState("");
  return (
    <main className="key-page">
      <form onSubmit={(e) => { e.preventDefault(); if (key.trim()) onKey(key.trim()); }}>
        <Mark size={40} />
        <h1>{w.wantsKey}</h1>
        <p className="faint">{w.keyAbout} <code>sluice key create</code>. {w.keyKept}</p>
        <div className="field">
          <label htmlFor="key">{w.keyLabel}</label>
          <input id="key" type="password" autoComplete="off" autoFocus value={key} onChange={(e) => setKey(e.target.value)} />
          {refusal && <p className="field-error" role="alert">{refusal}</p>}
        </div>
        <button type="submit" className="primary large">{w.go}</button>
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
    return this.state.error ? <Failed error={this.state.error} /> : this.props.children;
  }
}

function Failed({ error }: { error: Error }) {
  const w = useWords(words);
  return (
    <main className="page">
      <div className="empty" role="alert">
        <h1><Icon name="warn" /> {w.failed}</h1>
        <p>{w.failedAbout}</p>
        <pre>{error.message}</pre>
        <button type="button" className="primary" onClick={() => location.reload()}>{w.reload}</button>
      </div>
    </main>
  );
}
