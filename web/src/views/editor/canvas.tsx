// The graph, to be worked on: select, move, connect, drop new nodes on it. The outline can do all of this without a mouse.

import { ReactFlow, ReactFlowProvider, useReactFlow, type Connection, type EdgeChange, type NodeChange } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useState, type DragEvent } from "react";
import type { Workflow } from "@sluice/client";
import { usePlaced } from "@/graph/placing";
import { Icon } from "@/ui/icons";
import { kindName } from "@/ui/format";
import { useWords } from "@/words/words";
import { Arrow, Step, Tips, type ArrowEdge, type StepNode } from "./canvas-parts";
import { marksOf } from "./checks";
import { useChecks, useEditor, useLatest, useTools } from "./context";
import { linksOf, waysFrom, type Link } from "./links";
import { drawn, idsOf, nodeOf, placesOf, titleOf, typeOf, type Flow, type Place } from "./model";
import { dropPlaces, movePlaces } from "./ops";
import { laidOut, lead, NODE_HEIGHT, NODE_WIDTH, putTogether, shapeOf, type Picture } from "./place";
import { wayWord, words } from "./words";

const nodeTypes = { step: Step };
const edgeTypes = { arrow: Arrow };
const ZOOM_FIT_MAX = 1.1;
const MARGIN_PX = 34;
export const DRAG_KIND = "application/x-sluice-kind";

const NONE: string[] = [];
const EMPTY: Picture = { places: {}, edges: [], byHand: false };

/** The layout is made in a worker: until a new one is there, what was added stands near where it belongs. */
function usePicture(flow: Flow): { picture: Picture; final: boolean } {
  const shape = useMemo(() => shapeOf(flow), [flow]);
  // What the picture hangs on is in the shape; words in a prompt move nothing.
  const fixed = useRef<{ shape: string; workflow: Workflow; kept: Record<string, Place> }>(undefined);
  if (fixed.current?.shape !== shape) fixed.current = { shape, workflow: drawn(flow), kept: placesOf(flow) };
  const { workflow, kept } = fixed.current;
  const byHand = Object.keys(kept).length > 0;
  const placing = usePlaced(byHand ? undefined : workflow, NONE);
  const placed = !byHand && placing?.final ? placing.placed : undefined;
  const last = useRef(EMPTY);
  const picture = useMemo(() => {
    if (byHand) return putTogether(workflow, kept, true);
    if (placed) return laidOut(placed);
    return Object.keys(last.current.places).length ? putTogether(workflow, last.current.places, false) : EMPTY;
  }, [workflow, kept, byHand, placed]);
  last.current = picture;
  return { picture, final: byHand || placed !== undefined };
}

function useArrowLabels(flow: Flow): Map<string, string> {
  const w = useWords(words);
  return useMemo(() => {
    const labels = new Map<string, string[]>();
    for (const l of linksOf(flow)) {
      const type = typeOf(nodeOf(flow, l.from));
      if (l.way === "next" || l.way === "step") continue;
      const key = `${l.from}>${l.to}`;
      const word = l.way.startsWith("route:") ? l.way.slice(6) : wayWord(w, l.way, type);
      labels.set(key, [...(labels.get(key) ?? []), word]);
    }
    return new Map([...labels].map(([k, all]) => [k, all.join(" / ")]));
  }, [flow, w]);
}

interface Box { x: number; y: number; width: number; height: number }

// Lanes and labels of arrows reach beyond the nodes.
function boxOf({ places, edges }: Picture): Box {
  const corners = Object.values(places).flatMap((p) => [p, { x: p.x + NODE_WIDTH, y: p.y + NODE_HEIGHT }]);
  const all = [...corners, ...edges.flatMap((e) => e.points)];
  const [x, y] = [Math.min(...all.map((p) => p.x)), Math.min(...all.map((p) => p.y))];
  return { x, y, width: Math.max(...all.map((p) => p.x)) - x, height: Math.max(...all.map((p) => p.y)) - y };
}

