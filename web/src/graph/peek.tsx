// A node in a few figures, while the pointer or the focus is on it.

import { useStore } from "@xyflow/react";
import { useContext, useLayoutEffect, useMemo, useRef } from "react";
import type { WorkflowNode } from "@sluice/client";
import { StoreContext, useSession } from "@/session/hooks";
import { clock, count, kindName, money, nodeName, shortDuration } from "@/ui/format";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { lookOf, spentBy } from "./flow";
import { NODE_HEIGHT, NODE_WIDTH, type PlacedNode } from "./shape";
import { graphWords } from "./words";

const GAP_PX = 10;

function Figures({ id }: { id: string }) {
  const w = useWords(graphWords);
  const view = useSession((s) => s.view.nodes[id]);
  const runs = useSession((s) => s.view.runs);
  const spent = useMemo(() => spentBy(view, runs), [view, runs]);
  if (!spent.runs) return <p className="faint">{w.notYet}</p>;
  const time = spent.since ? w.since(clock(spent.since)) : spent.ms > 0 ? shortDuration(spent.ms) : "";
  const tokens = spent.inputTokens + spent.outputTokens > 0 ? w.inOut(count(spent.inputTokens), count(spent.outputTokens)) : "";
  const rows = [[w.took, time], [w.tokens, tokens], [w.cost, spent.cost > 0 ? money(spent.cost) : ""], [w.runs, spent.runs > 1 ? count(spent.runs) : ""]] as const;
  return <dl>{rows.filter(([, value]) => value).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

function Card({ id, node }: { id: string; node?: WorkflowNode }) {
  const look = useSession((s) => lookOf(s.view.nodes[id], s.view.status));
  return (
    <>
      <header><strong>{nodeName(id, node)}</strong><StatusPill status={look} /></header>
      <p className="faint">{kindName(node?.type)} · <span className="mono">{id}</span></p>
      <Figures id={id} />
    </>
  );
}

/** Stands above or below its node, wherever there is room, and never takes the pointer. */
export function Peek({ at, node }: { at: PlacedNode; node?: WorkflowNode }) {
  const box = useRef<HTMLDivElement>(null);
  const live = useContext(StoreContext) !== null;
  const x = useStore((s) => s.transform[0]);
  const y = useStore((s) => s.transform[1]);
  const zoom = useStore((s) => s.transform[2]);
  const width = useStore((s) => s.width);
  const height = useStore((s) => s.height);
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    const { offsetWidth: w, offsetHeight: h } = el;
    const [left, top, bottom] = [at.x * zoom + x, at.y * zoom + y, (at.y + NODE_HEIGHT) * zoom + y];
    const middle = left + (NODE_WIDTH * zoom) / 2 - w / 2;
    el.style.left = `${Math.max(6, Math.min(middle, width - w - 6))}px`;
    el.style.top = `${bottom + GAP_PX + h < height ? bottom + GAP_PX : Math.max(6, top - GAP_PX - h)}px`;
  });
  if (!live) return null;
  return <div className="peek" ref={box} role="presentation" data-testid="peek"><Card id={at.id} node={node} /></div>;
}
