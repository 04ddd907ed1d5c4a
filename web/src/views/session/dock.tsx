// What waits for a person, at the foot of the conversation: a review with its actions, or a question.

import { useEffect, useId, useRef, useState } from "react";
import { ApiError } from "@/client/http";
import type { Json } from "@sluice/client";
import { useSession, useSessionList, useStore } from "@/session/hooks";
import type { InterruptView } from "@/session/model";
import { nodeName, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { readForm, SchemaForm, submitOnCtrlEnter, valuesFrom, type FormValues } from "@/ui/schema-form";

const LABELS: Record<string, string> = {
  approve: "Approve", reject: "Send back", modify: "Approve with changes", edit: "Save changes", skip: "Skip", submit: "Send",
  input: "Send", answer: "Send",
};
const label = (action: string) => LABELS[action] ?? words(action);
const isGood = (action: string, editing: boolean) =>
  ["approve", "submit", "accept", "yes", "input", "answer"].includes(action) || (editing && needsEdit(action));
const needsEdit = (action: string) => action === "modify" || action === "edit";

function useCountdown(until: string | undefined): string {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!until) return;
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, [until]);
  if (!until) return "";
  const left = Date.parse(until) - now;
  if (Number.isNaN(left)) return "";
  const minutes = Math.max(1, Math.round(left / 60_000));
  return left <= 0 ? "time is up" : minutes < 120 ? `${minutes} min left` : `${Math.round(minutes / 60)} h left`;
}

function useSending() {
  const [sending, setSending] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const send = async (what: string, work: () => Promise<void>) => {
    setSending(what);
    setProblem(undefined);
    try {
      // On success the form goes away with the interrupt; until its event comes it stays locked.
      await work();
    } catch (err) {
      setSending(undefined);
      setProblem(err instanceof ApiError && err.status === 409
        ? "This was answered already, perhaps by someone else."
        : err instanceof Error ? err.message : String(err));
    }
  };
  return { sending, problem, send };
}

function Problem({ text }: { text?: string }) {
  return text ? <p className="field-error" role="alert"><Icon name="warn" size={13} /> {text}</p> : null;
}

const draftText = (draft: Json | undefined): string =>
  draft === undefined || draft === null ? "" : typeof draft === "string" ? draft : JSON.stringify(draft, null, 2);

function Review({ interrupt }: { interrupt: InterruptView }) {
  const store = useStore();
  const id = useId();
  const paused = useSession((s) => s.view.status === "paused");
  const hasDraft = interrupt.draft !== undefined && interrupt.draft !== null;
  const asked = interrupt.actions.length ? interrupt.actions : ["approve", "reject"];
  const original = draftText(interrupt.draft);
  const [comment, setComment] = useState("");
  const [draft, setDraft] = useState(original);
  const [editing, setEditing] = useState(interrupt.kind === "edit_content");
  // A changed text approved as it was, or as it is? Once it is open for change, only the latter is offered.
  const actions = editing && asked.some(needsEdit)
    ? [...asked.filter(needsEdit), ...asked.filter((a) => !needsEdit(a) && a !== "approve")] : asked;
  const [form, setForm] = useState<FormValues>(() => valuesFrom(interrupt.formSchema, interrupt.draft));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const { sending, problem, send } = useSending();
  const editable = hasDraft && (interrupt.kind === "edit_content" || asked.some(needsEdit));
  const draftBox = useRef<HTMLTextAreaElement>(null);

  const answer = (action: string) => {
    if (needsEdit(action) && editable && !editing) {
      setEditing(true);
      setTimeout(() => draftBox.current?.focus());
      return;
    }
    const data: { [key: string]: Json } = {};
    if (comment.trim()) data.comment = comment.trim();
    if (editing && action !== "reject" && action !== "skip") {
      let content: Json = draft;
      if (typeof interrupt.draft !== "string") {
        try {
          content = JSON.parse(draft) as Json;
        } catch {
          setErrors({ draft: "This is no longer valid JSON." });
          return;
        }
      }
      data.content = content;
    }
    if (interrupt.formSchema && action !== "reject" && action !== "skip") {
      const read = readForm(interrupt.formSchema, form);
      setErrors(read.errors);
      if (Object.keys(read.errors).length) return;
      Object.assign(data, read.data);
    }
    void send(action, () => store.answer(interrupt.id, action, Object.keys(data).length ? data : undefined));
  };

  return (
    <form className="dock-form" data-testid="review-form" onSubmit={(e) => e.preventDefault()}>
      {editable && editing && (
        <div className="field">
          <label htmlFor={`${id}-draft`}>The text, to be changed</label>
          <textarea id={`${id}-draft`} ref={draftBox} rows={8} value={draft} disabled={Boolean(sending)} data-testid="draft"
            className={typeof interrupt.draft === "string" ? undefined : "code"} onChange={(e) => setDraft(e.target.value)} />
          {errors.draft && <p className="field-error">{errors.draft}</p>}
        </div>
      )}
      {interrupt.formSchema && <SchemaForm schema={interrupt.formSchema} values={form} errors={errors} onChange={setForm} disabled={Boolean(sending)} />}
      {!interrupt.formSchema && <div className="field">
        <label htmlFor={`${id}-comment`}>Comment<span className="optional"> optional</span></label>
        <textarea id={`${id}-comment`} rows={1} value={comment} disabled={Boolean(sending)} data-testid="comment"
          placeholder="Why, or what should be different" onChange={(e) => setComment(e.target.value)} />
      </div>}
      <Problem text={problem} />
      <div className="dock-actions">
        {/* None submits: one that became the submit button in its own click would do so at once. */}
        {actions.map((action) => (
          <button key={action} type="button" data-testid={`action-${action}`}
            className={isGood(action, editing) ? "primary" : ""} disabled={Boolean(sending)}
            onClick={() => answer(action)}>
            {sending === action && <span className="spinner" aria-hidden="true" />}
            {needsEdit(action) && editable && !editing ? "Change the text…" : label(action)}
          </button>
        ))}
        {editing && interrupt.kind !== "edit_content" && !sending && (
          <button type="button" className="quiet" onClick={() => { setEditing(false); setDraft(original); setErrors({}); }}>Keep the text as it was</button>
        )}
        {paused && <span className="faint">Paused: your answer is kept, and taken up on resume.</span>}
      </div>
    </form>
  );
}

