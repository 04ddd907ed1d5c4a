// The workflow as a picture. The layout is computed once per workflow; what moves while a session runs -
// the state of each node and each arrow - is read by the node and the arrow themselves.

import {
  BaseEdge, Handle, Position, ReactFlow, ReactFlowProvider, useReactFlow,
  type Edge, type EdgeProps, type Node, type NodeProps,
} from "@xyflow/react";
import { memo, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import type { Workflow, WorkflowNode } from "@sluice/client";
import { StoreContext, useSession } from "@/session/hooks";
import type { NodeView, SessionView } from "@/session/model";
import { kindName, nodeName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { StatusDot, statusWord } from "@/ui/status";
import { NODE_HEIGHT, NODE_WIDTH, pathThrough, placeColumn, placeWorkflow, type PlacedEdge } from "./layout";

type StepData = { node?: WorkflowNode; name: string; selected: boolean };
type ArrowData = { arrow: PlacedEdge };

function badges(view: NodeView | undefined): string[] {
  if (!view) return [];
  const out: string[] = [];
  if (view.loop) out.push(`round ${view.loop.round}${view.loop.maxRounds ? `/${view.loop.maxRounds}` : ""}`);
  else if (view.iteration > 1) out.push(`×${view.iteration}`);
  if (view.attempt > 1) out.push(`attempt ${view.attempt}`);
  return out;
}

function StepFace({ id, data, view, status }: { id: string; data: StepData; view?: NodeView; status: string }) {
  const marks = badges(view);
  const kind = kindName(data.node?.type);
  return (
    <div className="step" data-status={status} data-node={id} data-selected={data.selected || undefined} data-testid={`node-${id}`}
      title={`${data.name} · ${kindName(data.node?.type)} · ${statusWord(status)}`}>
      <Handle type="target" position={Position.Top} isConnectable={false} />
      <span className="step-icon"><Icon name={data.node?.type ?? "node"} /></span>
      <span className="step-words">
        <span className="step-name">{data.name}</span>
        {(kind !== data.name || marks.length > 0) && (
          <span className="step-kind">
            {!view?.loop && kind !== data.name && <span>{kind}</span>}
            {marks.map((m) => <span key={m} className="step-mark">{m}</span>)}
          </span>
        )}
      </span>
      {status !== "idle" && <StatusDot status={status} />}
      <Handle type="source" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}

function LiveStep({ id, data }: { id: string; data: StepData }) {
  const view = useSession((s) => s.view.nodes[id]);
  return <StepFace id={id} data={data} view={view} status={view?.status ?? "pending"} />;
}

const Step = memo(function Step({ id, data }: NodeProps<Node<StepData>>) {
  // Without a session it is a preview.
  return useContext(StoreContext) ? <LiveStep id={id} data={data} /> : <StepFace id={id} data={data} status="idle" />;
});

type Flow = "idle" | "taken" | "active";

/** A review and a loop choose among their arrows, and say what they chose. */
function wasChosen(arrow: PlacedEdge, from: NodeView, view: SessionView): boolean {
  if (from.loop && arrow.label === "exit") return from.loop.exitReason !== undefined;
  const answered = Object.values(view.interrupts).filter((i) => i.nodeId === arrow.from && i.action);
  if (!answered.length || !arrow.label) return true;
  const labels = arrow.label.split(" / ");
  return answered.some((i) => labels.includes(i.action ?? ""));
}

function flowOf(arrow: PlacedEdge, view: SessionView): Flow {
  const from = view.nodes[arrow.from];
  const to = view.nodes[arrow.to];
  if (!from || !to || from.runIds.length === 0) return "idle";
  if (from.status !== "completed" && from.status !== "running") return "idle";
  if (to.status === "pending" || to.status === "skipped" || to.runIds.length === 0) return "idle";
  if (arrow.back && to.runIds.length < 2) return "idle";
  if (arrow.error && from.status === "completed") return "idle";
  if (!wasChosen(arrow, from, view)) return "idle";
  return to.status === "running" && from.status === "completed" ? "active" : "taken";
}

function ArrowFace({ arrow, flow }: { arrow: PlacedEdge; flow: Flow }) {
  const path = pathThrough(arrow.points, arrow.lane);
  const width = arrow.label.length * 6 + 12;
  return (
    <g className="arrow" data-flow={flow} data-back={arrow.back || undefined} data-error={arrow.error || undefined}
      data-testid={`edge-${arrow.from}-${arrow.to}`}>
      <BaseEdge path={path} markerEnd={`url(#tip-${flow})`} interactionWidth={0} />
      {arrow.label && (
        <g transform={`translate(${arrow.labelAt.x},${arrow.labelAt.y})`}>
          <rect x={-width / 2} y={-8.500} width={width} height={17} rx={8.500} />
          <text textAnchor="middle" dominantBaseline="central">{arrow.label}</text>
        </g>
      )}
    </g>
  );
}

function LiveArrow({ arrow }: { arrow: PlacedEdge }) {
  const flow = useSession((s) => flowOf(arrow, s.view));
  return <ArrowFace arrow={arrow} flow={flow} />;
}

const Arrow = memo(function Arrow({ data }: EdgeProps<Edge<ArrowData>>) {
  const live = useContext(StoreContext) !== null;
  if (!data) return null;
  return live ? <LiveArrow arrow={data.arrow} /> : <ArrowFace arrow={data.arrow} flow="idle" />;
});

const nodeTypes = { step: Step };
const edgeTypes = { arrow: Arrow };
const MARGIN_PX = 18;
const ZOOM_FIT_MAX = 1.05;

interface Props {
  workflow?: Workflow;
  /** When the workflow is not to be had: the nodes that were seen. */
  nodeIds?: string[];
  selected?: string;
  onSelect?: (id: string | undefined) => void;
}

export function WorkflowGraph(props: Props) {
  return (
    <ReactFlowProvider>
      <Inner {...props} />
    </ReactFlowProvider>
  );
}

function Inner({ workflow, nodeIds, selected, onSelect }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const flow = useReactFlow();
  const [ready, setReady] = useState(false);
  const placed = useMemo(
    () => (workflow?.nodes ? placeWorkflow(workflow) : placeColumn(nodeIds ?? [])), [workflow, nodeIds]);
  const nodes = useMemo<Node<StepData>[]>(() => placed.nodes.map((n) => {
    const node = workflow?.nodes?.[n.id];
    const name = nodeName(n.id, node);
    return {
      id: n.id, type: "step", position: { x: n.x, y: n.y }, width: NODE_WIDTH, height: NODE_HEIGHT,
      data: { node, name, selected: n.id === selected }, draggable: false, connectable: false, deletable: false,
      ariaLabel: `${name}, ${kindName(node?.type)}`,
    };
  }), [placed, workflow, selected]);
  const edges = useMemo<Edge<ArrowData>[]>(() => placed.edges.map((arrow) => ({
    id: arrow.id, source: arrow.from, target: arrow.to, type: "arrow", data: { arrow },
    selectable: false, focusable: false, deletable: false,
  })), [placed]);

  // Lanes of back edges are not nodes, and fitView would cut them off: fit what was laid out.
  const fit = useCallback((ms = 0) => {
    const element = box.current;
    if (!element || !element.clientWidth || !element.clientHeight) return;
    const { clientWidth: w, clientHeight: h } = element;
    const zoom = Math.min((w - 2 * MARGIN_PX) / placed.width, (h - 2 * MARGIN_PX) / placed.height, ZOOM_FIT_MAX);
    void flow.setViewport(
      { x: (w - placed.width * zoom) / 2, y: (h - placed.height * zoom) / 2, zoom }, { duration: ms });
  }, [flow, placed]);

  useEffect(() => {
    const element = box.current;
    if (!element || !ready) return;
    fit();
    const observer = new ResizeObserver(() => fit());
    observer.observe(element);
    return () => observer.disconnect();
  }, [ready, fit]);

  return (
    <div className="graph" ref={box}>
      <ReactFlow nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes}
        onInit={() => setReady(true)} minZoom={0.1} maxZoom={1.600} nodesDraggable={false} nodesConnectable={false} nodesFocusable={Boolean(onSelect)}
        edgesFocusable={false} elementsSelectable={Boolean(onSelect)} deleteKeyCode={null} selectionKeyCode={null}
        multiSelectionKeyCode={null} zoomOnDoubleClick={false} preventScrolling={Boolean(onSelect)} zoomOnScroll={Boolean(onSelect)}
        panOnDrag={Boolean(onSelect)} proOptions={{ hideAttribution: true }}
        onNodeClick={(_, node) => onSelect?.(node.id === selected ? undefined : node.id)}
        onSelectionChange={({ nodes: chosen }) => { if (chosen[0]) onSelect?.(chosen[0].id); }}
        onPaneClick={() => onSelect?.(undefined)}>
        <svg className="tips" aria-hidden="true">
          <defs>
            {(["idle", "taken", "active"] as const).map((f) => (
              <marker key={f} id={`tip-${f}`} viewBox="0 0 10 10" refX="8.500" refY="5" markerWidth="7" markerHeight="7"
                orient="auto-start-reverse" markerUnits="userSpaceOnUse">
                <path d="M1 1.500L8.500 5 1 8.500z" className={`tip tip-${f}`} />
              </marker>
            ))}
          </defs>
        </svg>
      </ReactFlow>
      {onSelect && (
        <div className="graph-tools" role="group" aria-label="Graph zoom">
          <button type="button" onClick={() => void flow.zoomIn()} aria-label="Zoom in"><Icon name="plus" size={14} /></button>
          <button type="button" onClick={() => void flow.zoomOut()} aria-label="Zoom out"><Icon name="minus" size={14} /></button>
          <button type="button" aria-label="Show the whole graph"
            onClick={() => fit(200)}>
            <Icon name="fit" size={14} />
          </button>
        </div>
      )}
    </div>
  );
}
