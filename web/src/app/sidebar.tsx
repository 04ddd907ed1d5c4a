// The menu: the views, the newest sessions with their states as they change, the connection, and who looks on.

import { useEffect, useRef, useSyncExternalStore } from "react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { client } from "@/client/http";
import { ago, errorText, sessionTitle } from "@/ui/format";
import { Icon, Mark } from "@/ui/icons";
import { StatusDot, statusWord } from "@/ui/status";
import { setTheme, useTheme, type Theme } from "@/ui/theme";
import { common } from "@/words/common";
import { dict, LANGS, setLang, useLang, useWords } from "@/words/words";
import { ConnectionLine } from "./connection";
import { useApp, useMay } from "./context";
import { go, href } from "./route";
import { openShortcutHelp, useShortcuts } from "./shortcuts";
import { navWords, views, type View } from "./views";

const words = dict({
  en: {
    recent: "Recent sessions", newRun: "New run", waits: "Waits for you", none: "No sessions yet. The first one you start stands here.",
    viewer: "may look", operator: "may run and answer", editor: "may change everything here", admin: "may do everything",
    signOut: "Sign out", theme: "Colours", system: "As the system", light: "Light", dark: "Dark", language: "Language", keys: "Keys",
    settings: "Settings", nav: "Main menu", goTo: (where: string) => `Go to ${where}`, allSessions: "All sessions",
  },
  zh: {
    recent: "最近的会话", newRun: "新的运行", waits: "等你处理", none: "还没有会话。你启动的第一个会显示在这里。",
    viewer: "可以查看", operator: "可以运行和答复", editor: "可以更改一切", admin: "可以执行一切操作",
    signOut: "退出", theme: "颜色", system: "跟随系统", light: "浅色", dark: "深色", language: "语言", keys: "快捷键",
    settings: "设置", nav: "主菜单", goTo: (where: string) => `前往 ${where}`, allSessions: "全部会话",
  },
});

const GROUPS = ["run", "build", "operate"] as const;
const RECENT = 12;
// Which menu entry a view without its own belongs to.
const BELONGS: Record<string, string> = { session: "sessions", replay: "sessions", compare: "sessions", editor: "workflows", versions: "workflows" };

interface Props {
  open: boolean;
  view?: string;
  params: Record<string, string>;
  onClose: () => void;
  onSignOut: () => void;
}

export function Sidebar({ open, view, params, onClose, onSignOut }: Props) {
  const w = useWords(words);
  const n = useWords(navWords);
  const may = useMay();
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!open) return;
    const onKey = (e: KeyboardEvent) => { if (e.key === "Escape") onClose(); };
    window.addEventListener("keydown", onKey);
    box.current?.querySelector<HTMLElement>("a,button")?.focus();
    return () => window.removeEventListener("keydown", onKey);
  }, [open, onClose]);
  const shown = views.filter((v) => v.nav && (v.nav.role !== "admin" || may("admin")));
  const waiting = useWaitingCount();
  useShortcuts(shown.map((v) => ({ keys: `g ${GO[v.name] ?? v.name[0]}`, what: w.goTo(n[v.nav!.word]), run: () => go(`#/${v.pattern}`) })));
  const isCurrent = (v: View) => v.name === view || BELONGS[view ?? ""] === v.name;
  return (
    <>
      {open && <div className="scrim" onClick={onClose} />}
      <nav className="sidebar" data-open={open || undefined} aria-label={w.nav} ref={box}>
        <div className="brand">
          <a href={href.start()} className="brand-link" onClick={onClose}><Mark /><span>Sluice</span></a>
          <a className="button primary small" href={href.start()} onClick={onClose}><Icon name="plus" size={14} />{w.newRun}</a>
        </div>
        <div className="sidebar-scroll">
          {GROUPS.map((group) => (
            <div key={group} className="nav-group">
              <h2>{n[group]}</h2>
              <ul>
                {shown.filter((v) => v.nav!.group === group).map((v) => (
                  <li key={v.name}>
                    <a href={`#/${v.pattern}`} aria-current={isCurrent(v) ? "page" : undefined} onClick={onClose} data-testid={`nav-${v.name}`}>
                      <Icon name={v.nav!.icon} size={15} />{n[v.nav!.word]}
                      {v.name === "reviews" && waiting > 0 && <span className="badge" data-testid="waiting-count">{waiting > 99 ? "99+" : waiting}</span>}
                    </a>
                  </li>
                ))}
              </ul>
            </div>
          ))}
          <Recent currentId={params.id} onClose={onClose} />
        </div>
        <Foot onSignOut={onSignOut} />
      </nav>
    </>
  );
}

