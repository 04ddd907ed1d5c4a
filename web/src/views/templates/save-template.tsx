// A stored workflow becomes a template.

import { useState, type FormEvent } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { client } from "@/client/http";
import { Dialog } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { toast } from "@/ui/kit/toast";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { libraryWords } from "../workflows/words";

interface Props { workflow: { id: string; name?: string; description?: string; type?: string | null; version?: number }; onClose: () => void }

export function SaveTemplate({ workflow, onClose }: Props) {
  const w = useWords(libraryWords);
  const c = useWords(common);
  const queries = useQueryClient();
  const [form, setForm] = useState({ name: workflow.name ?? workflow.id, id: "", description: workflow.description ?? "", category: workflow.type ?? "" });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const set = (member: keyof typeof form) => (value: string) => setForm({ ...form, [member]: value });
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (!form.name.trim()) return;
    setBusy(true);
    setError(undefined);
    try {
      const filled = Object.fromEntries(Object.entries(form).filter(([, v]) => v.trim()));
      await client.createTemplate({ ...filled, workflow_id: workflow.id, ...(workflow.version ? { workflow_version: workflow.version } : {}) });
      void queries.invalidateQueries({ queryKey: ["templates"] });
      void queries.invalidateQueries({ queryKey: ["workflows", "start"] });
      toast(w.templateSaved(form.name));
      onClose();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={w.templateTitle(workflow.name ?? workflow.id)} onClose={onClose}>
      <form onSubmit={(e) => void submit(e)} data-testid="save-template">
        <div className="dialog-body stack">
          <p>{w.templateAbout}</p>
          <TextField label={w.templateName} value={form.name} onChange={set("name")} maxLength={200} autoFocus required error={form.name.trim() ? undefined : w.needName} testId="template-name" />
          <TextField label={w.templateDescription} rows={2} optional value={form.description} onChange={set("description")} maxLength={4000} />
          <TextField label={w.category} about={w.categoryAbout} optional value={form.category} onChange={set("category")} maxLength={64} testId="template-category" />
          <TextField label={w.id} about={w.idAbout} optional mono value={form.id} onChange={set("id")} maxLength={64} testId="template-id" />
          <ErrorText error={error} />
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy || !form.name.trim()} data-testid="template-do">{busy ? c.saving : w.saveTemplate}</button>
        </div>
      </form>
    </Dialog>
  );
}
