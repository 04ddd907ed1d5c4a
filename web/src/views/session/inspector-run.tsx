// One run of a node: when, how long, what it read and gave, what it used, which tools it called, what went wrong before it.

import { useEffect, useMemo, useState, type ReactNode } from "react";
import type { Json, WorkflowNode } from "@sluice/client";
import { href, setQuery } from "@/app/route";
import { useSession, useSessionList } from "@/session/hooks";
import type { InterruptView, RunView, ToolView } from "@/session/model";
import { clock, errorText, money, nodeName, outputText, pretty, shortDuration, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { exitWords } from "@/words/common";
import { useWords } from "@/words/words";
import { readsOf } from "./inputs";
import { inspectorWords } from "./inspector-words";

const LONG = 1200;

const isThere = (value: Json | undefined): boolean => value !== undefined && value !== null && value !== "";

/** A value as it is read: text as text, the rest as JSON; what is long is cut until somebody wants all of it. */
export function Value({ value }: { value: Json | undefined }) {
  const w = useWords(inspectorWords);
  const text = outputText(value) ?? pretty(value);
  if (text.length <= LONG) return <pre tabIndex={0}>{text}</pre>;
  return (
    <>
      <pre tabIndex={0}>{text.slice(0, LONG)}…</pre>
      <details><summary>{w.showAll}</summary><pre tabIndex={0}>{text}</pre></details>
    </>
  );
}

function Part({ title, children, open = false }: { title: ReactNode; children: ReactNode; open?: boolean }) {
  return <details open={open}><summary>{title}</summary>{children}</details>;
}

export function RunDetail({ run, node }: { run: RunView; node?: WorkflowNode }) {
  const w = useWords(inspectorWords);
  return (
    <>
      <Facts run={run} />
      {run.status === "skipped" && <p className="faint">{w.skipped}</p>}
      <Loop nodeId={run.nodeId} />
      {run.error && <p className="field-error" data-testid="run-error"><Icon name="warn" size={13} />{errorText(run.error)}{run.error.code && <code>{run.error.code}</code>}</p>}
      <Earlier run={run} />
      <div className="row inspector-links">
        {run.items.some((i) => i.kind === "message") && (
          <button type="button" className="small" onClick={() => setQuery({ tab: undefined, node: run.nodeId, run: run.id })} data-testid="to-messages"><Icon name="user_input" size={13} />{w.toMessage}</button>
        )}
        {run.childId && <a className="button small" href={href.session(run.childId)}><Icon name="subworkflow" size={13} />{w.child}</a>}
      </div>
      <Asked run={run} />
      {isThere(run.output) && <Part title={w.output} open><Value value={run.output} /></Part>}
      <Inputs run={run} node={node} />
      <Tools run={run} />
    </>
  );
}

function Facts({ run }: { run: RunView }) {
  const w = useWords(inspectorWords);
  const restarts = useSession((s) => run.items.reduce((n, i) => n + (i.kind === "message" ? s.view.messages[i.id]?.restarts.length ?? 0 : 0), 0));
  const waited = useSession((s) => run.items.reduce((ms, i) => ms + (i.kind === "interrupt" ? waitOf(s.view.interrupts[i.id]) : 0), 0));
  const facts: [string, ReactNode][] = [
    [w.started, clock(run.startedAt)], [w.took, run.startedAt && <Took from={run.startedAt} until={run.endedAt} />], [w.waited, waited > 0 ? shortDuration(waited) : ""],
    [w.attempt, run.attempt > 1 ? String(run.attempt) : ""],
    [w.tokens, run.usage ? w.inOut(run.usage.input_tokens, run.usage.output_tokens) : ""],
    [w.cost, run.usage?.cost_usd ? money(run.usage.cost_usd) : ""],
    [w.branch, typeof run.branch === "string" ? run.branch : ""],
  ];
  return (
    <>
      <dl className="run-facts-list">
        {facts.filter(([, v]) => v).map(([k, v]) => <div key={k}><dt>{k}</dt><dd>{v}</dd></div>)}
      </dl>
      {restarts > 0 && <p className="restarted"><Icon name="again" size={13} />{w.restarted(restarts)}</p>}
    </>
  );
}

/** How long a run took; one that goes on counts, unless the session stands still: then it is as of its newest event. */
function Took({ from, until }: { from: string; until?: string }) {
  const stillAt = useSession((s) => (s.mode === "live" && s.view.status === "running" ? undefined : s.view.at));
  const isMoving = !until && !stillAt;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isMoving) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isMoving]);
  const end = until ?? stillAt;
  return <>{shortDuration(Math.max(0, (end ? Date.parse(end) : now) - Date.parse(from)))}</>;
}

const waitOf = (i: InterruptView | undefined): number =>
  (i?.answeredAt ? Math.max(0, Date.parse(i.answeredAt) - Date.parse(i.at)) : 0);

