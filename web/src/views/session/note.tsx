// What stands in the conversation beside the messages: what a person said, rounds, votes, checks, log lines.

import type { Json, JsonObject } from "@sluice/client";
import { useSession } from "@/session/hooks";
import type { NoteView } from "@/session/model";
import { clock, words as wordsOf } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { safeLink, visible } from "@/ui/safe-text";
import { exitWords } from "@/words/common";
import { useWords, wordsNow } from "@/words/words";
import { talkWords } from "./talk-words";

type W = typeof talkWords.en;

const ICON: Partial<Record<NoteView["kind"], string>> = {
  log: "file", error: "warn", vote: "vote", tally: "vote", fact: "search", budget: "warn", breaker: "warn", signal: "link", round: "loop",
};

const num = (value: Json | undefined): number | undefined => (typeof value === "number" ? value : undefined);
const str = (value: Json | undefined): string => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));
const figure = (value: Json | undefined): string => (typeof value === "number" ? String(Math.round(value * 100) / 100) : "");

export function Said({ who, text, at }: { who?: string; text: string; at: string }) {
  const w = useWords(talkWords);
  const name = who || w.you;
  return (
    <div className="said">
      <div className="said-bubble" dir="auto" data-testid="said-text"><span className="sr">{w.said(name)}</span>{visible(text)}</div>
      <span className="faint"><bdi>{name}</bdi> · {clock(at)}</span>
    </div>
  );
}

function roundText(w: W, data: JsonObject): [string, string] {
  const n = num(data.round) ?? 0;
  const reason = str(data.exit_reason);
  const score = num(data.score);
  return [
    reason ? w.loopEnded(n, num(data.max_rounds)) : w.round(n, num(data.max_rounds)),
    [reason && (wordsNow(exitWords)[reason] ?? wordsOf(reason).toLowerCase()), score !== undefined && w.score(figure(score))].filter(Boolean).join(" · "),
  ];
}

interface Source { title: string; url?: string }
const sourcesOf = (value: Json | undefined): Source[] => (Array.isArray(value) ? value : []).flatMap((s) =>
  typeof s === "string" ? [{ title: s, url: safeLink(s) }]
    : s && typeof s === "object" && !Array.isArray(s) ? [{ title: str(s.title) || str(s.url), url: safeLink(str(s.url)) }] : []);

function Fact({ note }: { note: NoteView }) {
  const w = useWords(talkWords);
  const data = note.data ?? {};
  const verdict = str(data.verdict);
  const tone = { supported: "good", refuted: "bad" }[verdict] ?? "warm";
  const known: Record<string, string> = { supported: w.supported, refuted: w.refuted, unverified: w.unverified };
  const sources = sourcesOf(data.sources);
  return (
    <>
      <span className="faint">{w.claim(num(data.current) ?? 0, num(data.total) ?? 0)} </span>
      <bdi>{visible(note.text)}</bdi>{" "}
      {verdict && <span className="chip" data-tone={tone}><Icon name={tone === "good" ? "check" : tone === "bad" ? "cross" : "dot"} size={11} />{known[verdict] ?? verdict}</span>}
      {sources.length > 0 && (
        <p className="faint note-sources">{w.sources} {sources.map((s, i) => (
          <span key={i}>{s.url ? <a href={s.url} target="_blank" rel="noopener noreferrer nofollow"><bdi>{visible(s.title)}</bdi></a> : <bdi>{visible(s.title)}</bdi>}</span>
        ))}</p>
      )}
    </>
  );
}

function Vote({ note }: { note: NoteView }) {
  const w = useWords(talkWords);
  const known: Record<string, string> = { yes: w.yes, no: w.no, abstain: w.abstain };
  const tone = { yes: "good", no: "bad" }[note.text];
  const score = num(note.data?.score);
  return (
    <>
      <strong><bdi>{visible(note.who ?? "")}</bdi></strong>{" "}
      <span className="chip" data-tone={tone}><Icon name={tone === "good" ? "check" : tone === "bad" ? "cross" : "dot"} size={11} />{known[note.text] ?? note.text}</span>
      {score !== undefined && <span className="faint"> {w.score(figure(score))}</span>}
      {note.detail && <p className="faint" dir="auto">{visible(note.detail)}</p>}
    </>
  );
}

function Tally({ note }: { note: NoteView }) {
  const w = useWords(talkWords);
  const tally = note.data?.tally;
  const t = tally && typeof tally === "object" && !Array.isArray(tally) ? tally : {};
  const mean = num(t.mean_score);
  return (
    <>
      <strong>{note.data?.passed ? w.passed : w.notPassed}</strong>{" "}
      <span className="faint">{w.tally(num(t.yes) ?? 0, num(t.no) ?? 0, num(t.abstain) ?? 0)}{mean !== undefined && ` · ${w.score(figure(mean))}`}</span>
    </>
  );
}

function NoteText({ note }: { note: NoteView }) {
  const w = useWords(talkWords);
  const data = note.data ?? {};
  switch (note.kind) {
    case "vote": return <Vote note={note} />;
    case "tally": return <Tally note={note} />;
    case "fact": return <Fact note={note} />;
    case "budget":
      return <><strong>{w.budget}</strong><p className="faint">{w.used(figure(data.used) || str(data.used), figure(data.limit) || str(data.limit))}</p></>;
    case "breaker":
      return <><strong>{w.breaker(data.detector ? wordsOf(str(data.detector)).toLowerCase() : w.detector)}</strong><p className="faint">{w.against(figure(data.value) || str(data.value), figure(data.limit) || str(data.limit))}</p></>;
    case "log": return <span className="log-text" dir="auto">{visible(note.text)}</span>;
    default:
      return <><bdi>{visible(note.text)}</bdi>{note.detail && <p className="faint" dir="auto">{visible(note.detail)}</p>}</>;
  }
}

export function Note({ id }: { id: string }) {
  const w = useWords(talkWords);
  const note = useSession((s) => s.view.notes[id]);
  if (!note) return null;
  if (note.kind === "said") return <Said who={note.who} text={note.text} at={note.at} />;
  if (note.kind === "round") {
    const [text, detail] = roundText(w, note.data ?? {});
    return <div className="round"><span><Icon name="loop" size={12} />{text}{detail && <span className="faint">{detail}</span>}</span></div>;
  }
  return (
    <div className="note" data-kind={note.kind} data-level={note.level}>
      <Icon name={ICON[note.kind] ?? "dot"} size={13} />
      <div><NoteText note={note} /></div>
    </div>
  );
}
