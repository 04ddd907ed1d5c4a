// A workflow from a sentence: a model writes it, the server checks it, the editor takes it.

import { useEffect, useRef, useState } from "react";
import type { JsonObject, Workflow } from "@sluice/client";
import { useMay } from "@/app/context";
import { go, href } from "@/app/route";
import { ApiError, client } from "@/client/http";
import { errorText } from "@/ui/format";
import { Dialog } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { problemLines } from "@/views/start/run";
import { Preview } from "./preview";
import { generateWords } from "./words";
import "./import.css";

const TIMEOUT_MS = 300_000;
/** Where the editor finds a workflow that is not stored. */
export const DRAFT = "sluice.draft";

interface Made { graph: JsonObject; explanation: string; similar_templates: { id: string; name: string; description?: string }[] }

export function openDraft(workflow: JsonObject): void {
  sessionStorage.setItem(DRAFT, JSON.stringify(workflow));
  go(href.editor());
}

function useSeconds(running: boolean): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (!running) return;
    setSeconds(0);
    const timer = setInterval(() => setSeconds((s) => s + 1), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return seconds;
}

function useGenerate() {
  const [made, setMade] = useState<Made>();
  const [error, setError] = useState<unknown>();
  const aborter = useRef<AbortController>(undefined);
  const [busy, setBusy] = useState(false);
  useEffect(() => () => aborter.current?.abort(), []);
  const run = async (prompt: string) => {
    const mine = new AbortController();
    aborter.current = mine;
    setBusy(true);
    setError(undefined);
    try {
      setMade(await client.generate({ prompt }, { signal: mine.signal, timeoutMs: TIMEOUT_MS }));
    } catch (err) {
      if (!mine.signal.aborted) setError(err);
    } finally {
      if (aborter.current === mine) setBusy(false);
    }
  };
  return { made, error, busy, run, stop: () => { aborter.current?.abort(); setBusy(false); } };
}

export default function GenerateDialog({ onClose }: { onClose: () => void }) {
  const w = useWords(generateWords);
  const c = useWords(common);
  const mayEdit = useMay()("editor");
  const [prompt, setPrompt] = useState("");
  const { made, error, busy, run, stop } = useGenerate();
  const seconds = useSeconds(busy);
  const submit = () => { if (prompt.trim() && !busy && mayEdit) void run(prompt.trim()); };
  return (
    <Dialog title={w.title} onClose={onClose} wide>
      <form data-testid="generate-dialog" onSubmit={(e) => { e.preventDefault(); submit(); }}
        onKeyDown={(e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); submit(); } }}>
        <div className="dialog-body">
          <TextField label={w.label} about={w.about} rows={3} value={prompt} onChange={setPrompt} autoFocus hint={w.example} disabled={busy || !mayEdit} maxLength={20_000} testId="generate-prompt" />
          {!mayEdit && <p className="field-warn">{w.viewer}</p>}
          {busy && <div className="generate-busy" role="status"><span><span className="spinner" aria-hidden="true" /> {w.writing(seconds)}</span><span className="faint">{w.writingAbout}</span></div>}
          {error !== undefined && !busy && <Failure error={error} />}
          {made && !busy && <Result made={made} />}
        </div>
        <div className="dialog-actions">
          {busy ? <button type="button" onClick={stop}>{w.stop}</button> : <button type="button" onClick={onClose}>{c.cancel}</button>}
          <button type="submit" className={made ? undefined : "primary"} disabled={busy || !prompt.trim() || !mayEdit} data-testid="generate-go">{made || error ? w.again : w.generate}</button>
          {made && !busy && <button type="button" className="primary" onClick={() => { openDraft(made.graph); onClose(); }} data-testid="generate-open">{w.use}</button>}
        </div>
      </form>
    </Dialog>
  );
}

function Failure({ error }: { error: unknown }) {
  const w = useWords(generateWords);
  const lines = problemLines(error);
  const own = errorText(error);
  const listed = error instanceof ApiError && lines.some((l) => l !== own);
  return (
    <div className="problems" role="alert">
      <p><strong>{w.failed}.</strong> {own}</p>
      {listed && <><p>{w.lastErrors}</p><ul>{lines.map((l) => <li key={l}>{l}</li>)}</ul></>}
    </div>
  );
}

function Result({ made }: { made: Made }) {
  const w = useWords(generateWords);
  const workflow = { id: "draft", ...made.graph } as unknown as Workflow;
  return (
    <div className="generate-result" data-testid="generate-result">
      <p role="status">{w.made(Object.keys(workflow.nodes ?? {}).length)} {made.explanation}</p>
      <Preview workflow={workflow} label={w.preview} />
      {made.similar_templates.length > 0 && (
        <p className="generate-links"><span>{w.similar}</span>{made.similar_templates.map((t) => <a key={t.id} href={href.template(t.id)} title={t.description}>{t.name}</a>)}</p>
      )}
    </div>
  );
}
