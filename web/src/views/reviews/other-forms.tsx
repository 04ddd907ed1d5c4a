// A question to the person in the session, and a signal that somebody may send by hand.

import { useId, useRef, useState, type FormEvent } from "react";
import type { Json } from "@sluice/client";
import { client } from "@/client/http";
import { focusError, readForm, SchemaForm, submitOnCtrlEnter, valuesFrom } from "@/ui/schema-form";
import { useWords } from "@/words/words";
import type { FormProps } from "./review-form";
import { answerWith, sayTo } from "./use-answer";
import { words } from "./words";

export function QuestionForm({ asked, locked, sending: { sending, trouble, send }, draft: { fields, set } }: FormProps) {
  const w = useWords(words);
  const id = useId();
  const [own, setOwn] = useState<Record<string, string>>({});
  const box = useRef<HTMLFormElement>(null);
  const said = fields.said ?? "";
  const schema = asked.formSchema;
  const form = fields.form ?? valuesFrom(schema);
  const errors = { ...(trouble?.kind === "fields" ? trouble.errors : {}), ...own };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (locked) return;
    if (!schema) {
      if (said.trim()) void send("submit", said.trim(), (key) => sayTo(asked, said.trim(), key));
      return;
    }
    const read = readForm(schema, form);
    setOwn(read.errors);
    focusError(box.current, read.errors);
    if (Object.keys(read.errors).length) return;
    void send("submit", read.data, (key) => answerWith(asked, asked.actions[0] ?? "submit", read.data, undefined, key));
  };
  return (
    <form className="answer-form" data-testid="input-form" ref={box} onSubmit={submit}>
      {schema ? <SchemaForm schema={schema} values={form} errors={errors} onChange={(next) => set({ form: next })} disabled={Boolean(sending)} /> : (
        <div className="field">
          <label htmlFor={id}>{w.yourAnswer}</label>
          <textarea id={id} rows={3} value={said} disabled={Boolean(sending)} data-testid="said" placeholder={w.answerHint}
            onChange={(e) => set({ said: e.target.value })} onKeyDown={submitOnCtrlEnter} />
        </div>
      )}
      <div className="answer-actions">
        <button type="submit" className="primary" disabled={locked || Boolean(sending) || (!schema && !said.trim())} data-testid="say">
          {sending && <span className="spinner" aria-hidden="true" />}{w.send}
        </button>
      </div>
    </form>
  );
}

// Somebody who types { means an object; everything else that is no JSON is text.
function payloadOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

export function SignalForm({ asked, locked, sending: { sending, send }, draft: { fields, set } }: FormProps) {
  const w = useWords(words);
  const id = useId();
  const text = fields.said ?? "";
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (locked) return;
    const payload = text.trim() ? payloadOf(text.trim()) : undefined;
    const body = { node_id: asked.nodeId, ...(payload === undefined ? {} : { payload }) };
    void send("signal", body, (key) => client.signalSession(asked.sessionId, body, { idempotencyKey: key }));
  };
  return (
    <form className="answer-form" data-testid="signal-form" onSubmit={submit}>
      <div className="field">
        <label htmlFor={id}>{w.payload}</label>
        <p className="about" id={`${id}-about`}>{w.payloadAbout}</p>
        <textarea id={id} className="code" rows={2} value={text} disabled={Boolean(sending)} data-testid="payload" aria-describedby={`${id}-about`}
          onChange={(e) => set({ said: e.target.value })} onKeyDown={submitOnCtrlEnter} />
      </div>
      <div className="answer-actions">
        <button type="submit" className="primary" disabled={locked || Boolean(sending)} data-testid="send-signal">
          {sending && <span className="spinner" aria-hidden="true" />}{w.sendSignal}
        </button>
      </div>
    </form>
  );
}
