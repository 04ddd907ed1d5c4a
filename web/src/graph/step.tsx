// A node of the graph. What it shows of a session it reads itself, so that a change draws one node anew.

import { Handle, Position, type Node, type NodeProps } from "@xyflow/react";
import { createContext, memo, useContext } from "react";
import type { WorkflowNode } from "@sluice/client";
import { href } from "@/app/route";
import { StoreContext, useSession } from "@/session/hooks";
import type { NodeView } from "@/session/model";
import { kindName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { StatusDot, statusWord } from "@/ui/status";
import { useWords } from "@/words/words";
import { lookOf } from "./flow";
import { graphWords } from "./words";

export type StepData = { node?: WorkflowNode; name: string; selected: boolean };

/** Zoomed out so far that words are no use. */
export const FarContext = createContext(false);
/** Of this graph, for ids that are its own. */
export const PrefixContext = createContext("graph");

// States that a word stands for, in the place of the kind; the others are told by shape.
const TOLD = new Set(["running", "suspended", "paused", "failed", "skipped"]);

interface FaceProps { id: string; data: StepData; view?: NodeView; look: string; childId?: string }

function Badges({ view }: { view: NodeView }) {
  const w = useWords(graphWords);
  const iterated = !view.loop && view.iteration > 1;
  if (!iterated && view.attempt < 2) return null;
  return (
    <span className="step-badges">
      {iterated && <span>{w.iteration(view.iteration)}</span>}
      {view.attempt > 1 && <span data-tone="warm">{w.attempt(view.attempt)}</span>}
    </span>
  );
}

function useSecondLine(data: StepData, view: NodeView | undefined, look: string): string {
  const w = useWords(graphWords);
  if (view?.loop) return w.round(view.loop.round, view.loop.maxRounds);
  const progress = view?.progress && look !== "pending" ? w.items(view.progress.done, view.progress.total) : "";
  const word = TOLD.has(look) ? statusWord(look) : kindName(data.node?.type);
  return [word === data.name ? "" : word, progress].filter(Boolean).join(" · ");
}

function StepFace({ id, data, view, look, childId }: FaceProps) {
  const w = useWords(graphWords);
  const prefix = useContext(PrefixContext);
  const isFar = useContext(FarContext);
  const second = useSecondLine(data, view, look);
  const { name, node } = data;
  const spoken = [name, kindName(node?.type), look !== "idle" && statusWord(look), view?.loop && w.round(view.loop.round, view.loop.maxRounds),
    view && !view.loop && view.iteration > 1 && w.iterations(view.iteration), view && view.attempt > 1 && w.attempt(view.attempt)].filter(Boolean).join(", ");
  return (
    <div className="step" data-status={look} data-kind={node?.type} data-node={id} data-selected={data.selected || undefined} data-testid={`node-${id}`}>
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <span className="sr" id={`${prefix}-${id}`}>{spoken}</span>
      {!isFar && (
        <>
          <span className="step-icon" aria-hidden="true"><Icon name={node?.type ?? "node"} /></span>
          <span className="step-words" aria-hidden="true">
            <span className="step-name">{name}</span>
            {second && <span className="step-kind">{second}</span>}
          </span>
          {look !== "idle" && look !== "pending" && <StatusDot status={look} />}
          {view && <Badges view={view} />}
          {childId && <a className="step-child nodrag nopan" href={href.session(childId)} aria-label={w.child(name)} title={w.child(name)} data-testid={`child-${id}`} onClick={(e) => e.stopPropagation()}><Icon name="link" size={13} /></a>}
        </>
      )}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

function LiveStep({ id, data }: { id: string; data: StepData }) {
  const view = useSession((s) => s.view.nodes[id]);
  const look = useSession((s) => lookOf(s.view.nodes[id], s.view.status));
  const childId = useSession((s) => s.view.runs[s.view.nodes[id]?.runIds.at(-1) ?? ""]?.childId);
  return <StepFace id={id} data={data} view={view} look={look} childId={childId} />;
}

export const Step = memo(function Step({ id, data }: NodeProps<Node<StepData>>) {
  // Without a session it is a preview.
  return useContext(StoreContext) ? <LiveStep id={id} data={data} /> : <StepFace id={id} data={data} look="idle" />;
});
