// Two sessions beside each other: facts, nodes, outputs, messages, and what differs.

import { useState, useSyncExternalStore } from "react";
import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { Json } from "@sluice/client";
import { useApp } from "@/app/context";
import { go, href, setQuery } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { api, client } from "@/client/http";
import { TERMINAL } from "@/session/model";
import { count, duration, moment, money, outputText, sessionTitle, words as named } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Loaded } from "@/ui/kit/loaded";
import { Page } from "@/ui/kit/page";
import { Tabs } from "@/ui/kit/tabs";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { differences, lengthOf, timesDiffer, type Side } from "./logic";
import { NodeTable } from "./nodes";
import { PickSession } from "./pick";
import { Messages, ModeSwitch, Outputs, type TextMode } from "./texts";
import { compareWords } from "./words";
import "./compare.css";

async function readSide(id: string, signal: AbortSignal): Promise<Side> {
  const session = await api.session(id, signal);
  const [runs, messages, usage, workflow] = await Promise.all([
    api.nodeRuns(id), api.messages(id), client.getSessionUsage(id, { signal }),
    // A workflow that is gone leaves its nodes their ids.
    session.workflow_id ? api.workflow(session.workflow_id, session.workflow_version, signal).catch(() => undefined) : undefined,
  ]);
  return { session, runs, messages, usage: usage.nodes, workflow };
}

/** Read again when the list of sessions tells of a change, for as long as it can change. */
function useSide(id: string): UseQueryResult<Side> {
  const { list } = useApp();
  const [ended, setEnded] = useState(false);
  const moves = useSyncExternalStore(list.subscribe, () => (ended ? -1 : list.get().moves));
  const query = useQuery({ queryKey: ["sessions", id, "compare", moves], placeholderData: keepPreviousData, queryFn: ({ signal }) => readSide(id, signal) });
  const isOver = query.data !== undefined && query.data.session.id === id && TERMINAL.has(query.data.session.status);
  if (isOver !== ended) setEnded(isOver);
  return query;
}

function SideHead({ label, side, onPick }: { label: string; side: Side; onPick: () => void }) {
  const w = useWords(compareWords);
  const { session } = side;
  return (
    <div className="card compare-side" role="group" aria-label={label}>
      <p className="beside-label">{label}</p>
      <h2><a href={href.session(session.id)}>{sessionTitle(session, side.workflow)}</a></h2>
      <div className="row">
        <StatusPill status={session.status} />
        <a className="button small" href={href.replay(session.id)}><Icon name="replay" size={13} />{w.replay}</a>
        <button type="button" className="small" onClick={onPick} data-testid={`pick-${label === w.first ? "a" : "b"}`}>{w.pick}</button>
      </div>
    </div>
  );
}

type FactRow = [what: string, a: string, b: string, differs: boolean];

function useFacts(a: Side, b: Side): FactRow[] {
  const w = useWords(compareWords);
  const now = Date.now();
  const both = (read: (s: Side) => string, differs?: boolean): [string, string, boolean] => {
    const [x, y] = [read(a), read(b)];
    return [x, y, differs ?? x !== y];
  };
  const tokens = (s: Side) => (s.session.usage?.input_tokens ?? 0) + (s.session.usage?.output_tokens ?? 0);
  const [la, lb] = [lengthOf(a.session, now), lengthOf(b.session, now)];
  return [
    [w.workflow, ...both((s) => s.workflow?.name ?? (s.session.workflow_id ? named(s.session.workflow_id) : "–"))],
    [w.version, ...both((s) => (s.session.workflow_version ? String(s.session.workflow_version) : "–"))],
    [w.started, ...both((s) => moment(s.session.started_at) || "–", false)],
    [w.time, ...both((s) => { const ms = lengthOf(s.session, now); return ms === undefined ? "–" : `${duration(ms)}${s.session.ended_at ? "" : ` (${w.running})`}`; }, la !== undefined && lb !== undefined && timesDiffer(la, lb))],
    [w.tokens, ...both((s) => count(tokens(s)))],
    [w.cost, ...both((s) => (s.session.usage?.cost_usd ? money(s.session.usage.cost_usd) : "–"))],
    [w.steps, ...both((s) => count(s.runs.length))],
  ];
}

const valueText = (value: Json | undefined, absent: string): string => (value === undefined ? absent : typeof value === "string" ? value : outputText(value) ?? JSON.stringify(value));

