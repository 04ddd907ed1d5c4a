// The panes of a session: the graph with the inspector at the left, the tabs at the right, at the foot what waits for a
// person. On a phone there is one pane, and the graph is a tab like the others. What is chosen stands in the address
// (?tab=, ?node=, ?run=). It reads a session's store only, so a replay shows the same panes of an earlier moment.

import { useCallback, useEffect, useMemo, useRef, useState, type RefObject } from "react";
import { setQuery } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import { useSession, useSessionList } from "@/session/hooks";
import { WorkflowGraph } from "@/graph/graph";
import { Tabs, type Tab } from "@/ui/kit/tabs";
import { Waiting } from "@/ui/kit/loaded";
import { useIsPhone } from "@/ui/media";
import { useWords } from "@/words/words";
import { Conversation } from "./conversation";
import { Details } from "./details";
import { Dock } from "./dock";
import { Files } from "./files";
import { Inspector } from "./inspector";
import { Knowledge } from "./knowledge";
import { Scores } from "./scores";
import { selectNode } from "./select";
import { Stages } from "./stages";
import { Timeline } from "./timeline-view";
import { sessionWords } from "./words";
import "@/style/session.css";
import "./live.css";
import "./tabs.css";

const PLAIN_KEY = "sluice.plain";
const SPLIT_KEY = "sluice.split";
const SPLIT = 36;
const SPLIT_MIN = 18;
const SPLIT_MAX = 70;

type TabName = keyof (typeof sessionWords)["en"]["tabs"];

function useTabs(isPhone: boolean): TabName[] {
  const hasStages = useSession((s) => Object.values(s.workflow?.nodes ?? {}).some((n) => n.type === "stage"));
  const hasScores = useSession((s) => Object.values(s.view.nodes).some((n) => (n.loop?.history.length ?? 0) > 0));
  return useMemo(() => {
    const all: (TabName | false)[] = [
      isPhone && "graph", "conversation", "timeline", hasStages && "stages", hasScores && "scores", "files", "knowledge", "details",
    ];
    return all.filter((t): t is TabName => Boolean(t));
  }, [isPhone, hasStages, hasScores]);
}

export function SessionPanes({ query }: { query: URLSearchParams }) {
  const w = useWords(sessionWords);
  const isPhone = useIsPhone();
  const names = useTabs(isPhone);
  const asked = query.get("tab") as TabName | null;
  const tab = asked && names.includes(asked) ? asked : "conversation";
  const node = query.get("node") ?? undefined;
  const run = query.get("run") ?? undefined;
  const panes = useRef<HTMLDivElement>(null);
  const choose = useCallback((next: string) => setQuery({ tab: next === "conversation" ? undefined : next }), []);
  const step = (by: number) => choose(names[(names.indexOf(tab) + by + names.length) % names.length] ?? "conversation");
  useShortcuts([
    { keys: "]", what: w.keyTabs, run: () => step(1) },
    { keys: "[", what: w.keyTabs, run: () => step(-1) },
  ]);
  const close = useCallback(() => selectNode(undefined), []);
  const tabs = names.map((name): Tab => ({ id: name, label: w.tabs[name], testId: `tab-${name}` }));
  const inspector = node && <Inspector nodeId={node} runId={run} onClose={close} />;
  const right = (
    <section className="pane-right" aria-label={w.rightPane}>
      <Tabs label={w.viewTabs} tabs={tabs} chosen={tab} onChoose={choose} className="session-tabs">
        {tab === "graph" ? <GraphPane node={node} /> : <TabBody tab={tab} query={query} />}
      </Tabs>
      <Dock />
    </section>
  );
  if (isPhone) return <div className="panes" data-tab={tab}>{right}{inspector}</div>;
  return (
    <div className="panes" data-tab={tab} ref={panes}>
      <section className="pane-left" aria-label={w.graphPane}>
        <GraphPane node={node} />
        {inspector}
      </section>
      <Splitter panes={panes} />
      {right}
    </div>
  );
}

function GraphPane({ node }: { node?: string }) {
  const w = useWords(sessionWords);
  const workflow = useSession((s) => s.workflow);
  const workflowProblem = useSession((s) => s.workflowProblem);
  // Without the workflow, what has run is all that is known of it.
  const seenNodes = useSessionList((s) => (s.workflow ? [] : Object.keys(s.view.nodes)));
  const select = useCallback((id: string | undefined) => selectNode(id), []);
  return (
    <div className="pane-graph">
      {workflow || seenNodes.length > 0
        ? <WorkflowGraph workflow={workflow} nodeIds={seenNodes} selected={node} onSelect={select} />
        : <div className="graph" />}
      {workflowProblem && <p className="graph-note">{w.graphFailed(workflowProblem)}</p>}
    </div>
  );
}

function TabBody({ tab, query }: { tab: TabName; query: URLSearchParams }) {
  switch (tab) {
    case "timeline": return <Timeline />;
    case "files": return <Files query={query} />;
    case "knowledge": return <Knowledge />;
    case "scores": return <Scores />;
    case "stages": return <Stages />;
    case "details": return <Details />;
    default: return <Talk />;
  }
}

function Talk() {
  const w = useWords(sessionWords);
  const loading = useSession((s) => s.view.lastSeq === 0 && s.link.state !== "waiting");
  const [plain, setPlain] = useState(() => localStorage.getItem(PLAIN_KEY) === "1");
  const show = (asPlain: boolean) => {
    setPlain(asPlain);
    if (asPlain) localStorage.setItem(PLAIN_KEY, "1");
    else localStorage.removeItem(PLAIN_KEY);
  };
  return (
    <>
      <div className="tabs text-as" role="group" aria-label={w.textAs}>
        <button type="button" aria-pressed={!plain} onClick={() => show(false)}>{w.formatted}</button>
        <button type="button" aria-pressed={plain} onClick={() => show(true)} data-testid="plain">{w.plain}</button>
      </div>
      {loading ? <Waiting text={w.opening} /> : <Conversation plain={plain} />}
    </>
  );
}

/** How much of the width the graph takes, in percent: by pointer, or by the arrow keys. */
function Splitter({ panes }: { panes: RefObject<HTMLDivElement | null> }) {
  const w = useWords(sessionWords);
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
    <div className="splitter" role="separator" tabIndex={0} aria-orientation="vertical" aria-label={w.widthOfGraph}
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