function Loop({ nodeId }: { nodeId: string }) {
  const w = useWords(inspectorWords);
  const exits = useWords(exitWords);
  const loop = useSession((s) => s.view.nodes[nodeId]?.loop);
  if (!loop) return null;
  const parts = [
    w.round(loop.round, loop.maxRounds), loop.history.length > 0 && w.scores(loop.history.join(", ")),
    loop.exitReason && w.ended(exits[loop.exitReason] ?? loop.exitReason.replaceAll("_", " ")),
  ];
  return <p>{parts.filter(Boolean).join(" · ")}</p>;
}

/** The attempts of the same iteration that failed before this one, with their reasons. */
function Earlier({ run }: { run: RunView }) {
  const w = useWords(inspectorWords);
  const failed = useSessionList((s) => (s.view.nodes[run.nodeId]?.runIds ?? []).map((id) => s.view.runs[id])
    .filter((r): r is RunView => Boolean(r && r.error && r.iteration === run.iteration && r.attempt < run.attempt)));
  if (failed.length === 0) return null;
  return (
    <ul className="attempts" aria-label={w.before}>
      {failed.map((r) => (
        <li key={r.id}><Icon name="again" size={13} /><span>{w.failedWith(r.attempt)} {errorText(r.error)} {r.error?.code && <code>{r.error.code}</code>}</span></li>
      ))}
    </ul>
  );
}

function Asked({ run }: { run: RunView }) {
  const w = useWords(inspectorWords);
  const asked = useSessionList((s) => run.items.filter((i) => i.kind === "interrupt").map((i) => s.view.interrupts[i.id]).filter((i): i is InterruptView => Boolean(i)));
  return (
    <>
      {asked.map((i) => (
        <Part key={i.id} title={<>{w.asks}{i.action && <span className="faint"> {w.answered(i.reviewer ?? "", words(i.action))}</span>}</>} open={i.state === "open"}>
          {i.reason && <p>{i.reason}</p>}
          {isThere(i.draft) && <Value value={i.draft} />}
          {isThere(i.data) && <Value value={i.data} />}
        </Part>
      ))}
    </>
  );
}

function Inputs({ run, node }: { run: RunView; node?: WorkflowNode }) {
  const w = useWords(inspectorWords);
  const workflow = useSession((s) => s.workflow);
  const input = useSession((s) => s.session?.input);
  const reads = useMemo(() => readsOf(run.nodeId, node, workflow), [run.nodeId, node, workflow]);
  const given = useSessionList((s) => reads.nodes.map((id) => latestBefore(s.view.nodes[id]?.runIds ?? [], s.view.runs, run)));
  const shown = reads.nodes.flatMap((id, i) => (given[i] ? [{ id, run: given[i] }] : []));
  if (shown.length === 0 && !(reads.input && isThere(input))) return null;
  return (
    <Part title={w.input}>
      <ul className="reads">
        {reads.input && isThere(input) && <li><strong>{w.inputOf}</strong><Value value={input} /></li>}
        {shown.map(({ id, run: from }) => (
          <li key={id}>
            <button type="button" className="quiet small" onClick={() => setQuery({ node: id, run: from.id })}><Icon name={workflow?.nodes?.[id]?.type ?? "node"} size={13} />{nodeName(id, workflow?.nodes?.[id])}</button>
            <Value value={from.output} />
          </li>
        ))}
      </ul>
    </Part>
  );
}

// What stood there when this run began: a later round's output is not what it read.
function latestBefore(ids: readonly string[], runs: Record<string, RunView>, reader: RunView): RunView | undefined {
  for (let i = ids.length - 1; i >= 0; i--) {
    const run = runs[ids[i] ?? ""];
    if (run && isThere(run.output) && (!run.endedAt || !reader.startedAt || run.endedAt <= reader.startedAt)) return run;
  }
  return undefined;
}

function Tools({ run }: { run: RunView }) {
  const w = useWords(inspectorWords);
  const tools = useSessionList((s) => run.items.filter((i) => i.kind === "tool").map((i) => s.view.tools[i.id]).filter((t): t is ToolView => Boolean(t)));
  if (tools.length === 0) return null;
  return (
    <Part title={`${w.calls} (${tools.length})`}>
      <ul className="reads">
        {tools.map((t) => (
          <li key={t.id}>
            <p className="row"><code>{t.tool}</code><span className="chip" data-tone={t.status === "failed" ? "bad" : t.status === "completed" ? "good" : undefined}>{w.status[t.status] ?? t.status}</span></p>
            {t.error && <p className="field-error">{errorText(t.error)}</p>}
            {isThere(t.input) && <Part title={w.calledWith}><Value value={t.input} /></Part>}
            {isThere(t.output) && <Part title={w.gave}><Value value={t.output} /></Part>}
          </li>
        ))}
      </ul>
    </Part>
  );
}

