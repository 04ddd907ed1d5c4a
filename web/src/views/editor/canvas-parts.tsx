// A node and an arrow of the editor's graph.

import { BaseEdge, Handle, Position, type Edge, type EdgeProps, type Node, type NodeProps } from "@xyflow/react";
import { memo } from "react";
import { pathThrough, type PlacedEdge } from "@/graph/shape";
import { count, kindName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { words } from "./words";

export interface StepData extends Record<string, unknown> {
  name: string;
  kind: string;
  severity?: "error" | "warning";
  problems?: number;
  tokens?: number;
}
export type StepNode = Node<StepData, "step">;

export const Step = memo(function Step({ id, data, selected }: NodeProps<StepNode>) {
  const w = useWords(words);
  const kind = kindName(data.kind);
  return (
    <div className="step" data-node={id} data-selected={selected || undefined} data-severity={data.severity} data-testid={`node-${id}`}>
      <Handle type="target" position={Position.Top} />
      <span className="step-icon"><Icon name={data.kind} /></span>
      <span className="step-words">
        <span className="step-name">{data.name}</span>
        {kind !== data.name && <span className="step-kind">{kind}</span>}
      </span>
      {data.tokens ? <span className="step-badges"><span title={w.estimateAbout}>≈{count(data.tokens)}</span></span> : null}
      {data.severity && (
        <span className="step-problem" data-severity={data.severity} title={data.severity === "error" ? w.errors(data.problems ?? 1) : w.warnings(data.problems ?? 1)}>
          <Icon name="warn" size={12} /><span className="sr">{data.severity === "error" ? w.error : w.warning}</span>
        </span>
      )}
      <Handle type="source" position={Position.Bottom} />
    </div>
  );
});

export interface ArrowData extends Record<string, unknown> { arrow: PlacedEdge; label: string }
export type ArrowEdge = Edge<ArrowData, "arrow">;

const shown = (label: string) => (label.length > 26 ? `${label.slice(0, 25)}…` : label);
const widthOf = (label: string) => [...label].reduce((sum, c) => sum + (c.charCodeAt(0) > 0x2e7f ? 11 : 6), 12);

export const Arrow = memo(function Arrow({ id, data, selected }: EdgeProps<ArrowEdge>) {
  if (!data) return null;
  const { arrow } = data;
  const label = shown(data.label);
  const width = widthOf(label);
  return (
    <g className="arrow" data-selected={selected || undefined} data-back={arrow.back || undefined} data-error={arrow.error || undefined}
      data-from={arrow.from} data-to={arrow.to} data-testid={`edge-${id}`}>
      <BaseEdge path={pathThrough(arrow.points, arrow.lane)} markerEnd={`url(#tip-${selected ? "chosen" : "plain"})`} interactionWidth={18} />
      {label && (
        <g transform={`translate(${arrow.labelAt.x},${arrow.labelAt.y})`}>
          <rect x={-width / 2} y={-8.5} width={width} height={17} rx={8.5} />
          <text textAnchor="middle" dominantBaseline="central">{label}</text>
        </g>
      )}
    </g>
  );
});

export function Tips() {
  return (
    <svg className="tips" aria-hidden="true">
      <defs>
        {["plain", "chosen"].map((t) => (
          <marker key={t} id={`tip-${t}`} viewBox="0 0 10 10" refX="8.500" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse" markerUnits="userSpaceOnUse">
            <path d="M1 1.5L8.5 5 1 8.5z" className={`tip tip-${t}`} />
          </marker>
        ))}
      </defs>
    </svg>
  );
}
