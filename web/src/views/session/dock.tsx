// What waits for a person, at the foot of the conversation. Several at once are tabs; what somebody else has answered
// meanwhile is said, for a form that vanishes under one's hands would be a riddle.

import { useEffect, useMemo, useRef, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { WorkflowNode } from "@sluice/client";
import { useSession, useSessionList } from "@/session/hooks";
import { TERMINAL, type InterruptView, type RunView } from "@/session/model";
import { clock, nodeName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Tabs } from "@/ui/kit/tabs";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { Answer } from "../reviews/answer";
import { askedFromView, kindIcon, merged, type Asked } from "../reviews/asked";
import { Countdown, outcomeLine } from "../reviews/parts";
import { wasAnsweredHere } from "../reviews/use-answer";
import { useReview } from "../reviews/use-review";
import { words } from "../reviews/words";

/** A signal has no question of its own: its node just waits. */
function askedOfSignal(sessionId: string, run: RunView, node: WorkflowNode | undefined): Asked {
  const name = node?.properties?.name;
  return {
    id: `signal-${run.id}`, sessionId, nodeId: run.nodeId, kind: "signal", status: "pending", reason: "", actions: [], reviewers: [], quorum: 1,
    rejectQuorum: 1, votes: [], items: [], deliverables: [], allowSkip: false, at: run.startedAt,
    signal: typeof name === "string" && !name.includes("{{") ? name : name === undefined ? run.nodeId : undefined,
  };
}

const kindOf = (asked: Asked, node: WorkflowNode | undefined): Asked => (node?.type === "user_input" ? { ...asked, kind: "user_input" } : asked);

/** What the events leave out - several reviewers, a stage's items - is in the object. */
function useWhole(view: InterruptView | undefined): Asked | undefined {
  const sessionId = useSession((s) => s.view.sessionId);
  const queries = useQueryClient();
  const id = view?.id ?? "";
  const { data } = useReview(view?.id);
  const moves = view?.moves ?? 0;
  useEffect(() => {
    if (!moves) return;
    void queries.invalidateQueries({ queryKey: ["reviews", id] });
    void queries.invalidateQueries({ queryKey: ["stages", id] });
  }, [queries, id, moves]);
  return useMemo(() => view && merged(askedFromView(sessionId, view), data), [view, sessionId, data]);
}

/** What was closed by others, or by the clock, while it was on this screen. */
function useClosed(open: InterruptView[]): { closed?: InterruptView; forget: () => void } {
  const caughtUp = useSession((s) => s.view.lastSeq >= s.target && s.mode === "live");
  const interrupts = useSession((s) => s.view.interrupts);
  const ended = useSession((s) => TERMINAL.has(s.view.status));
  const seen = useRef<Set<string>>(new Set());
  const [closed, setClosed] = useState<string>();
  useEffect(() => {
    const now = new Set(caughtUp ? open.map((i) => i.id) : []);
    for (const id of seen.current) {
      const state = interrupts[id]?.state;
      if (!now.has(id) && (state === "answered" || state === "expired") && !wasAnsweredHere(id)) setClosed(id);
    }
    if (caughtUp) seen.current = now;
  }, [open, caughtUp, interrupts]);
  const view = closed && !ended ? interrupts[closed] : undefined;
  return { closed: view, forget: () => setClosed(undefined) };
}

export function Dock() {
  const w = useWords(words);
  const c = useWords(common);
  const open = useSessionList((s) => s.view.open.map((id) => s.view.interrupts[id]).filter((i): i is InterruptView => Boolean(i)));
  const waiting = useSessionList((s) => Object.values(s.view.runs).filter((r) => r.status === "suspended" && s.workflow?.nodes?.[r.nodeId]?.type === "signal"));
  const workflow = useSession((s) => s.workflow);
  const sessionId = useSession((s) => s.view.sessionId);
  const paused = useSession((s) => s.view.status === "paused");
  const isOver = useSession((s) => TERMINAL.has(s.view.status));
  const replay = useSession((s) => s.mode === "replay");
  const [chosen, setChosen] = useState<string>();
  const { closed, forget } = useClosed(open);
  const view = open.find((i) => i.id === chosen) ?? (chosen?.startsWith("signal-") ? undefined : open[0]);
  const whole = useWhole(replay ? undefined : view);
  const signal = waiting.find((r) => `signal-${r.id}` === chosen) ?? waiting[0];
  const given = view ? whole ?? askedFromView(sessionId, view) : signal && !isOver ? askedOfSignal(sessionId, signal, workflow?.nodes?.[signal.nodeId]) : undefined;
  if (!given && !closed) return null;
  const node = given && workflow?.nodes?.[given.nodeId];
  const asked = given && kindOf(given, node);
  const nameOf = (nodeId: string) => nodeName(nodeId, workflow?.nodes?.[nodeId]);
  const tabs = [...open.map((i) => ({ id: i.id, label: nameOf(i.nodeId) })), ...waiting.map((r) => ({ id: `signal-${r.id}`, label: nameOf(r.nodeId) }))];
  const onTimeout = node?.properties?.on_timeout;
  const answer = asked && (
    <Answer key={asked.id} asked={asked} paused={paused} replay={replay} compact onTimeout={typeof onTimeout === "string" ? onTimeout : undefined} />
  );
  return (
    <section className="dock" aria-label={asked ? w.waitsFor(nameOf(asked.nodeId)) : undefined} data-testid="dock">
      {closed && (
        <p className="dock-closed" role="status" data-testid="dock-closed">
          <Icon name={closed.state === "expired" ? "wait" : "check"} size={14} />
          <span><strong>{nameOf(closed.nodeId)}</strong> {outcomeLine(askedFromView(sessionId, closed), w)} {closed.answeredAt && w.at(clock(closed.answeredAt))}</span>
          <button type="button" className="small" aria-label={w.closeNote} onClick={forget}>{c.close}</button>
        </p>
      )}
      {asked && (
        <header>
          <span className="dock-title"><Icon name={kindIcon(asked.kind)} />{nameOf(asked.nodeId)}</span>
          <Countdown until={asked.expiresAt} paused={paused} />
        </header>
      )}
      {asked && tabs.length > 1 ? <Tabs label={w.openOnes} tabs={tabs} chosen={asked.id} onChoose={setChosen}>{answer}</Tabs> : answer}
    </section>
  );
}
