// An arrow of the graph: taken or not, and flowing while what it leads to is at work.

import { BaseEdge, type Edge, type EdgeProps } from "@xyflow/react";
import { memo, useContext } from "react";
import { StoreContext, useSession } from "@/session/hooks";
import { useLang } from "@/words/words";
import { flowOf, type Flow } from "./flow";
import { pathThrough, type PlacedEdge } from "./shape";
import { arrowLabel } from "./words";

export type ArrowData = { arrow: PlacedEdge };

// Of the label's type; a wide character takes two places.
const CHARACTER_PX = 5.9;
const widthOf = (text: string) => [...text].reduce((sum, c) => sum + (c > "\u2e80" ? 11 : CHARACTER_PX), 12);

function ArrowFace({ arrow, flow }: { arrow: PlacedEdge; flow: Flow }) {
  const label = arrowLabel(arrow.label, useLang());
  const path = pathThrough(arrow.points, arrow.lane);
  const width = widthOf(label);
  return (
    <g className="arrow" data-flow={flow} data-back={arrow.back || undefined} data-error={arrow.error || undefined}
      data-testid={`edge-${arrow.from}-${arrow.to}`}>
      <BaseEdge path={path} markerEnd={`url(#tip-${flow})`} interactionWidth={0} />
      {label && (
        <g className="arrow-label" transform={`translate(${arrow.labelAt.x},${arrow.labelAt.y})`}>
          <rect x={-width / 2} y={-8.500} width={width} height={17} rx={8.500} />
          <text textAnchor="middle" dominantBaseline="central">{label}</text>
        </g>
      )}
    </g>
  );
}

function LiveArrow({ arrow }: { arrow: PlacedEdge }) {
  const flow = useSession((s) => flowOf(arrow, s.view));
  return <ArrowFace arrow={arrow} flow={flow} />;
}

export const Arrow = memo(function Arrow({ data }: EdgeProps<Edge<ArrowData>>) {
  const live = useContext(StoreContext) !== null;
  if (!data) return null;
  return live ? <LiveArrow arrow={data.arrow} /> : <ArrowFace arrow={data.arrow} flow="idle" />;
});

export function Tips() {
  return (
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
  );
}
