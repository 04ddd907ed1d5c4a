// A text for a group to remember.

import { useState, type FormEvent } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { MemoryTier } from "@sluice/client";
import { client } from "@/client/http";
import { Dialog } from "@/ui/kit/dialog";
import { fieldOf } from "@/ui/kit/draft";
import { Field, SelectField, TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { toast } from "@/ui/kit/toast";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { objectOf } from "@/ui/json-text";
import { memoryWords } from "./words";

interface Props { group: string; groups: readonly { id: string; name: string }[]; onClose: () => void }

type Wrong = Partial<Record<"group_id" | "content" | "agent_id" | "metadata", string>>;

export function AddMemory({ group, groups, onClose }: Props) {
  const w = useWords(memoryWords);
  const c = useWords(common);
  const queries = useQueryClient();
  const [form, setForm] = useState({ group_id: group, content: "", agent_id: "", tier: "working" as MemoryTier, metadata: "" });
  const [wrong, setWrong] = useState<Wrong>({});
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const set = (change: Partial<typeof form>) => { setForm((f) => ({ ...f, ...change })); setWrong({}); };
  const add = async (e: FormEvent) => {
    e.preventDefault();
    const metadata = objectOf(form.metadata);
    const bad: Wrong = {
      ...(form.group_id.trim() ? {} : { group_id: w.groupNeeded }), ...(form.content.trim() ? {} : { content: w.contentNeeded }), ...(metadata ? {} : { metadata: w.metadataBad }),
    };
    setWrong(bad);
    if (Object.keys(bad).length) return;
    setBusy(true);
    setError(undefined);
    try {
      const made = await client.ingestMemory({
        group_id: form.group_id.trim(), content: form.content, tier: form.tier, ...(form.agent_id.trim() ? { agent_id: form.agent_id.trim() } : {}), ...(form.metadata.trim() ? { metadata } : {}),
      });
      toast(w.remembered(made.chunks));
      void queries.invalidateQueries({ queryKey: ["memories"] });
      onClose();
    } catch (err) {
      const at = fieldOf(err, ["group_id", "content", "agent_id", "metadata"]);
      if (at) setWrong({ [at.field]: at.text });
      else setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={w.add} onClose={onClose} wide>
      <form onSubmit={(e) => void add(e)} noValidate>
        <div className="dialog-body stack">
          <Field label={w.group} error={wrong.group_id}>
            {(control) => (
              <>
                <input {...control} value={form.group_id} list="memory-groups" autoComplete="off" autoFocus={!group} onChange={(e) => set({ group_id: e.target.value })} data-testid="memory-group" />
                <datalist id="memory-groups">{groups.map((g) => <option key={g.id} value={g.id}>{g.name}</option>)}</datalist>
              </>
            )}
          </Field>
          <TextField label={w.content} about={w.contentAbout} rows={6} value={form.content} error={wrong.content} autoFocus={Boolean(group)} onChange={(content) => set({ content })} testId="memory-content" />
          <SelectField label={w.tier} value={form.tier} options={(["working", "long_term", "quarantine"] as const).map((t) => [t, `${w.tiers[t]}: ${w.tierAbout[t]}`] as const)} onChange={(tier) => set({ tier: tier as MemoryTier })} />
          <details className="more-fields">
            <summary>{w.moreFields}</summary>
            <div className="grid-2">
              <TextField label={w.agentId} about={w.agentAbout} optional mono value={form.agent_id} error={wrong.agent_id} onChange={(agent_id) => set({ agent_id })} />
              <TextField label={w.metadata} about={w.metadataAbout} optional mono rows={2} value={form.metadata} error={wrong.metadata} onChange={(metadata) => set({ metadata })} />
            </div>
          </details>
          <ErrorText error={error} />
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy} data-testid="memory-save">{busy && <span className="spinner" aria-hidden="true" />}{w.remember}</button>
        </div>
      </form>
    </Dialog>
  );
}
