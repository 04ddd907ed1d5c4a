// The same as the chart, in rows and columns: for screen readers, and for whoever wants figures.

import { useState } from "react";
import { useSession } from "@/session/hooks";
import { clock, nodeName, shortDuration } from "@/ui/format";
import { StatusPill } from "@/ui/status";
import { useWords } from "@/words/words";
import { selectNode } from "./select";
import { spent } from "./timeline";
import type { TimelineData } from "./timeline-data";
import { timelineWords } from "./timeline-words";

const CHUNK = 200;

export function TimelineTable({ data }: { data: TimelineData }) {
  const w = useWords(timelineWords);
  const workflow = useSession((s) => s.workflow);
  const [shown, setShown] = useState(CHUNK);
  const rest = data.rows.length - shown;
  return (
    <div className="tab-scroll timeline-table">
      <div className="table-wrap">
        <table className="data-table" data-testid="timeline-table">
          <thead><tr><th>{w.step}</th><th>{w.run}</th><th>{w.state}</th><th>{w.started}</th><th className="num">{w.took}</th><th className="num">{w.waited}</th></tr></thead>
          <tbody>
            {data.rows.slice(0, shown).map((row) => {
              const { tookMs, waitedMs } = spent(row, data.now);
              return (
                <tr key={row.runId}>
                  <td><button type="button" className="quiet small" onClick={() => selectNode(row.nodeId, row.runId)}>{nodeName(row.nodeId, workflow?.nodes?.[row.nodeId])}</button></td>
                  <td>{[w.runName(row.iteration, row.attempt), row.item !== undefined && w.item(row.item)].filter(Boolean).join(", ")}</td>
                  <td><StatusPill status={row.status} />{row.failure && <p className="faint">{row.failure}</p>}</td>
                  <td>{clock(row.from)}</td>
                  <td className="num">{shortDuration(tookMs)}</td>
                  <td className="num">{waitedMs > 0 ? shortDuration(waitedMs) : ""}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {rest > 0 && <button type="button" onClick={() => setShown(shown + CHUNK)}>{w.more(Math.min(CHUNK, rest))}</button>}
    </div>
  );
}
