// Everything that waits for a person, in the inbox and in a session's dock: what is asked, the form for it, why an answer
// was refused, and what became of it.

import { useState } from "react";
import { useMutation } from "@tanstack/react-query";
import { useMay } from "@/app/context";
import { api } from "@/client/http";
import { Icon } from "@/ui/icons";
import { useWords } from "@/words/words";
import type { Asked } from "./asked";
import { useDraft } from "./drafts";
import { QuestionForm, SignalForm } from "./other-forms";
import { Outcome, Prose, TroubleNote, UnderReview, Votes } from "./parts";
import { ReviewForm, type FormProps, type Typed } from "./review-form";
import { useReviewer } from "./reviewer";
import { StageForm } from "./stage-form";
import { useSending } from "./use-answer";
import { timeoutWords, words } from "./words";
import "./reviews.css";

interface Props {
  asked: Asked;
  /** Of its session. */
  paused?: boolean;
  replay?: boolean;
  /** What the workflow does when nobody answers: "fail", "skip", "route". */
  onTimeout?: string;
  /** Little room: the text under review is folded. */
  compact?: boolean;
  /** The server has taken an answer: "resumed", or "recorded" when others have to answer too. */
  onAnswered?: (status: string) => void;
}

const FORMS: Record<string, (props: FormProps) => React.ReactNode> = { user_input: QuestionForm, stage: StageForm, signal: SignalForm };

const typedText = (t: Partial<Typed>): string =>
  [t.text, t.comment, t.said, ...Object.values(t.deliverables ?? {}), t.form && JSON.stringify(t.form, null, 2)].filter(Boolean).join("\n\n");

export function Answer({ asked, paused = false, replay = false, onTimeout, compact = false, onAnswered }: Props) {
  const w = useWords(words);
  const timeouts = useWords(timeoutWords);
  const draft = useDraft<Typed>(asked.id);
  // Until its event comes the form stays locked.
  const [taken, setTaken] = useState(false);
  const sending = useSending(asked, (status) => {
    draft.clear();
    setTaken(status !== "recorded");
    onAnswered?.(status);
  });
  const why = useLocked(asked, paused, replay);
  const mine = typedText(draft.fields);
  if (asked.status !== "pending" && !taken) {
    return (
      <div className="answer">
        {asked.reason && <Prose text={asked.reason} className="answer-reason" />}
        <UnderReview asked={asked} folded={compact} />
        <Outcome asked={asked} />
        {mine && <TroubleNote trouble={{ kind: "late", by: asked }} mine={mine} onDiscard={draft.clear} />}
      </div>
    );
  }
  const Form = FORMS[asked.kind] ?? ReviewForm;
  const isOver = sending.trouble?.kind === "late" || sending.trouble?.kind === "gone";
  const editing = draft.fields.editing ?? asked.kind === "edit_content";
  return (
    <div className="answer" data-compact={compact || undefined}>
      {asked.reason && <Prose text={asked.reason} className="answer-reason" />}
      {asked.kind === "signal" && !asked.reason && <p className="answer-reason">{asked.signal ? w.signal(asked.signal) : w.signalPlain}</p>}
      {!editing && <UnderReview asked={asked} folded={compact} />}
      <Votes asked={asked} />
      {draft.restored && !isOver && (
        <p className="restored-note" role="status"><Icon name="undo" size={13} />{w.restored} <button type="button" className="small quiet" data-testid="discard-draft" onClick={draft.clear}>{w.discard}</button></p>
      )}
      {sending.taken === "recorded" && <p className="recorded" role="status" data-testid="recorded"><Icon name="check" size={14} />{w.recorded}</p>}
      {why && <Locked why={why} sessionId={asked.sessionId} canResume={paused && !replay} />}
      {sending.trouble && sending.trouble.kind !== "fields" && <TroubleNote trouble={sending.trouble} mine={mine} onDiscard={draft.clear} />}
      {sending.trouble?.kind === "fields" && <p className="field-error" role="alert"><Icon name="warn" size={13} />{sending.trouble.error.message}</p>}
      {!isOver && <Form asked={asked} locked={Boolean(why) || taken} sending={sending} draft={draft} />}
      {onTimeout && asked.expiresAt && !isOver && <p className="faint">{timeouts[onTimeout] ?? timeouts.fail}</p>}
    </div>
  );
}

/** Why nothing can be sent just now; said, not only greyed out. */
function useLocked(asked: Asked, paused: boolean, replay: boolean): string | undefined {
  const w = useWords(words);
  const may = useMay();
  const { refused } = useReviewer(asked);
  if (replay) return w.replay;
  if (!may("operator")) return w.noRole;
  if (refused) return w.notReviewer(asked.reviewers.join(", "));
  return paused ? w.paused : undefined;
}

function Locked({ why, sessionId, canResume }: { why: string; sessionId: string; canResume: boolean }) {
  const w = useWords(words);
  const may = useMay();
  const resume = useMutation({ mutationFn: () => api.resume(sessionId) });
  return (
    <p className="locked" role="status" data-testid="locked">
      <Icon name={canResume ? "pause" : "eye"} size={14} /><span>{why}</span>
      {canResume && may("operator") && <button type="button" className="small" disabled={resume.isPending} onClick={() => resume.mutate()}>{w.resume}</button>}
    </p>
  );
}
