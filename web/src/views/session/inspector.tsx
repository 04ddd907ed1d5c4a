// What is known of one node: its runs with their outputs and errors, and how it was set up.

import { useEffect, useRef } from "react";
import { useSession, useSessionList } from "@/session/hooks";
import type { RunView } from "@/session/model";
import { clock, count, kindName, nodeName, outputText, plural, pretty, shortDuration } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { StatusPill } from "@/ui/status";

function RunRow({ run, last }: { run: RunView; last: boolean }) {
  const took = run.startedAt && run.endedAt ? shortDuration(Date.parse(run.endedAt) - Date.parse(run.startedAt)) : "";
  const text = outputText(run.output);
  return (
    <li>
      <div className="run-row">
        <StatusPill status={run.status} />
        <span>{[`run ${run.iteration}`, run.attempt > 1 && `attempt ${run.attempt}`].filter(Boolean).join(", ")}</span>
        <span className="faint">{[clock(run.startedAt), took, run.usage && `${count(run.usage.input_tokens)} in, ${count(run.usage.output_tokens)} out`].filter(Boolean).join(" · ")}</span>
      </div>
      {run.error && <p className="field-error">{run.error.message}{run.error.code && <span className="mono"> {run.error.code}</span>}</p>}
      {run.output !== undefined && run.output !== null && (
        <details open={last && JSON.stringify(run.output).length < 600}>
          <summary>Output</summary>
          <pre>{text ?? pretty(run.output)}</pre>
        </details>
      )}
    </li>
  );
}

export function Inspector({ nodeId, onClose }: { nodeId: string; onClose: () => void }) {
  const view = useSession((s) => s.view.nodes[nodeId]);
  const node = useSession((s) => s.workflow?.nodes?.[nodeId]);
  const runs = useSessionList((s) => (s.view.nodes[nodeId]?.runIds ?? []).map((id) => s.view.runs[id]).filter((r): r is RunView => Boolean(r)));
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => { if (e.key === "Escape") onClose(); };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [onClose]);
  const name = nodeName(nodeId, node);
  return (
    <section className="inspector" ref={box} aria-label={`Node ${name}`} data-testid="inspector">
      <header>
        <span className="inspector-title"><Icon name={node?.type ?? "node"} />{name}</span>
        <StatusPill status={view?.status ?? "pending"} />
        <button type="button" className="quiet square" onClick={onClose} aria-label="Close"><Icon name="close" size={14} /></button>
      </header>
      <p className="faint">{kindName(node?.type)} · <span className="mono">{nodeId}</span> · {plural(runs.length, "run")}</p>
      {view?.loop && (
        <p>Round {view.loop.round}{view.loop.maxRounds ? ` of ${view.loop.maxRounds}` : ""}
          {view.loop.history.length > 0 && `, scores ${view.loop.history.join(", ")}`}
          {view.loop.exitReason && `, ended: ${view.loop.exitReason.replaceAll("_", " ")}`}</p>
      )}
      {runs.length === 0 && <p className="faint">It has not run yet.</p>}
      <ul className="run-list">{[...runs].reverse().map((r, i) => <RunRow key={r.id} run={r} last={i === 0} />)}</ul>
      {node && <details><summary>Definition</summary><pre>{pretty(node as never)}</pre></details>}
    </section>
  );
}
