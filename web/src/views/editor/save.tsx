// Saving: a new version, a new workflow, a template; and what is done when somebody else was faster.

import { Suspense, useEffect, useState, type FormEvent } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { Workflow } from "@sluice/client";
import { ApiError, client } from "@/client/http";
import { go, href } from "@/app/route";
import { Dialog } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { ErrorText, Waiting } from "@/ui/kit/loaded";
import { toast } from "@/ui/kit/toast";
import { late } from "@/ui/late";
import { common } from "@/words/common";
import { useWords, wordsNow } from "@/words/words";
import { useEditor, useTools } from "./context";
import { dropDraft } from "./drafts";
import { flowOf, ID, textOf, type Flow } from "./model";
import type { EditorStore } from "./store";
import { words } from "./words";

const Compared = late(() => import("./compared"));

export type Saved = { ok: true; version: number; id: string } | { ok: false; error: unknown; newer?: { flow: Flow; version: number } };

async function newest(id: string): Promise<{ flow: Flow; version: number } | undefined> {
  const now = await client.getWorkflow(id);
  const flow = flowOf((now as { graph?: Flow }).graph);
  return flow && { flow, version: now.version ?? 0 };
}

/** A new version of what is there; who was not the last to save is told so. */
export async function saveVersion(store: EditorStore, id: string, over?: number): Promise<Saved> {
  const { flow, version } = store.get();
  try {
    const done = await client.putWorkflow(id, flow, { ifMatch: over ?? version }) as Workflow;
    store.markSaved(flow, done.version);
    if (store.get().flow === flow) dropDraft(id);
    return { ok: true, id, version: done.version ?? 0 };
  } catch (error) {
    const stale = error instanceof ApiError && error.status === 412;
    const newer = stale ? await newest(id).catch(() => undefined) : undefined;
    return { ok: false, error, ...(newer && { newer }) };
  }
}

export function useSaved(): (id?: string) => void {
  const queries = useQueryClient();
  return (id) => {
    // What is being edited is not read again under one's hands.
    void queries.invalidateQueries({ queryKey: ["workflows"], predicate: (q) => q.queryKey[2] !== "edit" });
    if (id) void queries.invalidateQueries({ queryKey: ["versions", id] });
  };
}

/** As a workflow of its own: the first time, or under another id. */
export function SaveNewDialog({ id, onClose }: { id?: string; onClose: () => void }) {
  const w = useWords(words);
  const c = useWords(common);
  const { store } = useTools();
  const saved = useSaved();
  const flow = useEditor((s) => s.flow);
  const [name, setName] = useState(textOf(flow.name));
  const [newId, setNewId] = useState(id ? "" : textOf(flow.id));
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const badId = newId && !ID.test(newId) ? w.badId : undefined;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (badId) return;
    setBusy(true);
    setError(undefined);
    try {
      const { id: _, ...rest } = flow;
      const next = { ...(newId && { id: newId }), ...rest, ...(name && { name }) } as Flow;
      const made = await client.createWorkflow(next) as Workflow;
      dropDraft(id);
      store.markSaved(store.get().flow, made.version);
      saved();
      toast(wordsNow(words).createdToast);
      go(href.editor(made.id));
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={id ? w.saveAs : w.save} onClose={onClose}>
      <form onSubmit={(e) => void submit(e)} data-testid="save-new-form">
        <div className="dialog-body stack">
          <TextField label={w.newName} value={name} onChange={setName} maxLength={200} autoFocus testId="new-name" />
          <TextField label={w.newId} mono about={w.newIdAbout} optional value={newId} onChange={setNewId} error={badId} testId="new-id" />
          <ErrorText error={error} what={w.notSaved} />
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy} data-testid="save-new-do">{busy ? c.saving : c.save}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function TemplateDialog({ onClose }: { onClose: () => void }) {
  const w = useWords(words);
  const c = useWords(common);
  const queries = useQueryClient();
  const flow = useEditor((s) => s.flow);
  const [form, setForm] = useState({ id: textOf(flow.id), name: textOf(flow.name), description: textOf(flow.description), category: textOf(flow.type) });
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const set = (member: keyof typeof form) => (value: string) => setForm({ ...form, [member]: value });
  const badId = form.id && !ID.test(form.id) ? w.badId : undefined;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const filled = Object.fromEntries(Object.entries(form).filter(([, v]) => v.trim()));
      await client.createTemplate({ ...filled, graph: flow });
      void queries.invalidateQueries({ queryKey: ["templates"] });
      toast(wordsNow(words).templateToast);
      onClose();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={w.templateTitle} onClose={onClose}>
      <form onSubmit={(e) => void submit(e)} data-testid="template-form">
        <div className="dialog-body stack">
          <TextField label={c.name} value={form.name} onChange={set("name")} maxLength={200} autoFocus />
          <TextField label={w.templateId} mono optional value={form.id} onChange={set("id")} error={badId} />
          <TextField label={c.description} rows={2} optional value={form.description} onChange={set("description")} maxLength={4000} />
          <TextField label={w.category} about={w.categoryAbout} optional value={form.category} onChange={set("category")} maxLength={64} />
          <ErrorText error={error} what={w.notSaved} />
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy || Boolean(badId)} data-testid="template-do">{busy ? c.saving : c.save}</button>
        </div>
      </form>
    </Dialog>
  );
}

interface ConflictProps { id: string; newer: { flow: Flow; version: number }; onSaved: (version: number) => void; onClose: () => void }

export function ConflictDialog({ id, newer, onSaved, onClose }: ConflictProps) {
  const w = useWords(words);
  const { store } = useTools();
  const mine = useEditor((s) => s.flow);
  const [error, setError] = useState<unknown>();
  const [theirs, setTheirs] = useState(newer);
  const overwrite = async () => {
    const done = await saveVersion(store, id, theirs.version);
    if (done.ok) return onSaved(done.version);
    if (done.newer) setTheirs(done.newer);
    setError(done.error);
  };
  const take = () => {
    store.run(() => theirs.flow);
    store.markSaved(theirs.flow, theirs.version);
    dropDraft(id);
    onClose();
  };
  useEffect(() => setError(undefined), [theirs]);
  return (
    <Dialog title={w.conflict} onClose={onClose} wide>
      <div className="dialog-body" data-testid="conflict">
        <p>{w.conflictAbout(theirs.version)}</p>
        <Suspense fallback={<Waiting />}><Compared theirs={theirs.flow} mine={mine} /></Suspense>
        <ErrorText error={error} what={w.notSaved} />
      </div>
      <div className="dialog-actions">
        <button type="button" onClick={onClose}>{w.keepEditing}</button>
        <button type="button" onClick={take}>{w.takeTheirs}</button>
        <button type="button" className="primary" onClick={() => void overwrite()} data-testid="overwrite">{w.overwrite}</button>
      </div>
    </Dialog>
  );
}
