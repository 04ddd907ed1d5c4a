// The workflow as a picture. The layout is made once per workflow, in a worker; what moves while a session runs -
// the state of each node and each arrow - is read by the node and the arrow themselves.

import { ReactFlow, ReactFlowProvider, useStore, ViewportPortal, type Edge, type Node } from "@xyflow/react";
import { useContext, useEffect, useId, useMemo, useRef, useState, type FocusEvent, type KeyboardEvent } from "react";
import type { Workflow } from "@sluice/client";
import { useShortcuts } from "@/app/shortcuts";
import { StoreContext, useSessionList } from "@/session/hooks";
import { nodeName } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { Arrow, Tips, type ArrowData } from "./arrow";
import { activeIds } from "./flow";
import { framesOf, type Frame } from "./frames";
import { Overview } from "./overview";
import { Peek } from "./peek";
import { usePlaced, type Placing } from "./placing";
import { NODE_HEIGHT, NODE_WIDTH } from "./shape";
import { FarContext, PrefixContext, Step, type StepData } from "./step";
import { useLooking } from "./view";
import { isDirection, neighbour } from "./walk";
import { graphWords } from "./words";
import "@xyflow/react/dist/base.css";
import "./graph.css";

const nodeTypes = { step: Step };
const edgeTypes = { arrow: Arrow };
const ZOOM_MIN = 0.04;
const ZOOM_MAX = 1.6;
const FAR = 0.4;
/** More nodes than this are drawn only where they are looked at, and have an overview. */
const MANY = 60;
const PEEK_AFTER_MS = 350;

interface Props {
  workflow?: Workflow;
  /** When the workflow is not to be had: the nodes that were seen. */
  nodeIds?: string[];
  selected?: string;
  onSelect?: (id: string | undefined) => void;
}

const NO_IDS: string[] = [];

export function WorkflowGraph(props: Props) {
  const placing = usePlaced(props.workflow, props.nodeIds ?? NO_IDS);
  const live = useContext(StoreContext) !== null;
  if (!placing) return <div className="graph" data-layout="waiting" />;
  return (
    <ReactFlowProvider>
      {live ? <LiveGraph {...props} placing={placing} /> : <Picture {...props} placing={placing} active={NO_IDS} />}
    </ReactFlowProvider>
  );
}

interface PlacedProps extends Props { placing: Placing }

function LiveGraph(props: PlacedProps) {
  const active = useSessionList((s) => activeIds(s.view));
  return <Picture {...props} active={active} />;
}

function Frames({ frames }: { frames: Frame[] }) {
  const w = useWords(graphWords);
  const about = (f: Frame) => (f.kind === "parallel" ? w.branches(f.branches) : f.kind === "map" ? w.each : w.steps(f.branches));
  return (
    <ViewportPortal>
      {frames.map((f) => (
        <div key={f.id} className="frame" data-kind={f.kind} data-testid={`frame-${f.id}`}
          style={{ transform: `translate(${f.x}px,${f.y}px)`, width: f.width, height: f.height }}>
          <span>{about(f)}</span>
        </div>
      ))}
    </ViewportPortal>
  );
}

/** The nodes and arrows for the canvas; of many nodes the one that can have the focus is one. */
function useElements({ placing, workflow, selected, onSelect }: PlacedProps, at: string | undefined, prefix: string) {
  const w = useWords(graphWords);
  const { placed } = placing;
  const plain = useMemo<Node<StepData>[]>(() => placed.nodes.map((n) => {
    const node = workflow?.nodes?.[n.id];
    return {
      id: n.id, type: "step", position: { x: n.x, y: n.y }, width: NODE_WIDTH, height: NODE_HEIGHT, initialWidth: NODE_WIDTH, initialHeight: NODE_HEIGHT,
      data: { node, name: nodeName(n.id, node), selected: false }, draggable: false, connectable: false, deletable: false, selectable: false, focusable: false,
      domAttributes: { "aria-roledescription": w.node, "aria-labelledby": `${prefix}-${n.id}` },
    };
  }), [placed, workflow, prefix, w.node]);
  const nodes = useMemo(() => plain.map((n) => (n.id !== selected && n.id !== at ? n
    : { ...n, focusable: Boolean(onSelect) && n.id === at, data: { ...n.data, selected: n.id === selected } })), [plain, selected, at, onSelect]);
  const edges = useMemo<Edge<ArrowData>[]>(() => placed.edges.map((arrow) => ({
    id: arrow.id, source: arrow.from, target: arrow.to, type: "arrow", data: { arrow }, selectable: false, focusable: false, deletable: false,
  })), [placed]);
  return { nodes, edges };
}

const nodeIdOf = (target: EventTarget) => (target instanceof Element ? target.closest<HTMLElement>(".react-flow__node")?.dataset.id : undefined);

/** Which node a short summary is shown of. */
function usePeek() {
  const [peeked, setPeeked] = useState<string>();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const after = (id: string | undefined, ms: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setPeeked(id), ms);
  };
  return { peeked, peek: (id: string) => after(id, PEEK_AFTER_MS), peekNow: (id: string | undefined) => after(id, 0) };
}