/** The viewport that shows the box in the middle. */
function viewOf(b: Box, el: HTMLElement) {
  const zoom = Math.max(0.1, Math.min((el.clientWidth - 2 * MARGIN_PX) / b.width, (el.clientHeight - 2 * MARGIN_PX) / b.height, ZOOM_FIT_MAX));
  return { x: (el.clientWidth - b.width * zoom) / 2 - b.x * zoom, y: (el.clientHeight - b.height * zoom) / 2 - b.y * zoom, zoom };
}

export function Canvas({ fixed }: { fixed?: boolean }) {
  return <ReactFlowProvider><Inner fixed={fixed} /></ReactFlowProvider>;
}

function useChanges(picture: Picture, setMoved: (m: Record<string, Place>) => void, moved: Record<string, Place>) {
  const { store } = useTools();
  const onNodes = useCallback((changes: NodeChange<StepNode>[]) => {
    const chosen = new Set(store.get().selection.nodes);
    let selects = false;
    const places: Record<string, Place> = {};
    let ended = false;
    for (const c of changes) {
      if (c.type === "select") {
        selects = true;
        if (c.selected) chosen.add(c.id);
        else chosen.delete(c.id);
      } else if (c.type === "position" && c.position) {
        places[c.id] = c.position;
        ended ||= !c.dragging;
      }
    }
    if (selects) store.select([...chosen]);
    if (!Object.keys(places).length) return;
    const now = { ...moved, ...places };
    if (!ended) setMoved(now);
    else {
      setMoved({});
      const differs = Object.entries(now).some(([id, p]) => Math.hypot(p.x - (picture.places[id]?.x ?? 0), p.y - (picture.places[id]?.y ?? 0)) > 1);
      if (differs) store.run((flow) => movePlaces(flow, picture.places, now), { key: "move" });
    }
  }, [store, picture, moved, setMoved]);
  const onEdges = useCallback((changes: EdgeChange<ArrowEdge>[]) => {
    for (const c of changes) {
      if (c.type !== "select") continue;
      const { selection } = store.get();
      const [from = "", to = ""] = c.id.split(">");
      if (c.selected) store.select([], { from, to });
      else if (selection.link?.from === from && selection.link.to === to) store.select(selection.nodes);
    }
  }, [store]);
  return { onNodes, onEdges };
}

