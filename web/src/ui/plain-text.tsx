// Text as it is, of any length: in pieces of which only the last changes while it grows, and no more of it at once
// than a browser lays out without stopping.

import { memo, useState } from "react";
import { dict, useWords } from "@/words/words";
import { clipped, sizeOf, visible } from "./safe-text";

const PIECE = 4_000;
const FIRST = 60_000;
const MORE = 200_000;

const words = dict({
  en: { more: (left: string) => `Show more (${left} left)` },
  zh: { more: (left: string) => `显示更多（还有 ${left}）` },
});

const Piece = memo(function Piece({ text }: { text: string }) {
  return <span>{visible(text)}</span>;
});

function pieces(text: string): string[] {
  const list: string[] = [];
  for (let at = 0; at < text.length;) {
    const piece = clipped(text.slice(at, at + PIECE + 1), PIECE);
    list.push(piece);
    at += piece.length;
  }
  return list;
}

export function More({ left, onMore }: { left: number; onMore: () => void }) {
  const w = useWords(words);
  return <button type="button" className="small show-more" onClick={onMore}>{w.more(sizeOf(left))}</button>;
}

export function PlainText({ text }: { text: string }) {
  const [max, setMax] = useState(FIRST);
  const shown = clipped(text, max);
  return (
    <>
      {shown.length <= PIECE ? visible(shown) : pieces(shown).map((p, i) => <Piece key={i} text={p} />)}
      {shown.length < text.length && <More left={text.length - shown.length} onMore={() => setMax(max + MORE)} />}
    </>
  );
}
