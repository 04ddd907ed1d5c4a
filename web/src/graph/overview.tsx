// The small map of a big graph.

import { MiniMap, type MiniMapNodeProps } from "@xyflow/react";
import { memo, useContext } from "react";
import { StoreContext, useSession } from "@/session/hooks";
import { useWords } from "@/words/words";
import { lookOf } from "./flow";
import { graphWords } from "./words";

function Dot({ x, y, width, height, look }: { x: number; y: number; width: number; height: number; look: string }) {
  return <rect className="mini" x={x} y={y} width={width} height={height} rx={10} data-status={look} />;
}

function LiveDot({ id, ...box }: { id: string; x: number; y: number; width: number; height: number }) {
  const look = useSession((s) => lookOf(s.view.nodes[id], s.view.status));
  return <Dot {...box} look={look} />;
}

const MiniNode = memo(function MiniNode({ id, x, y, width, height }: MiniMapNodeProps) {
  const box = { x, y, width, height };
  return useContext(StoreContext) ? <LiveDot id={id} {...box} /> : <Dot {...box} look="idle" />;
});

export function Overview() {
  const w = useWords(graphWords);
  return <MiniMap className="overview" nodeComponent={MiniNode} pannable zoomable ariaLabel={w.map} />;
}
