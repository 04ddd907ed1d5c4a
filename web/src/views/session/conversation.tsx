// The conversation: runs in order, parallel branches side by side, following the newest word until the
// reader scrolls away from it.

import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { branchSlots, conversation, type Block } from "@/session/branches";
import { useSession } from "@/session/hooks";
import { TERMINAL } from "@/session/model";
import { nodeName, outputText, pretty } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Markdown } from "@/ui/markdown";
import { Note, Run } from "./message";

const NEAR_END_PX = 64;

const Columns = memo(function Columns({ block, plain }: { block: Extract<Block, { kind: "parallel" }>; plain: boolean }) {
  const workflow = useSession((s) => s.workflow);
  if (block.columns.every((c) => c.runIds.length === 0)) return null;
  return (
    <div className="columns" data-narrow={block.columns.length > 2 || undefined} style={{ "--columns": block.columns.length } as React.CSSProperties} data-testid="columns">
      {block.columns.map((c) => (
        <div key={c.head} className="column" role="group" aria-label={`Branch ${nodeName(c.head, workflow?.nodes?.[c.head])}`}>
          {c.runIds.map((id) => <Run key={id} id={id} plain={plain} inColumn />)}
        </div>
      ))}
    </div>
  );
});

function Ending() {
  const status = useSession((s) => s.view.status);
  const error = useSession((s) => s.view.error);
  const reason = useSession((s) => s.view.reason);
  const output = useSession((s) => s.view.output);
  const workflow = useSession((s) => s.workflow);
  const repeated = useSession((s) => {
    const text = outputText(s.view.output)?.trim();
    return text !== undefined && Object.values(s.view.messages).some((m) => m.text.trim() === text);
  });
  if (!TERMINAL.has(status)) return null;
  if (status === "failed") {
    return (
      <section className="ending" data-status="failed" data-testid="ending">
        <h2><Icon name="cross" />{error?.code === "stopped" ? "Stopped" : "Failed"}{error?.node_id ? ` at ${nodeName(error.node_id, workflow?.nodes?.[error.node_id])}` : ""}</h2>
        <p>{error?.message ?? reason ?? "The server gave no reason."}</p>
        {error?.code && <p className="faint mono">{error.code}</p>}
      </section>
    );
  }
  if (status === "cancelled") {
    return (
      <section className="ending" data-status="cancelled" data-testid="ending">
        <h2><Icon name="stop" />Cancelled</h2>
        <p>{reason ? `${reason}. ` : ""}Everything said until then is kept.</p>
      </section>
    );
  }
  const text = outputText(output);
  return (
    <section className="ending" data-status="completed" data-testid="ending">
      <h2><Icon name="check" />Completed</h2>
      {text !== null && !repeated && <div className="prose"><Markdown text={text} streaming={false} /></div>}
      {text === null && output !== undefined && <details><summary>Result</summary><pre>{pretty(output)}</pre></details>}
    </section>
  );
}

function useFollow() {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const follow = useRef(true);
  const lastTop = useRef(0);

  const toEnd = useCallback(() => {
    const box = scroller.current;
    if (!box) return;
    follow.current = true;
    setFollowing(true);
    box.scrollTop = box.scrollHeight;
  }, []);

  useEffect(() => {
    const box = scroller.current;
    const inner = content.current;
    if (!box || !inner) return;
    const onScroll = () => {
      const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
      // Only a move upward is the reader's wish to stay; content growing below is not.
      if (atEnd) follow.current = true;
      else if (box.scrollTop < lastTop.current - 2) follow.current = false;
      lastTop.current = box.scrollTop;
      setFollowing(follow.current);
    };
    const observer = new ResizeObserver(() => {
      if (follow.current) box.scrollTop = box.scrollHeight;
    });
    observer.observe(inner);
    observer.observe(box);
    box.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      box.removeEventListener("scroll", onScroll);
    };
  }, []);
  return { scroller, content, following, toEnd };
}

export function Conversation({ plain }: { plain: boolean }) {
  const order = useSession((s) => s.view.order);
  const runs = useSession((s) => s.view.runs);
  const workflow = useSession((s) => s.workflow);
  const status = useSession((s) => s.view.status);
  const fromSnapshot = useSession((s) => s.view.fromSnapshot);
  const slots = useMemo(() => branchSlots(workflow), [workflow]);
  const blocks = useMemo(() => conversation(order, runs, workflow, slots), [order, runs, workflow, slots]);
  const { scroller, content, following, toEnd } = useFollow();
  const anything = order.length > 0;

  return (
    <div className="conversation">
      <div className="conversation-scroll" ref={scroller} tabIndex={0} role="log" aria-live="off" aria-label="Conversation" data-testid="conversation">
        <div className="conversation-inner" ref={content}>
          {fromSnapshot && <p className="hint">This run is old: its messages are whole, but how they came is no longer kept.</p>}
          {!anything && !TERMINAL.has(status) && <p className="hint">Nothing has been said yet.</p>}
          {blocks.map((b) => b.kind === "note" ? <Note key={b.key} id={b.noteId} />
            : b.kind === "run" ? <Run key={b.key} id={b.runId} plain={plain} />
            : <Columns key={b.key} block={b} plain={plain} />)}
          <Ending />
        </div>
      </div>
      {!following && (
        <button type="button" className="to-end" onClick={toEnd}><Icon name="down" size={14} />Newest</button>
      )}
    </div>
  );
}