function Inner({ fixed }: { fixed?: boolean }) {
  const w = useWords(words);
  const { store, add, connectFrom } = useTools();
  const checks = useChecks();
  const flow = useEditor((s) => s.flow);
  const selection = useEditor((s) => s.selection);
  const rf = useReactFlow<StepNode, ArrowEdge>();
  const box = useRef<HTMLDivElement>(null);
  const [ready, setReady] = useState(false);
  const [moved, setMoved] = useState<Record<string, Place>>({});
  const { picture: still, final } = usePicture(flow);
  const picture = useMemo(() => lead(still, drawn(flow), moved), [still, flow, moved]);
  const labels = useArrowLabels(flow);
  const { onNodes, onEdges } = useChanges(still, setMoved, moved);
  const marks = useMemo(() => marksOf(checks.problems), [checks.problems]);
  const tokens = useMemo(() => new Map(checks.estimate?.nodes.map((n) => [n.node_id, n.tokens.total])), [checks.estimate]);

  const nodes = useMemo<StepNode[]>(() => idsOf(flow).filter((id) => picture.places[id]).map((id) => {
    const kind = typeOf(nodeOf(flow, id));
    const name = titleOf(flow, id);
    const mark = marks.get(id);
    return {
      id, type: "step", position: picture.places[id] ?? { x: 0, y: 0 }, width: NODE_WIDTH, height: NODE_HEIGHT, selected: selection.nodes.includes(id), deletable: false,
      ariaLabel: `${name}, ${kindName(kind)}${mark ? `, ${mark.severity === "error" ? w.error : w.warning}` : ""}`,
      data: { name, kind, ...(mark && { severity: mark.severity, problems: mark.count }), tokens: tokens.get(id) },
    };
  }), [flow, picture, selection, marks, tokens, w]);
  const edges = useMemo<ArrowEdge[]>(() => picture.edges.map((arrow) => ({
    id: arrow.id, source: arrow.from, target: arrow.to, type: "arrow", deletable: false, selected: selection.link?.from === arrow.from && selection.link.to === arrow.to,
    data: { arrow, label: labels.get(`${arrow.from}>${arrow.to}`) ?? "" }, ariaLabel: w.arrow(titleOf(flow, arrow.from), titleOf(flow, arrow.to)),
  })), [picture, labels, selection, flow, w]);

  const fit = useCallback((ms = 0) => {
    const el = box.current;
    if (el?.clientWidth && el.clientHeight && Object.keys(still.places).length) void rf.setViewport(viewOf(boxOf(still), el), { duration: ms });
  }, [rf, still]);
  const latestFit = useLatest(fit);
  const size = Object.keys(still.places).length;
  const first = useRef(true);
  // Who places the nodes decides what is seen, too.
  useEffect(() => {
    if (!ready || !final || (still.byHand && !first.current)) return;
    latestFit.current(first.current ? 0 : 200);
    first.current = false;
  }, [ready, final, size, still.byHand, latestFit]);

  const onConnect = (c: Connection) => {
    if (!nodeOf(store.get().flow, c.source) || c.source === c.target) return;
    connectFrom(c.source, c.target);
  };
  const onDrop = (e: DragEvent) => {
    const kind = e.dataTransfer.getData(DRAG_KIND);
    if (!kind) return;
    e.preventDefault();
    const arrow = document.elementsFromPoint(e.clientX, e.clientY).map((el) => el.closest<SVGElement>("[data-from]")).find(Boolean);
    const { from, to } = arrow?.dataset ?? {};
    const link = from && to ? linksOf(store.get().flow).find((l): l is Link => l.from === from && l.to === to) : undefined;
    if (link) return add(kind, { link });
    const at = rf.screenToFlowPosition({ x: e.clientX, y: e.clientY });
    add(kind, { place: { x: at.x - NODE_WIDTH / 2, y: at.y - NODE_HEIGHT / 2 }, others: still.places });
  };
  return (
    <div className="flow-canvas graph" ref={box} data-testid="canvas" onDrop={onDrop} onDragOver={(e) => { if (e.dataTransfer.types.includes(DRAG_KIND)) e.preventDefault(); }}>
      <ReactFlow<StepNode, ArrowEdge> nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes} onInit={() => setReady(true)} aria-label={w.canvas}
        onNodesChange={onNodes} onEdgesChange={onEdges} onConnect={onConnect} isValidConnection={(c) => waysFrom(flow, c.source).length > 0 && c.source !== c.target}
        minZoom={0.1} maxZoom={1.6} deleteKeyCode={null} zoomOnDoubleClick={false} connectionRadius={34} nodesDraggable={!fixed} nodesConnectable={!fixed}
        proOptions={{ hideAttribution: true }} ariaLabelConfig={{ "node.a11yDescription.default": w.nodeAbout, "node.a11yDescription.keyboardDisabled": w.nodeAbout, "edge.a11yDescription.default": w.canvasAbout }}>
        <Tips />
      </ReactFlow>
      <div className="graph-tools" role="group" aria-label={w.graph}>
        <button type="button" onClick={() => void rf.zoomIn()} aria-label={w.zoomIn}><Icon name="plus" size={14} /></button>
        <button type="button" onClick={() => void rf.zoomOut()} aria-label={w.zoomOut}><Icon name="minus" size={14} /></button>
        <button type="button" onClick={() => fit(200)} aria-label={w.fit} data-testid="fit"><Icon name="fit" size={14} /></button>
        {still.byHand && !fixed && <button type="button" className="wide" title={w.arrangeAbout} onClick={() => store.run(dropPlaces)} data-testid="arrange">{w.arrange}</button>}
      </div>
    </div>
  );
}
