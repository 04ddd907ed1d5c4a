// Finding in the conversation. The browser's own search sees only the rows that are on the screen; this one reads
// all messages, goes from one that has the words to the next, and marks the words where they stand.

import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { Block } from "@/session/branches";
import { useSession, useStore } from "@/session/hooks";
import type { SessionView } from "@/session/model";
import { Icon } from "@/ui/icons";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { talkWords } from "./talk-words";

const PATIENCE_MS = 150;
const RANGES_MAX = 500;
const NAME = "found";

/** Where `wanted` stands: indices of blocks, in order. Case does not count. */
export function findBlocks(blocks: readonly Block[], view: Pick<SessionView, "runs" | "messages" | "notes">, wanted: string): number[] {
  const text = wanted.trim();
  if (!text) return [];
  const pattern = new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+"), "iu");
  const noteHas = (id: string) => pattern.test(`${view.notes[id]?.who ?? ""} ${view.notes[id]?.text ?? ""} ${view.notes[id]?.detail ?? ""}`);
  const runs = new Map<string, boolean>();
  const runHas = (id: string) => {
    const known = runs.get(id) ?? Boolean(view.runs[id]?.items.some((i) => (i.kind === "message" ? pattern.test(view.messages[i.id]?.text ?? "") : i.kind === "note" && noteHas(i.id))));
    runs.set(id, known);
    return known;
  };
  return blocks.flatMap((b, i) => {
    const has = b.kind === "note" ? noteHas(b.noteId) : b.kind === "run" ? !b.part && runHas(b.runId) : b.columns.some((c) => c.runIds.some(runHas));
    return has ? [i] : [];
  });
}

function rangesIn(root: Node, wanted: string): Range[] {
  const found: Range[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node && found.length < RANGES_MAX; node = walker.nextNode()) {
    const text = node.nodeValue?.toLowerCase() ?? "";
    for (let at = text.indexOf(wanted); at >= 0 && found.length < RANGES_MAX; at = text.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, Math.min(at + wanted.length, node.nodeValue?.length ?? 0));
      found.push(range);
    }
  }
  return found;
}

/** Marks the words in the rows that are there, without touching their elements. */
function useMarks(scroller: React.RefObject<HTMLElement | null>, wanted: string): void {
  useEffect(() => {
    const box = scroller.current;
    const text = wanted.trim().toLowerCase();
    if (!box || !text || !("highlights" in CSS)) return;
    let frame = 0;
    const mark = () => {
      frame = 0;
      CSS.highlights.set(NAME, new Highlight(...rangesIn(box, text)));
    };
    const soon = () => { frame ||= requestAnimationFrame(mark); };
    const observer = new MutationObserver(soon);
    observer.observe(box, { childList: true, characterData: true, subtree: true });
    soon();
    return () => {
      observer.disconnect();
      cancelAnimationFrame(frame);
      CSS.highlights.delete(NAME);
    };
  }, [scroller, wanted]);
}

interface Props {
  blocks: Block[];
  scroller: React.RefObject<HTMLDivElement | null>;
  onJump: (index: number) => void;
  onClose: () => void;
}

export function FindBar({ blocks, scroller, onJump, onClose }: Props) {
  const w = useWords(talkWords);
  const c = useWords(common);
  const store = useStore();
  const shape = useSession((s) => s.view.shape);
  const [typed, setTyped] = useState("");
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the shape stands for what was said
  const found = useMemo(() => findBlocks(blocks, store.get().view, wanted), [blocks, store, wanted, shape]);
  useMarks(scroller, wanted);
  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    const timer = setTimeout(() => setWanted(typed), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const go = (to: number) => {
    if (!found.length) return;
    const next = (to + found.length) % found.length;
    setAt(next);
    onJump(found[next]!);
  };
  // The first one as soon as there is one; what comes later moves nothing.
  useEffect(() => {
    setAt(0);
    if (found.length) onJump(found[0]!);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [wanted]);
  const onKey = (e: KeyboardEvent) => {
    if (e.key === "Escape") onClose();
    if (e.key === "Enter") {
      e.preventDefault();
      go(at + (e.shiftKey ? -1 : 1));
    }
  };
  return (
    <div className="find-bar" role="search" onKeyDown={onKey} data-testid="find">
      <Icon name="search" size={14} />
      <input ref={input} value={typed} aria-label={w.find} placeholder={w.find} onChange={(e) => setTyped(e.target.value)} />
      <span className="faint" role="status">{wanted.trim() && w.found(Math.min(at, found.length - 1) + 1, found.length)}</span>
      <button type="button" className="quiet square" aria-label={w.findPrevious} disabled={!found.length} onClick={() => go(at - 1)}><Icon name="up" size={14} /></button>
      <button type="button" className="quiet square" aria-label={w.findNext} disabled={!found.length} onClick={() => go(at + 1)}><Icon name="down" size={14} /></button>
      <button type="button" className="quiet square" aria-label={c.close} onClick={onClose}><Icon name="close" size={14} /></button>
    </div>
  );
}
