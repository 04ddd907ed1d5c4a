// The conversation: runs in order, parallel branches side by side. Only the rows near the screen are in the page,
// whatever the length of the session; their heights are measured, and what changes above the reader moves nothing.

import { memo, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { elementScroll, useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { matchRoute, useHash } from "@/app/route";
import { useShortcuts } from "@/app/shortcuts";
import { blockOf, branchSlots, conversation, type Block } from "@/session/branches";
import { useSession, useStore } from "@/session/hooks";
import { RUN_ITEMS_MAX, TERMINAL, type SessionView } from "@/session/model";
import { isSpoken } from "@/session/spoken";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import { Columns } from "./columns";
import { Ending } from "./ending";
import { FindBar } from "./find";
import { Run } from "./message";
import { Note } from "./note";
import { TalkContext, type Talk } from "./talk";
import { talkWords } from "./talk-words";
import { useFollow } from "./use-follow";

type Rows = Virtualizer<HTMLDivElement, HTMLDivElement>;

const OVERSCAN = 3;
const IN_SIGHT = 0.7;
const MARKED_MS = 2_400;

// A guess, until a row has been on the screen: what its letters need.
const LINE_PX = 24;
const LINE_LETTERS = 92;
const HEAD_PX = 60;
const NOTE_PX = 44;

function runHeight(view: SessionView, id: string, letters: number, part?: number): number {
  const items = view.runs[id]?.items ?? [];
  let height = HEAD_PX;
  for (const item of part === undefined ? items : items.slice(part * RUN_ITEMS_MAX, (part + 1) * RUN_ITEMS_MAX)) {
    const text = item.kind === "message" ? view.messages[item.id]?.text : undefined;
    height += text === undefined ? NOTE_PX : Math.min(60_000, Math.ceil(text.length / letters) * LINE_PX);
  }
  return height;
}

function blockHeight(view: SessionView, block: Block | undefined): number {
  if (!block || block.kind === "note") return NOTE_PX;
  if (block.kind === "run") return runHeight(view, block.runId, LINE_LETTERS, block.part);
  const letters = Math.max(20, LINE_LETTERS / block.columns.length);
  return Math.max(...block.columns.map((c) => c.runIds.reduce((h, id) => h + runHeight(view, id, letters), 40)));
}

const Row = memo(function Row({ block }: { block: Block }) {
  switch (block.kind) {
    case "note": return <Note id={block.noteId} />;
    case "run": return <Run id={block.runId} part={block.part} />;
    case "parallel": return <Columns block={block} />;
  }
});

/** The conversation's rows; built again when its shape changes, never for a token. */
function useBlocks(): Block[] {
  const store = useStore();
  const shape = useSession((s) => s.view.shape);
  const order = useSession((s) => s.view.order);
  const workflow = useSession((s) => s.workflow);
  const slots = useMemo(() => branchSlots(workflow), [workflow]);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the shape stands for the runs
  return useMemo(() => conversation(store.get().view, workflow, slots, (run) => isSpoken(run, workflow?.nodes?.[run.nodeId])), [store, shape, order, workflow, slots]);
}

/** ?node= in the address: the conversation goes to that node's newest run (or to ?run=) and marks it. */
function useJump(blocks: Block[], jump: (index: number) => void): Pick<Talk, "node" | "marked"> {
  const store = useStore();
  const hash = useHash();
  const query = useMemo(() => matchRoute("sessions/:id", hash)?.query ?? matchRoute("sessions/:id/replay", hash)?.query, [hash]);
  const node = query?.get("node") ?? undefined;
  const run = query?.get("run") ?? undefined;
  const [marked, setMarked] = useState<string>();
  const done = useRef("");
  useEffect(() => {
    const wanted = node ? `${node}/${run ?? ""}` : "";
    if (wanted === done.current) return;
    if (!node) {
      done.current = "";
      return;
    }
    const { view } = store.get();
    const ids = view.nodes[node]?.runIds ?? [];
    const id = run && view.runs[run]?.nodeId === node ? run : [...ids].reverse().find((r) => blockOf(blocks, r) >= 0);
    const index = id ? blockOf(blocks, id) : -1;
    // It may be on its way: a page that has just been opened, a node that has not run.
    if (!id || index < 0) return;
    done.current = wanted;
    setMarked(id);
    jump(index);
  }, [node, run, blocks, store, jump]);
  useEffect(() => {
    if (!marked) return;
    const timer = setTimeout(() => setMarked(undefined), MARKED_MS);
    return () => clearTimeout(timer);
  }, [marked]);
  return { node, marked };
}

export function Conversation({ plain }: { plain: boolean }) {
  const w = useWords(talkWords);
  const store = useStore();
  const blocks = useBlocks();
  const status = useSession((s) => s.view.status);
  const fromSnapshot = useSession((s) => s.view.fromSnapshot);
  const { scroller, content, following, toEnd, letGo, moved } = useFollow();
  const [finding, setFinding] = useState(false);

  const rows: Rows = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: blocks.length,
    getScrollElement: () => scroller.current,
    estimateSize: (i) => blockHeight(store.get().view, blocks[i]),
    getItemKey: useCallback((i: number) => blocks[i]?.key ?? i, [blocks]),
    overscan: OVERSCAN,
    scrollToFn: (offset, options, instance) => {
      elementScroll(offset, options, instance);
      moved(scroller.current?.scrollTop ?? offset);
    },
  });
  const jump = useCallback((index: number) => {
    // What is in sight already stays where it is.
    const [top] = rows.getOffsetForIndex(index, "start") ?? [0];
    const box = scroller.current;
    if (box && top >= box.scrollTop && top < box.scrollTop + box.clientHeight * IN_SIGHT) return;
    letGo();
    rows.scrollToIndex(index, { align: "start" });
  }, [letGo, rows, scroller]);
  const { node, marked } = useJump(blocks, jump);
  const unfolded = useMemo(() => new Map<string, number>(), []);
  const talk = useMemo<Talk>(() => ({ plain, node, marked, unfolded }), [plain, node, marked, unfolded]);
  const openFind = () => setFinding(true);
  useShortcuts([{ keys: "/", what: w.find, run: openFind }, { keys: "e", what: w.toEnd, run: toEnd }]);

  const shown = rows.getVirtualItems();
  const before = shown[0]?.start ?? 0;
  const after = Math.max(0, rows.getTotalSize() - (shown[shown.length - 1]?.end ?? 0));
  return (
    <TalkContext.Provider value={talk}>
      <div className="conversation">
        {finding
          ? <FindBar blocks={blocks} scroller={scroller} onJump={jump} onClose={() => { setFinding(false); scroller.current?.focus(); }} />
          : <button type="button" className="quiet square find-open" aria-label={w.find} title={w.find} onClick={openFind}><Icon name="search" size={15} /></button>}
        <div className="conversation-scroll" ref={scroller} tabIndex={0} role="log" aria-live="off" aria-label={w.conversation} data-testid="conversation">
          <div className="conversation-inner" ref={content}>
            {fromSnapshot && <p className="hint">{w.snapshot}</p>}
            {blocks.length === 0 && !TERMINAL.has(status) && <p className="hint">{w.nothing}</p>}
            <div className="conversation-rows" style={{ paddingTop: before, paddingBottom: after }}>
              {shown.map((item) => {
                const block = blocks[item.index];
                return block && (
                  <div key={item.key} className="conversation-row" data-index={item.index} data-testid="row" ref={rows.measureElement}><Row block={block} /></div>
                );
              })}
            </div>
            <Ending />
          </div>
        </div>
        {!following && (
          <button type="button" className="to-end" onClick={toEnd}><Icon name="down" size={14} />{w.newest}</button>
        )}
      </div>
    </TalkContext.Provider>
  );
}