function Differs({ on }: { on: boolean }) {
  const w = useWords(compareWords);
  return on ? <span className="chip" data-tone="warm">{w.differs}</span> : null;
}

function Facts({ a, b }: { a: Side; b: Side }) {
  const w = useWords(compareWords);
  const facts = useFacts(a, b);
  const input = differences(a.session.input, b.session.input);
  return (
    <div className="table-wrap" tabIndex={0} role="region" aria-label={w.facts}>
      <table className="data-table compare-facts" data-testid="compare-facts">
        <thead><tr><th scope="col">{w.fact}</th><th scope="col">{w.first}</th><th scope="col">{w.second}</th></tr></thead>
        <tbody>
          <tr><th scope="row">{w.state}</th><td><StatusPill status={a.session.status} /></td><td data-differs={a.session.status !== b.session.status || undefined}><StatusPill status={b.session.status} /><Differs on={a.session.status !== b.session.status} /></td></tr>
          {facts.map(([what, x, y, differs]) => <tr key={what}><th scope="row">{what}</th><td>{x}</td><td data-differs={differs || undefined}>{y}<Differs on={differs} /></td></tr>)}
          {input.length === 0 && <tr><th scope="row">{w.input}</th><td colSpan={2} className="faint">{w.inputSame}</td></tr>}
          {input.map((d) => (
            <tr key={d.path}><th scope="row">{w.input}: <span className="mono">{d.path || w.whole}</span></th><td>{valueText(d.a, w.absent)}</td><td data-differs>{valueText(d.b, w.absent)}<Differs on /></td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const TABS = ["nodes", "output", "messages"] as const;
type Tab = (typeof TABS)[number];

function Compared({ a, b, tab, onPick }: { a: Side; b: Side; tab: Tab; onPick: (which: "a" | "b") => void }) {
  const w = useWords(compareWords);
  const [mode, setMode] = useState<TextMode>("beside");
  return (
    <div className="compare">
      <div className="compare-heads">
        <SideHead label={w.first} side={a} onPick={() => onPick("a")} />
        <button type="button" className="square quiet" aria-label={w.swap} title={w.swap} onClick={() => go(href.compare(b.session.id, a.session.id))} data-testid="swap"><Icon name="transform" /></button>
        <SideHead label={w.second} side={b} onPick={() => onPick("b")} />
      </div>
      {a.session.id === b.session.id && <p className="banner" data-tone="warn" role="status"><Icon name="warn" /><span><strong>{w.same}</strong> {w.sameAbout}</span></p>}
      {a.session.workflow_id !== b.session.workflow_id && <p className="banner" data-tone="warn" role="status"><Icon name="warn" />{w.mean}</p>}
      <h2 className="compare-title">{w.facts}</h2>
      <Facts a={a} b={b} />
      <div className="compare-parts">
        <Tabs label={w.parts} tabs={TABS.map((id) => ({ id, label: w[id], testId: `compare-tab-${id}` }))} chosen={tab} onChoose={(id) => setQuery({ tab: id === "nodes" ? undefined : id })}>
          {tab !== "nodes" && <div className="row compare-bar"><ModeSwitch mode={mode} onMode={setMode} /></div>}
          {tab === "nodes" ? <NodeTable a={a} b={b} /> : tab === "output" ? <Outputs a={a} b={b} mode={mode} /> : <Messages a={a} b={b} mode={mode} />}
        </Tabs>
      </div>
    </div>
  );
}

export default function CompareView({ params, query }: ViewProps) {
  const w = useWords(compareWords);
  const { a = "", b = "" } = params;
  const [first, second] = [useSide(a), useSide(b)];
  const [picking, setPicking] = useState<"a" | "b">();
  const tab = TABS.find((t) => t === query.get("tab")) ?? "nodes";
  const pick = (id: string) => {
    setPicking(undefined);
    go(picking === "a" ? href.compare(id, b) : href.compare(a, id));
  };
  return (
    <Page title={w.title} about={w.about}>
      <Loaded query={first}>
        {(sideA) => <Loaded query={second}>{(sideB) => <Compared a={sideA} b={sideB} tab={tab} onPick={setPicking} />}</Loaded>}
      </Loaded>
      {picking && <PickSession title={w.pickTitle(picking === "a" ? w.first : w.second)} onPick={pick} onClose={() => setPicking(undefined)} />}
    </Page>
  );
}
