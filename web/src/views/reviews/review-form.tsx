// approve_reject, edit_content, form and actions of one's own: a text to judge or to change, a form, a comment, and the
// buttons. One key each; Ctrl and Enter sends.

import { useId, useRef, useState, type KeyboardEvent } from "react";
import type { Json, JsonObject } from "@sluice/client";
import { useShortcuts } from "@/app/shortcuts";
import { Diff } from "@/ui/diff";
import { Tabs } from "@/ui/kit/tabs";
import { focusError, readForm, SchemaForm, valuesFrom, type FormValues } from "@/ui/schema-form";
import { useWords } from "@/words/words";
import { draftText, isGood, isRefusal, needsEdit, type Asked } from "./asked";
import { Prose } from "./parts";
import { ReviewerField, useReviewer } from "./reviewer";
import type { Draft } from "./drafts";
import { answerWith, type Sending } from "./use-answer";
import { actionName, words } from "./words";

export interface FormProps {
  asked: Asked;
  /** Nothing may be sent just now. */
  locked: boolean;
  sending: Sending;
  draft: Draft<Typed>;
}

/** What is typed before it is sent, of all forms. */
export interface Typed {
  comment: string;
  text: string;
  editing: boolean;
  form: FormValues;
  said: string;
  deliverables: Record<string, string>;
}

export function ReviewForm({ asked, locked, sending: { sending, trouble, send }, draft: { fields, set } }: FormProps) {
  const w = useWords(words);
  const id = useId();
  const commentBox = useRef<HTMLTextAreaElement>(null);
  const draftBox = useRef<HTMLTextAreaElement>(null);
  const formBox = useRef<HTMLFormElement>(null);
  const [own, setOwn] = useState<Record<string, string>>({});
  // "r" asks for the reason first; Ctrl and Enter then sends it back.
  const [armed, setArmed] = useState<string>();
  const reviewer = useReviewer(asked);
  const original = draftText(asked.draft);
  const editable = asked.draft !== undefined && asked.draft !== null && (asked.kind === "edit_content" || asked.actions.some(needsEdit));
  const editing = editable && (fields.editing ?? asked.kind === "edit_content");
  const text = fields.text ?? original;
  const isChanged = editing && text !== original;
  const comment = fields.comment ?? "";
  const form = fields.form ?? valuesFrom(asked.formSchema, asked.draft);
  const errors = { ...(trouble?.kind === "fields" ? trouble.errors : {}), ...own };
  // A changed text approved as it was, or as it is? Once it is changed only the latter is offered.
  const actions = isChanged && asked.actions.some(needsEdit)
    ? [...asked.actions.filter(needsEdit), ...asked.actions.filter((a) => !needsEdit(a) && a !== "approve")] : asked.actions;
  const primary = actions.find((a) => (isChanged ? needsEdit(a) : isGood(a))) ?? (actions.length === 1 ? actions[0] : undefined);

  const edit = () => {
    set({ editing: true });
    setTimeout(() => draftBox.current?.focus());
  };
  const dataFor = (action: string): { data?: JsonObject; wrong?: Record<string, string> } => {
    const data: JsonObject = comment.trim() ? { comment: comment.trim() } : {};
    if (isRefusal(action)) return { data };
    if (isChanged || needsEdit(action)) {
      try {
        data.content = typeof asked.draft === "string" ? text : JSON.parse(text) as Json;
      } catch {
        return { wrong: { draft: w.brokenJson } };
      }
    }
    if (asked.formSchema) {
      const read = readForm(asked.formSchema, form);
      if (Object.keys(read.errors).length) return { wrong: read.errors };
      Object.assign(data, read.data);
    }
    return { data };
  };
  const answer = (action: string) => {
    if (locked || sending) return;
    if (needsEdit(action) && editable && !editing) return edit();
    const { data, wrong } = dataFor(action);
    setOwn({ ...wrong, ...(reviewer.missing ? { reviewer: w.nameNeeded } : {}) });
    if (wrong) focusError(formBox.current, wrong);
    if (wrong || reviewer.missing) return;
    const body = data && Object.keys(data).length ? data : undefined;
    void send(action, [body ?? null, reviewer.name ?? null], (key) => answerWith(asked, action, body, reviewer.name, key));
  };
  const sendArmed = () => { const what = armed ?? primary; if (what) answer(what); };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key === "Escape" && armed) setArmed(undefined);
    if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
    e.preventDefault();
    sendArmed();
  };
  const refuse = () => {
    if (comment.trim() || !commentBox.current) return answer("reject");
    setArmed("reject");
    commentBox.current.focus();
  };
  const has = (action: string) => actions.includes(action);
  useShortcuts(locked ? [] : [
    ...(has("approve") ? [{ keys: "a", what: w.kApprove, run: () => answer("approve") }] : []),
    ...(has("reject") ? [{ keys: "r", what: w.kReject, run: refuse }] : []),
    ...(editable ? [{ keys: "m", what: w.kModify, run: edit }] : []),
    ...(asked.formSchema ? [] : [{ keys: "c", what: w.kComment, run: () => commentBox.current?.focus() }]),
    { keys: "ctrl+enter", what: w.kSend, run: sendArmed },
  ]);

  return (
    <form className="answer-form" data-testid="review-form" ref={formBox} onSubmit={(e) => e.preventDefault()} onKeyDown={onKeyDown}>
      {editing && <Edited asked={asked} original={original} text={text} error={errors.draft} box={draftBox} locked={locked || Boolean(sending)} onChange={(next) => set({ text: next })} />}
      {asked.formSchema && (
        <SchemaForm schema={asked.formSchema} values={form} errors={errors} onChange={(next) => set({ form: next })} disabled={Boolean(sending)} />
      )}
      <ReviewerField reviewer={reviewer} error={errors.reviewer} />
      {!asked.formSchema && (
        <div className="field">
          <label htmlFor={`${id}-comment`}>{w.comment}</label>
          <textarea id={`${id}-comment`} ref={commentBox} rows={1} value={comment} disabled={Boolean(sending)} data-testid="comment"
            placeholder={w.commentHint} aria-describedby={armed ? `${id}-armed` : undefined} onChange={(e) => set({ comment: e.target.value })} />
          {armed && <p className="about" id={`${id}-armed`} role="status">{w.sendsBack}</p>}
        </div>
      )}
      <div className="answer-actions">
        {/* None submits: one that became the submit button in its own click would do so at once. */}
        {actions.map((action) => (
          <button key={action} type="button" data-testid={`action-${action}`} className={action === primary ? "primary" : ""} data-armed={action === armed || undefined}
            aria-keyshortcuts={KEYS[action]} disabled={locked || Boolean(sending) || (needsEdit(action) && editing && !isChanged)} onClick={() => answer(action)}>
            {sending === action && <span className="spinner" aria-hidden="true" />}
            {needsEdit(action) && editable && !editing ? w.change : actionName(action)}
          </button>
        ))}
        {editing && !sending && (isChanged || asked.kind !== "edit_content") && (
          <button type="button" className="quiet" data-testid="keep-text" onClick={() => { set({ editing: asked.kind === "edit_content" ? undefined : false, text: undefined }); setOwn({}); }}>{w.keep}</button>
        )}
      </div>
    </form>
  );
}