// The second key of "g …", where the first letter is another's.
const GO: Record<string, string> = { start: "n", sessions: "s", reviews: "r", workflows: "w", templates: "t", memory: "m", models: "p", schedules: "c", webhooks: "h", audit: "l" };

/** How many questions wait, of all sessions. Asked again when a session moves. */
export function useWaitingCount(): number {
  const { list } = useApp();
  const moved = useSyncExternalStore(list.subscribe, () => list.get().moves);
  const { data } = useQuery({
    queryKey: ["reviews", "waiting", moved], placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => (await client.listReviews({ status: "pending", limit: 100 }, { signal })).items.length,
  });
  return data ?? 0;
}

function Recent({ currentId, onClose }: { currentId?: string; onClose: () => void }) {
  const w = useWords(words);
  const c = useWords(common);
  const { list } = useApp();
  const state = useSyncExternalStore(list.subscribe, list.get);
  return (
    <div className="nav-group recent">
      <h2>{w.recent}</h2>
      {state.error && (
        <div className="list-note" role="status">
          <p>{errorText(state.error)}</p>
          <button type="button" className="small" onClick={() => list.retryNow()}>{c.again}</button>
        </div>
      )}
      <ul className="session-list" data-testid="session-list">
        {state.items.slice(0, RECENT).map((s) => {
          const waits = (s.waiting_on?.length ?? 0) > 0 && (s.status === "running" || s.status === "paused");
          const status = waits && s.status === "running" ? "suspended" : s.status;
          return (
            <li key={s.id}>
              <a href={href.session(s.id)} aria-current={s.id === currentId ? "page" : undefined} onClick={onClose}>
                <StatusDot status={status} />
                <span className="session-name">{sessionTitle(s)}</span>
                <span className="session-meta">
                  <span data-status={status}>{waits ? w.waits : statusWord(s.status)}</span>
                  <span>{ago(s.created_at)}</span>
                </span>
              </a>
            </li>
          );
        })}
      </ul>
      {!state.loading && !state.error && state.items.length === 0 && <p className="list-note">{w.none}</p>}
    </div>
  );
}

function Foot({ onSignOut }: { onSignOut: () => void }) {
  const w = useWords(words);
  const { who } = useApp();
  const lang = useLang();
  const theme = useTheme();
  const roles: Record<string, string> = { viewer: w.viewer, operator: w.operator, editor: w.editor, admin: w.admin };
  return (
    <div className="sidebar-foot">
      <ConnectionLine />
      <details className="settings">
        <summary data-testid="settings"><Icon name="settings" size={15} />{w.settings}</summary>
        <div className="settings-body">
          <label>{w.language}
            <select value={lang} onChange={(e) => setLang(e.target.value as "en" | "zh")} data-testid="language">
              {LANGS.map((l) => <option key={l.lang} value={l.lang} lang={l.lang}>{l.name}</option>)}
            </select>
          </label>
          <label>{w.theme}
            <select value={theme} onChange={(e) => setTheme(e.target.value as Theme)} data-testid="theme">
              <option value="system">{w.system}</option><option value="light">{w.light}</option><option value="dark">{w.dark}</option>
            </select>
          </label>
          <button type="button" className="small" onClick={openShortcutHelp}>{w.keys} <kbd>?</kbd></button>
        </div>
      </details>
      {who && who.kind !== "anonymous" && (
        <div className="signed-in" data-testid="who">
          <p><strong>{who.name}</strong> {roles[who.role] ?? who.role}</p>
          <button type="button" className="small" data-testid="sign-out" onClick={onSignOut}>{w.signOut}</button>
        </div>
      )}
    </div>
  );
}
