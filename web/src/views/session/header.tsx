// The head of a session: what it is, how it stands, what it has used, what can be done about it.

import { useEffect, useState } from "react";
import { useWatchers } from "@/app/watchers";
import { useSession, useStore } from "@/session/hooks";
import type { Command } from "@/session/store";
import { clock, count, duration, money, sessionTitle, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { MenuButton, useTitle } from "@/ui/kit/page";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { BudgetMeters } from "./budget-meter";
import { Controls } from "./controls";
import { sessionWords } from "./words";

const PENDING_STATE: Record<Command, string> = { pause: "pausing", resume: "resuming", cancel: "cancelling", stop: "cancelling" };

function Elapsed() {
  const w = useWords(sessionWords);
  const activeMs = useSession((s) => s.view.activeMs);
  const since = useSession((s) => s.view.runningSince);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!since) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [since]);
  const ms = activeMs + (since ? Math.max(0, now - Date.parse(since)) : 0);
  return <span title={w.timeRunning} data-testid="elapsed">{duration(ms)}</span>;
}

function Facts() {
  const w = useWords(sessionWords);
  const usage = useSession((s) => s.view.usage);
  const tokens = usage.input_tokens + usage.output_tokens;
  return (
    <div className="facts">
      <Elapsed />
      {tokens > 0 && <span title={w.inOut(usage.input_tokens, usage.output_tokens)} data-testid="usage">{w.tokens(tokens)}</span>}
      {typeof usage.cost_usd === "number" && usage.cost_usd > 0 && <span className="cost" title={w.cost} data-testid="cost">{money(usage.cost_usd)}</span>}
      <BudgetMeters />
    </div>
  );
}

export function Header() {
  const w = useWords(sessionWords);
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
  useTitle(`${waits ? "● " : ""}${title}`);
  return (
    <header className="session-head">
      <MenuButton />
      <div className="session-title">
        <h1 title={title}>{title}</h1>
        <p className="faint">{[workflowName !== title && workflowName, startedAt && w.started(clock(startedAt))].filter(Boolean).join(" · ")}</p>
      </div>
      {known && <StatusPill status={pending ? PENDING_STATE[pending] : waitsOnly ? "suspended" : status} testId="status" />}
      <Watchers />
      <Facts />
      <Controls />
    </header>
  );
}

/** Who else looks on: a count, their names behind it. */
function Watchers() {
  const w = useWords(sessionWords);
  const sessionId = useStore().sessionId;
  const { count: places, names } = useWatchers(sessionId);
  if (places < 2) return null;
  return (
    <span className="watchers" title={[w.watchers, names.join(", ")].filter(Boolean).join(": ")} data-testid="watchers">
      <Icon name="eye" size={14} /><span className="sr">{w.watching(places)}</span><span aria-hidden="true">{count(places)}</span>
    </span>
  );
}
