// A workflow that comes as a file, native or staged: stored, or what is in the way, and the way around it.

import { useRef, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { Imported, Issue, JsonObject } from "@sluice/client";
import { go, href } from "@/app/route";
import { ApiError, client } from "@/client/http";
import { errorText } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Dialog } from "@/ui/kit/dialog";
import { TextField } from "@/ui/kit/field";
import { toast } from "@/ui/kit/toast";
import { readTextFile } from "@/ui/text-file";
import { common } from "@/words/common";
import { useWords, wordsNow } from "@/words/words";
import { importWords } from "./words";
import "./import.css";

const FILE_MAX = 8 << 20;

interface Held { name: string; text: string; type: "application/json" | "application/yaml" }
type Way = { fix?: boolean; id?: string; update?: boolean };
type State =
  | { step: "busy"; file: Held } | { step: "done"; file: Held; result: Imported }
  | { step: "exists"; file: Held; id: string; way: Way; error?: string } | { step: "refused"; file: Held; way: Way; issues: Issue[]; message: string };

const issuesOf = (err: unknown): Issue[] => {
  const details = err instanceof ApiError ? err.details : undefined;
  const list = details && typeof details === "object" && !Array.isArray(details) ? (details as JsonObject).errors : undefined;
  return Array.isArray(list) ? list as unknown as Issue[] : [];
};

export function useImport() {
  const queries = useQueryClient();
  const [state, setState] = useState<State>();
  const send = async (file: Held, way: Way) => {
    setState({ step: "busy", file });
    try {
      const result = await client.importWorkflow(file.text, { type: file.type, query: { fix: way.fix, id: way.id, update: way.update } });
      void queries.invalidateQueries({ queryKey: ["workflows"] });
      if (result.fixes.length || result.warnings.length) return setState({ step: "done", file, result });
      setState(undefined);
      toast(wordsNow(importWords).added(result.workflow.name));
      go(href.workflow(result.workflow.id));
    } catch (err) {
      if (err instanceof ApiError && err.code === "conflict") return setState({ step: "exists", file, way, id: /workflow "([^"]+)"/.exec(err.message)?.[1] ?? idIn(file.text) });
      setState({ step: "refused", file, way, issues: issuesOf(err), message: errorText(err) });
    }
  };
  const take = async (file: File | undefined) => {
    if (!file) return;
    const type = /\.json$/i.test(file.name) ? "application/json" as const : "application/yaml" as const;
    try {
      await send({ name: file.name, text: (await readTextFile(file, FILE_MAX)).text, type }, {});
    } catch (err) {
      setState({ step: "refused", file: { name: file.name, text: "", type }, way: {}, issues: [], message: (err as Error).message });
    }
  };
  return { take, dialog: state && <ImportDialog state={state} onSend={(way) => void send(state.file, way)} onClose={() => setState(undefined)} /> };
}

const idIn = (text: string): string => /^\s*"?id"?\s*:\s*"?([A-Za-z0-9_.-]+)/m.exec(text)?.[1] ?? "";

export function ImportButton({ primary, label }: { primary?: boolean; label?: string }) {
  const w = useWords(importWords);
  const file = useRef<HTMLInputElement>(null);
  const { take, dialog } = useImport();
  return (
    <>
      <button type="button" className={primary ? "primary" : undefined} onClick={() => file.current?.click()}><Icon name="file" size={14} />{label ?? w.openFile}</button>
      <input ref={file} type="file" hidden accept=".yaml,.yml,.json" aria-label={w.openFile} data-testid="workflow-file"
        onChange={(e) => { void take(e.target.files?.[0]); e.target.value = ""; }} />
      {dialog}
    </>
  );
}

function Issues({ list }: { list: Issue[] }) {
  return <ul className="issue-list">{list.map((i, n) => <li key={n}>{i.path && <code>{i.path}</code>} {i.message}{i.fix && <span className="faint"> → {i.fix}</span>}</li>)}</ul>;
}

function ImportDialog({ state, onSend, onClose }: { state: State; onSend: (way: Way) => void; onClose: () => void }) {
  const w = useWords(importWords);
  const c = useWords(common);
  return (
    <Dialog title={w.title(state.file.name)} onClose={onClose} wide>
      <div className="dialog-body" data-testid="import-dialog">
        {state.step === "busy" && <p role="status"><span className="spinner" aria-hidden="true" /> {w.importing(state.file.name)}</p>}
        {state.step === "done" && <Done result={state.result} onClose={onClose} />}
        {state.step === "exists" && <Exists state={state} onSend={onSend} />}
        {state.step === "refused" && <Refused state={state} onSend={onSend} />}
      </div>
      {state.step !== "done" && <div className="dialog-actions"><button type="button" onClick={onClose}>{c.cancel}</button></div>}
    </Dialog>
  );
}

function Done({ result, onClose }: { result: Imported; onClose: () => void }) {
  const w = useWords(importWords);
  const leave = (to: string) => { onClose(); go(to); };
  return (
    <>
      <p role="status"><Icon name="check" /> {w.added(result.workflow.name)} {result.format === "staged" && w.staged}</p>
      {result.fixes.length > 0 && <><h3>{w.fixed}</h3><Issues list={result.fixes} /></>}
      {result.warnings.length > 0 && <><h3>{w.warnings}</h3><Issues list={result.warnings} /></>}
      <div className="dialog-actions">
        <button type="button" onClick={() => leave(href.editor(result.workflow.id))}>{w.edit}</button>
        <button type="button" className="primary" autoFocus onClick={() => leave(href.workflow(result.workflow.id))}>{w.open}</button>
      </div>
    </>
  );
}

function Exists({ state, onSend }: { state: Extract<State, { step: "exists" }>; onSend: (way: Way) => void }) {
  const w = useWords(importWords);
  const [id, setId] = useState(`${state.id}-2`);
  return (
    <>
      <p>{w.exists(state.id)} {w.existsAbout}</p>
      <button type="button" className="primary" autoFocus onClick={() => onSend({ ...state.way, update: true })} data-testid="import-update">{w.update}</button>
      <form className="import-other" onSubmit={(e) => { e.preventDefault(); if (id.trim()) onSend({ ...state.way, id: id.trim() }); }}>
        <TextField label={w.otherId} value={id} maxLength={64} mono onChange={setId} testId="import-id" />
        <button type="submit" disabled={!id.trim()}>{w.storeAs}</button>
      </form>
    </>
  );
}

function Refused({ state, onSend }: { state: Extract<State, { step: "refused" }>; onSend: (way: Way) => void }) {
  const w = useWords(importWords);
  const fixable = state.issues.filter((i) => i.fix);
  return (
    <>
      <div className="problems" role="alert">
        <p>{w.notStored}</p>
        {state.issues.length ? <Issues list={state.issues} /> : <p>{state.message}</p>}
      </div>
      {fixable.length > 0 && !state.way.fix && (
        <div className="import-repair"><p>{w.fixable(fixable.length)}</p>
          <button type="button" className="primary" autoFocus onClick={() => onSend({ ...state.way, fix: true })} data-testid="import-fix">{w.repair}</button>
        </div>
      )}
    </>
  );
}
