// One question to one agent, as a session of its own.

import { useState, type FormEvent } from "react";
import type { Graph } from "@sluice/client";
import { go, href } from "@/app/route";
import { client } from "@/client/http";
import { Dialog } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { ErrorText } from "@/ui/kit/loaded";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { tryGraph } from "./form";
import { agentWords } from "./words";

interface Props { id: string; name: string; unsaved: boolean; onClose: () => void }

export function TryDialog({ id, name, unsaved, onClose }: Props) {
  const w = useWords(agentWords);
  const c = useWords(common);
  const [prompt, setPrompt] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const ask = async (e: FormEvent) => {
    e.preventDefault();
    if (!prompt.trim()) return;
    setBusy(true);
    setError(undefined);
    try {
      const { session_id } = await client.execute({ graph: tryGraph(id, name) as Graph, input: { prompt }, name: `${name}: ${prompt}`.slice(0, 120) });
      go(href.session(session_id));
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Dialog title={w.tryTitle(name)} onClose={onClose}>
      <form onSubmit={(e) => void ask(e)}>
        <div className="dialog-body stack">
          <p>{w.tryAbout}{unsaved && <> <strong>{w.trySaved}</strong></>}</p>
          <TextField label={w.tryPrompt} rows={3} value={prompt} onChange={setPrompt} autoFocus required testId="try-prompt" />
          <ErrorText error={error} />
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy || !prompt.trim()} data-testid="try-ask">{busy && <span className="spinner" aria-hidden="true" />}{w.ask}</button>
        </div>
      </form>
    </Dialog>
  );
}
