// Never a stale screen without saying so: how the page is connected, and since when it is not.

import { useEffect, useState, useSyncExternalStore } from "react";
import { client } from "@/client/http";
import { clock } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { dict, useWords } from "@/words/words";
import { isBehind, onBehind } from "./behind";
import { useLink } from "./context";

const words = dict({
  en: {
    live: "Live", connecting: "Connecting…", catching: "Catching up…", offline: (since: string) => `Offline since ${since}`,
    leaving: "The server restarts", refused: "Refused", tryNow: "Try now", trying: "Trying…", again: "Load again",
    asOf: `What you see is how it was then; the page catches up by itself.`,
    leavingAsOf: (since: string) => `It said that it would be back. What you see is of ${since}; the page catches up by itself.`,
    unreachable: "The server cannot be reached.", unreachableAbout: "Nothing could be read since this page was opened. It goes on trying.",
    refusedAbout: "The server does not let this page watch:",
  },
  zh: {
    live: "实时", connecting: "正在连接…", catching: "正在追上…", offline: (since: string) => `自 ${since} 起离线`,
    leaving: "服务器正在重启", refused: "被拒绝", tryNow: "立即重试", trying: "正在重试…", again: "重新加载",
    asOf: `你看到的是那一刻的内容，页面会自动追上。`,
    leavingAsOf: (since: string) => `它说会回来。你看到的是 ${since} 的内容，页面会自动追上。`,
    unreachable: "无法连接服务器。", unreachableAbout: "自打开此页面以来没有读到任何内容，页面会继续尝试。",
    refusedAbout: "服务器不允许此页面观看：",
  },
});

export type Connection =
  | { state: "connecting" | "catching" | "live" }
  | { state: "offline"; since?: number; leaving: boolean; trying: boolean; ever: boolean }
  | { state: "refused"; why: string };

export function useConnection(): Connection {
  const link = useLink();
  const behind = useSyncExternalStore(onBehind, isBehind);
  const [ever, setEver] = useState(link.state === "live");
  useEffect(() => { if (link.state === "live") setEver(true); }, [link.state]);
  switch (link.state) {
    case "live": return { state: behind ? "catching" : "live" };
    case "refused": return { state: "refused", why: link.why };
    case "waiting": return { state: "offline", since: link.since, leaving: link.leaving ?? false, trying: false, ever };
    case "connecting":
      if (link.attempt > 0) return { state: "offline", since: link.since, leaving: link.leaving ?? false, trying: true, ever };
  }
  return { state: "connecting" };
}

function useConnectionText(c: Connection): string {
  const w = useWords(words);
  if (c.state === "offline") return c.leaving ? w.leaving : w.offline(clock(c.since));
  return { live: w.live, connecting: w.connecting, catching: w.catching, refused: w.refused }[c.state];
}

/** In the menu: one line, always there. */
export function ConnectionLine() {
  const w = useWords(words);
  const connection = useConnection();
  const text = useConnectionText(connection);
  return (
    <div className="connection" data-state={connection.state} data-testid="connection" role="status">
      <span className="connection-dot" aria-hidden="true" />
      <span>{text}</span>
      {connection.state === "offline" && <button type="button" className="quiet small" onClick={() => client.retryNow()}>{w.tryNow}</button>}
    </div>
  );
}

/** On the menu button of small screens, where the menu is out of sight: nothing while all is well. The banner says it in words. */
export function ConnectionMark() {
  const connection = useConnection();
  const text = useConnectionText(connection);
  if (connection.state === "live" || connection.state === "connecting") return null;
  return <span className="connection-mark" data-state={connection.state} data-testid="connection-mark" title={text} aria-hidden="true" />;
}

const PATIENCE_MS = 600; // a connection that is back at once is no news

/** Over every view: what stands below is not of now. */
export function ConnectionBanner() {
  const connection = useConnection();
  const away = connection.state === "offline" || connection.state === "refused";
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!away) {
      setLate(false);
      return;
    }
    const timer = setTimeout(() => setLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [away]);
  return (
    <div role="status" className="connection-banner">
      {late && connection.state === "offline" && <Offline {...connection} />}
      {late && connection.state === "refused" && <Refused why={connection.why} />}
    </div>
  );
}

function Offline({ since, leaving, trying, ever }: { since?: number; leaving: boolean; trying: boolean; ever: boolean }) {
  const w = useWords(words);
  const at = clock(since);
  const [title, about] = !ever ? [w.unreachable, w.unreachableAbout] : leaving ? [`${w.leaving}.`, w.leavingAsOf(at)] : [`${w.offline(at)}.`, w.asOf];
  return (
    <div className="banner" data-tone="warn" data-testid="reconnecting">
      <Icon name="warn" />
      <p><strong>{title}</strong> {about}</p>
      <button type="button" disabled={trying} onClick={() => client.retryNow()}>{trying ? w.trying : w.tryNow}</button>
    </div>
  );
}

function Refused({ why }: { why: string }) {
  const w = useWords(words);
  return (
    <div className="banner" data-tone="bad" data-testid="refused">
      <Icon name="warn" />
      <p><strong>{w.refusedAbout}</strong> {why}</p>
      <button type="button" onClick={() => location.reload()}>{w.again}</button>
    </div>
  );
}