function Question({ interrupt }: { interrupt: InterruptView }) {
  const store = useStore();
  const id = useId();
  const [text, setText] = useState("");
  const [form, setForm] = useState<FormValues>(() => valuesFrom(interrupt.formSchema));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const { sending, problem, send } = useSending();
  const submit = (e: React.FormEvent) => {
    e.preventDefault();
    if (interrupt.formSchema) {
      const read = readForm(interrupt.formSchema, form);
      setErrors(read.errors);
      if (!Object.keys(read.errors).length) {
        void send("submit", () => store.answer(interrupt.id, interrupt.actions[0] ?? "submit", read.data));
      }
    } else if (text.trim()) {
      void send("submit", () => store.say(text.trim()));
    }
  };
  return (
    <form className="dock-form" data-testid="input-form" onSubmit={submit}>
      {interrupt.formSchema
        ? <SchemaForm schema={interrupt.formSchema} values={form} errors={errors} onChange={setForm} disabled={Boolean(sending)} />
        : (
          <div className="field">
            <label htmlFor={id} className="sr">Your answer</label>
            <textarea id={id} rows={3} value={text} disabled={Boolean(sending)} data-testid="said" placeholder="Your answer. Ctrl and Enter sends it."
              onChange={(e) => setText(e.target.value)} onKeyDown={submitOnCtrlEnter} />
          </div>
        )}
      <Problem text={problem} />
      <div className="dock-actions">
        <button type="submit" className="primary" disabled={Boolean(sending) || (!interrupt.formSchema && !text.trim())} data-testid="say">
          {sending && <span className="spinner" aria-hidden="true" />}Send
        </button>
      </div>
    </form>
  );
}

export function Dock() {
  const open = useSessionList((s) => s.view.open.map((id) => s.view.interrupts[id]).filter((i): i is InterruptView => Boolean(i)));
  const workflow = useSession((s) => s.workflow);
  const [chosen, setChosen] = useState<string>();
  const current = open.find((i) => i.id === chosen) ?? open[0];
  const left = useCountdown(current?.expiresAt);
  if (!current) return null;
  const name = nodeName(current.nodeId, workflow?.nodes?.[current.nodeId]);
  const isQuestion = current.kind === "user_input" || workflow?.nodes?.[current.nodeId]?.type === "user_input";
  return (
    <section className="dock" aria-label={`${name} waits for you`} data-testid="dock">
      <header>
        <span className="dock-title"><Icon name={isQuestion ? "user_input" : "human_review"} />{name}</span>
        {left && <span className="faint">{left}</span>}
        {open.length > 1 && (
          <div className="tabs" role="group" aria-label="Open questions">
            {open.map((i) => (
              <button key={i.id} type="button" aria-pressed={i.id === current.id} onClick={() => setChosen(i.id)}>
                {nodeName(i.nodeId, workflow?.nodes?.[i.nodeId])}
              </button>
            ))}
          </div>
        )}
      </header>
      {current.reason && <p className="dock-reason">{current.reason}</p>}
      {isQuestion ? <Question key={current.id} interrupt={current} /> : <Review key={current.id} interrupt={current} />}
    </section>
  );
}