const KEYS: Record<string, string> = { approve: "a", reject: "r", modify: "m", edit: "m" };

interface EditedProps {
  asked: Asked;
  original: string;
  text: string;
  error?: string;
  locked: boolean;
  box: React.RefObject<HTMLTextAreaElement | null>;
  onChange: (text: string) => void;
}

/** The text as it was beside the text as it shall be, or what differs. */
function Edited({ asked, original, text, error, locked, box, onChange }: EditedProps) {
  const w = useWords(words);
  const id = useId();
  const [tab, setTab] = useState("edit");
  const isText = typeof asked.draft === "string";
  return (
    <Tabs label={w.textTabs} chosen={tab} onChoose={setTab} className="edited"
      tabs={[{ id: "edit", label: w.editTab, testId: "tab-edit" }, { id: "diff", label: w.diffTab, testId: "tab-diff" }]}>
      {tab === "diff" ? <Diff before={original} after={text} beforeLabel={w.original} afterLabel={w.edited} /> : (
        <div className="side-by-side">
          <section aria-label={w.original} className="side-original">
            <p className="side-label">{w.original}</p>
            <div className="side-text" tabIndex={0} data-testid="original">{isText ? <Prose text={original} /> : <pre>{original}</pre>}</div>
          </section>
          <div className="field side-edit">
            <label htmlFor={id}>{w.edited}</label>
            <textarea id={id} ref={box} rows={8} value={text} readOnly={locked} data-testid="draft" className={isText ? undefined : "code"}
              aria-invalid={Boolean(error)} aria-describedby={error ? `${id}-error` : undefined} onChange={(e) => onChange(e.target.value)} />
            {error && <p className="field-error" id={`${id}-error`}>{error}</p>}
          </div>
        </div>
      )}
    </Tabs>
  );
}
