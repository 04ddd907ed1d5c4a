// What stands around the forms: the text under review, the time that is left, why an answer was refused, what became of it.

import { useState, type ReactNode } from "react";
import type { JsonObject } from "@sluice/client";
import { clock, duration, errorText, moment, pretty, words as plainWords } from "@/ui/format";
import { Diff } from "@/ui/diff";
import { Icon } from "@/ui/icons";
import { Markdown } from "@/ui/markdown";
import { toast } from "@/ui/kit/toast";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { answerParts, draftText, type Asked, type Vote } from "./asked";
import { SECONDS_MS, useLeft } from "./countdown";
import type { Trouble } from "./use-answer";
import { doneName, words } from "./words";

/** Longer texts are folded: about so many characters stand in the folded box. */
const FOLD = 1400;

export function Prose({ text, className = "" }: { text: string; className?: string }) {
  return <div className={`prose ${className}`}><Markdown text={text} streaming={false} /></div>;
}

export function UnderReview({ asked, folded }: { asked: Asked; folded: boolean }) {
  const w = useWords(words);
  const [all, setAll] = useState(false);
  const text = draftText(asked.draft);
  if (!text) return null;
  const body = typeof asked.draft === "string" ? <Prose text={text} /> : <pre>{text}</pre>;
  if (folded) return <details className="under-review" data-testid="under-review"><summary>{w.underReview}</summary>{body}</details>;
  const long = text.length > FOLD;
  return (
    <section className="under-review card" aria-label={w.underReview} data-testid="under-review">
      <div className="under-review-text" data-folded={(long && !all) || undefined}>{body}</div>
      {long && <button type="button" className="small" aria-expanded={all} onClick={() => setAll(!all)}>{all ? w.showLess : w.showAll}</button>}
    </section>
  );
}

/** A true count-down: by the server's clock, and standing still in a pause. */
export function Countdown({ until, paused }: { until?: string; paused: boolean }) {
  const w = useWords(words);
  const left = useLeft(until);
  if (!left) return null;
  if (paused) return <span className="countdown" data-testid="countdown"><Icon name="pause" size={13} />{w.still}</span>;
  const minutes = left.ms > SECONDS_MS && left.ms < 3_600_000;
  const time = minutes ? w.minutes(Math.floor(left.ms / 60_000)) : duration(left.ms);
  return (
    <span className="countdown" data-urgent={left.urgent || left.over || undefined} data-testid="countdown" title={moment(until)}>
      <Icon name="wait" size={13} />{left.over ? w.over : w.left(time)}
    </span>
  );
}

export function Votes({ asked }: { asked: Asked }) {
  const w = useWords(words);
  if (asked.quorum < 2 && asked.rejectQuorum < 2 && !asked.votes.length) return null;
  const against = asked.votes.filter((v) => v.action === "reject").length;
  return (
    <div className="votes" data-testid="votes">
      <p className="row">
        <span className="chip" data-tone="good"><Icon name="check" size={12} />{w.votes(asked.votes.length - against, asked.quorum)}</span>
        {against > 0 && <span className="chip" data-tone="bad"><Icon name="cross" size={12} />{w.against(against, asked.rejectQuorum)}</span>}
      </p>
      {asked.votes.length > 0 && <ul aria-label={w.votesOf}>{asked.votes.map((v, i) => <VoteRow key={i} vote={v} />)}</ul>}
    </div>
  );
}

function VoteRow({ vote }: { vote: Vote }) {
  const w = useWords(words);
  const { comment } = answerParts(vote);
  return (
    <li>
      <Icon name={vote.action === "reject" ? "cross" : "check"} size={13} />
      <span>{w.by(doneName(vote.action), vote.reviewer ?? w.somebody)} <span className="faint">{clock(vote.at)}</span>{comment && <q>{comment}</q>}</span>
    </li>
  );
}

function facts(data: JsonObject): ReactNode {
  return (
    <dl className="facts-list">
      {Object.entries(data).map(([k, v]) => <div key={k} className="fact"><dt>{plainWords(k)}</dt><dd>{typeof v === "string" ? v : pretty(v)}</dd></div>)}
    </dl>
  );
}

/** Who answered what, and when; or what happened by itself. */
export function outcomeLine(asked: Asked, w: typeof words.en): string {
  const who = asked.answer?.reviewer;
  const what = doneName(asked.answer?.action);
  if (asked.status === "expired") return asked.answer?.action ? w.expiredDid(what) : w.expired;
  if (asked.status === "cancelled") return w.cancelled;
  return who ? w.by(what, who) : what;
}

export function Outcome({ asked }: { asked: Asked }) {
  const w = useWords(words);
  const { comment, content, rest, said } = answerParts(asked.answer);
  const before = draftText(asked.draft);
  const good = asked.status === "answered" && asked.answer?.action !== "reject";
  return (
    <section className="outcome" data-testid="outcome" data-status={asked.status}>
      <p className="outcome-line" data-tone={good ? "good" : "warm"}>
        <Icon name={asked.status === "expired" ? "wait" : good ? "check" : "undo"} />
        <strong>{outcomeLine(asked, w)}</strong>
        {asked.closedAt && <span className="faint">{moment(asked.closedAt)}</span>}
      </p>
      {said && <Prose text={said} />}
      {comment && <div><h3>{w.wrote}</h3><p className="outcome-comment">{comment}</p></div>}
      {content !== undefined && before && content !== before && (
        <div><h3>{w.withChanges}</h3><Diff before={before} after={content} /></div>
      )}
      {rest && asked.kind !== "stage" && <div><h3>{w.theForm}</h3>{facts(rest)}</div>}
      <Votes asked={{ ...asked, votes: asked.answer?.votes ?? asked.votes }} />
    </section>
  );
}

/** Why the answer was not taken, with what was typed, which is never lost by it. */
export function TroubleNote({ trouble, mine, onDiscard }: { trouble: Trouble; mine: string; onDiscard: () => void }) {
  const w = useWords(words);
  const c = useWords(common);
  const text = trouble.kind === "gone" ? w.gone : trouble.kind === "offline" ? w.offline : trouble.kind === "unsure" ? w.unsure
    : trouble.kind === "late" ? { answered: w.late, expired: w.lateExpired, cancelled: w.lateGone, pending: w.late }[trouble.by.status]
      : errorText(trouble.error);
  const copy = () => void navigator.clipboard.writeText(mine).then(() => toast(c.copied));
  return (
    <div className="trouble" role="alert" data-testid="trouble" data-kind={trouble.kind}>
      <p><Icon name="warn" size={14} /><strong>{text}</strong></p>
      {trouble.kind === "late" && (
        <>
          <p>{outcomeLine(trouble.by, w)} {trouble.by.closedAt && w.at(clock(trouble.by.closedAt))}</p>
          {mine && (
            <>
              <p>{w.lateKept}</p>
              <pre>{mine}</pre>
              <p><button type="button" className="small" onClick={copy}><Icon name="copy" size={13} />{w.copyMine}</button>
                <button type="button" className="small quiet" onClick={onDiscard}>{w.discard}</button></p>
            </>
          )}
        </>
      )}
    </div>
  );
}
