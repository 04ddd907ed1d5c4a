// One session: its state and controls, the graph, the conversation and what else is known, and what waits for a person.

import { useEffect, useState } from "react";
import { useSession, useSessionList, useStore, StoreContext } from "@/session/hooks";
import { TERMINAL } from "@/session/model";
import { SessionStore } from "@/session/store";
import { useApp } from "@/app/context";
import { href } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { errorText, nodeName } from "@/ui/format";
import { MenuButton, useTitle } from "@/ui/kit/page";
import { statusWord } from "@/ui/status";
import { useWords } from "@/words/words";
import { ProblemBanner, StateBanner } from "./banners";
import { Header } from "./header";
import { SessionPanes } from "./panes";
import { sessionWords } from "./words";

export default function SessionPage({ params, query }: ViewProps) {
  const id = params.id ?? "";
  const [store, setStore] = useState<SessionStore>();
  useEffect(() => {
    const opened = new SessionStore(id);
    opened.start();
    setStore(opened);
    return () => opened.close();
  }, [id]);
  if (!store || store.sessionId !== id) return <main className="session" tabIndex={-1} />;
  return (
    <StoreContext.Provider value={store}>
      <Live query={query} />
    </StoreContext.Provider>
  );
}

/** For screen readers: what changed, in a sentence; never the tokens. */
function Announcer() {
  const w = useWords(sessionWords);
  const status = useSession((s) => s.view.status);
  const workflow = useSession((s) => s.workflow);
  const open = useSessionList((s) => s.view.open.map((id) => s.view.interrupts[id]?.nodeId ?? ""));
  const text = open.length ? w.waits(open.map((n) => nodeName(n, workflow?.nodes?.[n])).join(", ")) : w.stateNow(statusWord(status));
  return <p className="sr" role="status">{text}</p>;
}

function Fatal() {
  const w = useWords(sessionWords);
  const fatal = useSession((s) => s.fatal);
  const id = useStore().sessionId;
  const isMissing = fatal?.status === 404;
  const title = isMissing ? w.missing : w.unshown;
  useTitle(title);
  return (
    <main className="page" tabIndex={-1}>
      <div className="empty">
        <MenuButton />
        <h1>{title}</h1>
        <p>{isMissing ? w.missingAbout : errorText(fatal)}</p>
        <p className="faint mono">{id}</p>
        <p><a className="button" href={href.start()}>{w.startRun}</a></p>
      </div>
    </main>
  );
}

function Live({ query }: { query: URLSearchParams }) {
  const { list } = useApp();
  const fatal = useSession((s) => s.fatal);
  const ended = useSession((s) => TERMINAL.has(s.view.status));
  const isPaused = useSession((s) => s.view.status === "paused");
  const away = useSession((s) => s.link.state === "waiting");
  const still = useSession((s) => s.view.status !== "running") || away;
  const replaying = useSession((s) => s.view.lastSeq < s.target);
  const waiting = useSession((s) => s.view.open.length);
  // The session waits for a person, or no longer does: the menu's count is another now.
  useEffect(() => list.touch(), [waiting, list]);
  if (fatal) return <Fatal />;
  return (
    <main className="session" tabIndex={-1} data-still={still || undefined} data-ended={ended || undefined} data-paused={isPaused || undefined}
      data-testid="session" data-replaying={replaying || undefined}>
      <Header />
      <StateBanner />
      <ProblemBanner />
      <Announcer />
      <SessionPanes query={query} />
    </main>
  );
}