/** Arrows walk, Enter chooses, Escape leaves. */
function useWalk({ placing, selected, onSelect }: PlacedProps, box: React.RefObject<HTMLDivElement | null>, show: (id: string) => void) {
  const [walked, setWalked] = useState<string>();
  const { placed } = placing;
  const has = (id: string | undefined) => id !== undefined && placed.nodes.some((n) => n.id === id);
  const at = has(walked) ? walked : has(selected) ? selected : placed.nodes[0]?.id;
  const toFocus = useRef<string>(undefined);
  useEffect(() => {
    if (!toFocus.current) return;
    const wanted = toFocus.current;
    toFocus.current = undefined;
    show(wanted);
    // Out of sight it is not drawn yet.
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(wanted)}"]`)?.focus());
  });
  const onKeyDown = (e: KeyboardEvent) => {
    const id = nodeIdOf(e.target);
    if (!id || e.ctrlKey || e.metaKey || e.altKey || e.shiftKey || (e.target as Element).closest("a")) return;
    if (isDirection(e.key)) {
      const next = neighbour(placed, id, e.key);
      e.preventDefault();
      if (!next) return;
      toFocus.current = next;
      setWalked(next);
    } else if (e.key === "Enter" || e.key === " ") {
      e.preventDefault();
      onSelect?.(id === selected ? undefined : id);
    } else if (e.key === "Escape") {
      e.preventDefault();
      if (selected) onSelect?.(undefined);
      else box.current?.querySelector<HTMLElement>(".graph-tools button")?.focus();
    }
  };
  return { at, onKeyDown, onFocused: setWalked };
}

function Picture(props: PlacedProps & { active: readonly string[] }) {
  const { placing, workflow, selected, onSelect, active } = props;
  const w = useWords(graphWords);
  const box = useRef<HTMLDivElement>(null);
  const prefix = useId();
  const [ready, setReady] = useState(false);
  const looking = useLooking({ box, placed: placing.placed, ready, active, selected, isPicture: !onSelect });
  const { at, onKeyDown, onFocused } = useWalk(props, box, looking.show);
  const { peeked, peek, peekNow } = usePeek();
  const { nodes, edges } = useElements(props, at, prefix);
  const frames = useMemo(() => (placing.final ? framesOf(workflow, placing.placed) : []), [workflow, placing]);
  const isFar = useStore((s) => s.transform[2] < FAR);
  const many = placing.placed.nodes.length > MANY;
  const peekedNode = peeked === undefined ? undefined : placing.placed.nodes.find((n) => n.id === peeked);
  const onFocus = (e: FocusEvent) => {
    const id = nodeIdOf(e.target);
    if (!id) return;
    onFocused(id);
    if (e.target.matches(":focus-visible")) peekNow(id);
  };
  const live = useContext(StoreContext) !== null;
  useShortcuts(onSelect && live ? [{ keys: "f", what: w.followKey, run: looking.follow }] : []);
  return (
    <FarContext value={isFar}>
      <PrefixContext value={prefix}>
        <div className="graph" ref={box} data-far={isFar || undefined} data-layout={placing.final ? "ready" : "column"}
          onKeyDown={onSelect && onKeyDown} onFocus={onFocus} onBlur={() => peekNow(undefined)}>
          <ReactFlow nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes} aria-label={w.graph}
            onInit={() => setReady(true)} minZoom={ZOOM_MIN} maxZoom={ZOOM_MAX} nodesDraggable={false} nodesConnectable={false} nodesFocusable={false}
            edgesFocusable={false} elementsSelectable={false} deleteKeyCode={null} selectionKeyCode={null} disableKeyboardA11y
            multiSelectionKeyCode={null} zoomOnDoubleClick={false} preventScrolling={Boolean(onSelect)} zoomOnScroll={Boolean(onSelect)}
            panOnDrag={Boolean(onSelect)} proOptions={{ hideAttribution: true }} onlyRenderVisibleElements={many}
            onMoveStart={(e) => { if (e) looking.onMoved(); }}
            onNodeMouseEnter={(_, node) => peek(node.id)} onNodeMouseLeave={() => peekNow(undefined)}
            onNodeClick={(_, node) => { peekNow(undefined); onSelect?.(node.id === selected ? undefined : node.id); }}
            onPaneClick={() => onSelect?.(undefined)}>
            <Tips />
            {frames.length > 0 && <Frames frames={frames} />}
            {many && onSelect && <Overview />}
          </ReactFlow>
          {peekedNode && <Peek at={peekedNode} node={workflow?.nodes?.[peekedNode.id]} />}
          {onSelect && (
            <div className="graph-tools" role="group" aria-label={w.tools}>
              <button type="button" onClick={() => looking.zoom(1)} aria-label={w.zoomIn} title={w.zoomIn}><Icon name="plus" size={14} /></button>
              <button type="button" onClick={() => looking.zoom(-1)} aria-label={w.zoomOut} title={w.zoomOut}><Icon name="minus" size={14} /></button>
              <button type="button" onClick={looking.fit} aria-label={w.fit} title={w.fit} data-testid="graph-fit"><Icon name="fit" size={14} /></button>
              {live && (
                <button type="button" className="follow" onClick={looking.follow} aria-pressed={looking.following} aria-label={looking.following ? undefined : w.follow} title={`${w.follow} (f)`} data-testid="follow">
                  <Icon name="follow" size={14} />{looking.following && <span>{w.following}</span>}
                </button>
              )}
            </div>
          )}
        </div>
      </PrefixContext>
    </FarContext>
  );
}
