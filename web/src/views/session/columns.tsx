// Parallel branches side by side; on a narrow screen one below the other, or one at a time.

import { memo, useId } from "react";
import type { ParallelBlock } from "@/session/branches";
import { useSession } from "@/session/hooks";
import { nodeName } from "@/ui/format";
import { useWords } from "@/words/words";
import { common } from "@/words/common";
import { Run } from "./message";
import { useUnfolded } from "./talk";
import { talkWords } from "./talk-words";

const FEW = 2;

export const Columns = memo(function Columns({ block }: { block: ParallelBlock }) {
  const w = useWords(talkWords);
  const c = useWords(common);
  const id = useId();
  const nodes = useSession((s) => s.workflow?.nodes);
  // 0: all of them.
  const [shown, setShown] = useUnfolded(`columns/${block.parallelId}`);
  const columns = block.columns;
  const name = (head: string) => nodeName(head, nodes?.[head]);
  return (
    <div className="columns-box">
      {columns.length > 1 && (
        <div className="branch-switch" role="group" aria-label={w.branches}>
          {[c.all, ...columns.map((col) => name(col.head))].map((label, i) => (
            <button key={i} type="button" className="small" aria-pressed={shown === i} aria-controls={id} onClick={() => setShown(i)}><bdi>{label}</bdi></button>
          ))}
        </div>
      )}
      <div id={id} className="columns" data-narrow={columns.length > FEW || undefined} data-one={shown > 0 || undefined} data-testid="columns"
        style={{ "--columns": columns.length } as React.CSSProperties}
        role={columns.length > FEW ? "group" : undefined} aria-label={columns.length > FEW ? w.branches : undefined} tabIndex={columns.length > FEW ? 0 : undefined}>
        {columns.map((col, i) => (
          <div key={col.head} className="column" data-shown={shown === i + 1 || undefined} role="group" aria-label={w.branch(name(col.head))}>
            {col.runIds.map((run) => <Run key={run} id={run} inColumn />)}
          </div>
        ))}
      </div>
    </div>
  );
});
