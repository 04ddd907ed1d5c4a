// What is known of one node: its runs with what they read, gave, used and did. At the foot of the graph; on a phone a sheet.

import { useEffect, useRef } from "react";
import { selectNode } from "./select";
import { useSession, useSessionList } from "@/session/hooks";
import type { RunView } from "@/session/model";
import { kindName, nodeName, pretty } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { StatusPill } from "@/ui/status";
import { useIsPhone } from "@/ui/media";
import { inspectorWords } from "./inspector-words";
import { RunDetail } from "./inspector-run";

interface Props { nodeId: string; runId?: string; onClose: () => void }

/** Escape closes it, unless something nearer took the key. */
function useEscape(onClose: () => void): void {
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      const inField = e.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
      if (e.key === "Escape" && !e.defaultPrevented && !inField && !document.querySelector("dialog[open]")) onClose();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [onClose]);
}

export function Inspector({ nodeId, runId, onClose }: Props) {
  const isSheet = useIsPhone();
  const w = useWords(inspectorWords);
  const c = useWords(common);
  const view = useSession((s) => s.view.nodes[nodeId]);
  const node = useSession((s) => s.workflow?.nodes?.[nodeId]);
  const runs = useSessionList((s) => (s.view.nodes[nodeId]?.runIds ?? []).map((id) => s.view.runs[id]).filter((r): r is RunView => Boolean(r)));
  const box = useRef<HTMLElement>(null);
  const cameFrom = useRef<Element | null>(null);
  useEscape(onClose);
  useEffect(() => {
    if (!isSheet) return;
    cameFrom.current = document.activeElement;
    box.current?.focus();
    const back = cameFrom.current;
    return () => { if (back instanceof HTMLElement && back.isConnected) back.focus(); };
  }, [isSheet]);
  const isPaused = useSession((s) => s.view.status === "paused");
  const name = nodeName(nodeId, node);
  const run = runs.find((r) => r.id === runId) ?? runs.at(-1);
  const status = run?.status ?? view?.status ?? "pending";
  return (
    <>
      {isSheet && <div className="scrim" onClick={onClose} />}
      <section className="inspector" data-sheet={isSheet || undefined} ref={box} tabIndex={-1} aria-label={w.label(name)} data-testid="inspector">
        <header>
          <span className="inspector-title"><Icon name={node?.type ?? "node"} /><span>{name}</span></span>
          <StatusPill status={isPaused && status === "running" ? "paused" : status} />
          <button type="button" className="quiet square" onClick={onClose} aria-label={c.close} data-testid="inspector-close"><Icon name="close" size={14} /></button>
        </header>
        <p className="faint">{kindName(node?.type)} · <span className="mono">{nodeId}</span></p>
        {runs.length > 1 && <RunPicker runs={runs} chosen={run?.id ?? ""} onChoose={(id) => selectNode(nodeId, id)} />}
        {run ? <RunDetail run={run} node={node} /> : <p className="faint">{node || view ? w.notYet : w.unknown}</p>}
        {node && <details><summary>{w.definition}</summary><pre tabIndex={0}>{pretty(node as never)}</pre></details>}
      </section>
    </>
  );
}

// So many fit as buttons; more are a list to pick from.
const BUTTONS = 6;

function RunPicker({ runs, chosen, onChoose }: { runs: RunView[]; chosen: string; onChoose: (id: string) => void }) {
  const w = useWords(inspectorWords);
  if (runs.length > BUTTONS) {
    return (
      <label className="run-pick">{w.runs(runs.length)}
        <select value={chosen} onChange={(e) => onChoose(e.target.value)} data-testid="run-pick">
          {runs.map((r) => <option key={r.id} value={r.id}>{w.runName(r.iteration, r.attempt)}</option>)}
        </select>
      </label>
    );
  }
  return (
    <div className="tabs run-tabs" role="group" aria-label={w.runs(runs.length)} data-testid="run-tabs">
      {runs.map((r) => (
        <button key={r.id} type="button" aria-pressed={r.id === chosen} onClick={() => onChoose(r.id)}>{w.runName(r.iteration, r.attempt)}</button>
      ))}
    </div>
  );
}
