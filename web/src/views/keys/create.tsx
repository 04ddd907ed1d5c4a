// A new key: who uses it, what it may do, until when. Its text is shown once.

import { useState, type FormEvent } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { Key, Role } from "@sluice/client";
import { useApp } from "@/app/context";
import { apiKey, client } from "@/client/http";
import { fieldOf } from "@/ui/kit/draft";
import { Dialog } from "@/ui/kit/dialog";
import { SelectField, TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { Once } from "@/ui/kit/once";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { keyWords } from "./words";

const ROLES: Role[] = ["viewer", "operator", "editor", "admin"];
const DAYS = [1, 7, 30, 90, 365];
const DAY_MS = 86_400_000;

/** undefined: it is no time, or one that has passed. null: never. */
function endOf(choice: string, at: string): string | null | undefined {
  if (choice === "never") return null;
  const time = choice === "custom" ? Date.parse(at) : Date.now() + Number(choice) * DAY_MS;
  return Number.isFinite(time) && time > Date.now() ? new Date(time).toISOString() : undefined;
}

export function CreateKey({ first, onClose }: { first: boolean; onClose: () => void }) {
  const w = useWords(keyWords);
  const [made, setMade] = useState<Key>();
  const done = () => {
    // From the first key on nobody stays without one: the new key is this tab's.
    if (first && made?.key) useKey(made.key);
    else onClose();
  };
  return (
    <Dialog title={made ? w.made : w.create} onClose={made ? done : onClose} wide>
      {made?.key ? <Once title={made.name} about={w.once} text={made.key} done={first ? w.useIt : w.kept} onDone={done} /> : <KeyForm first={first} onMade={setMade} onClose={onClose} />}
    </Dialog>
  );
}

function useKey(key: string): void {
  apiKey.set(key);
  location.reload();
}

function KeyForm({ first, onMade, onClose }: { first: boolean; onMade: (key: Key) => void; onClose: () => void }) {
  const w = useWords(keyWords);
  const c = useWords(common);
  const { who } = useApp();
  const queries = useQueryClient();
  const [form, setForm] = useState({ name: "", role: (first ? "admin" : "operator") as Role, workspace: "", expires: first ? "never" : "90", at: "" });
  const [wrong, setWrong] = useState<{ name?: string; at?: string; workspace?: string }>({});
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const set = (change: Partial<typeof form>) => { setForm((f) => ({ ...f, ...change })); setWrong({}); };
  const make = async (e: FormEvent) => {
    e.preventDefault();
    const expires_at = endOf(form.expires, form.at);
    const bad = { ...(form.name.trim() ? {} : { name: w.nameNeeded }), ...(expires_at === undefined ? { at: w.past } : {}) };
    setWrong(bad);
    if (Object.keys(bad).length) return;
    setBusy(true);
    setError(undefined);
    try {
      onMade(await client.createKey({ name: form.name.trim(), role: form.role, expires_at, ...(form.workspace.trim() ? { workspace: form.workspace.trim() } : {}) }));
      if (!first) void queries.invalidateQueries({ queryKey: ["keys"] });
    } catch (err) {
      const at = fieldOf(err, ["name", "workspace", "expires_at"]);
      if (at) setWrong({ [at.field === "expires_at" ? "at" : at.field]: at.text });
      else setError(err);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(e) => void make(e)} noValidate>
      <div className="dialog-body stack">
        {first && <p className="banner" data-tone="warn">{w.first}</p>}
        <TextField label={w.name} about={w.nameAbout} value={form.name} error={wrong.name} autoFocus onChange={(name) => set({ name })} testId="key-name" />
        <fieldset className="plain role-list">
          <legend>{w.role}</legend>
          {ROLES.map((r) => (
            <label key={r} className="role-choice">
              <input type="radio" name="role" value={r} checked={form.role === r} onChange={() => set({ role: r })} data-testid={`role-${r}`} />
              <span><strong>{w.roles[r]}</strong> <span className="faint">{w.may[r]}</span></span>
            </label>
          ))}
        </fieldset>
        <div className="grid-2">
          <SelectField label={w.expires} value={form.expires} options={[...DAYS.map((d) => [String(d), w.days(d)] as const), ["custom", w.custom], ["never", w.never]]} onChange={(expires) => set({ expires })} testId="key-expires" error={form.expires === "custom" ? undefined : wrong.at} />
          {form.expires === "custom" && <TextField label={w.at} type="datetime-local" value={form.at} error={wrong.at} onChange={(at) => set({ at })} />}
          {(who?.kind === "anonymous" || !who) || <TextField label={w.workspace} about={w.workspaceAbout} optional value={form.workspace} error={wrong.workspace} onChange={(workspace) => set({ workspace })} />}
        </div>
        <ErrorText error={error} />
      </div>
      <div className="dialog-actions">
        <button type="button" onClick={onClose}>{c.cancel}</button>
        <button type="submit" className="primary" disabled={busy} data-testid="key-create">{busy && <span className="spinner" aria-hidden="true" />}{c.create}</button>
      </div>
    </form>
  );
}
