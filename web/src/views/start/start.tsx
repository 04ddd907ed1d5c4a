// Choose a workflow, fill in what it asks for, start.

import { useCallback, useEffect, useId, useRef, useState } from "react";
import { api, ApiError } from "@/client/http";
import type { Json, Workflow } from "@sluice/client";
import { WorkflowGraph } from "@/graph/graph";
import { inputTitle, plural, pretty, words } from "@/ui/format";
import { Icon } from "@/ui/icons";
import "@xyflow/react/dist/base.css";
import "@/style/session.css";
import { useApp, useLink } from "@/app/context";
import { href } from "@/app/route";
import type { ViewProps } from "@/app/views";
import { fieldsOf, readForm, SchemaForm, submitOnCtrlEnter, valuesFrom, type FormValues } from "@/ui/schema-form";

// A session's name is what the list shows and the search finds.
const NAME_MAX = 120;

export default function StartPage({ params, query }: ViewProps) {
  const { openMenu: onMenu } = useApp();
  const { workflowId } = params;
  const from = query.get("from") ?? undefined;
  // The server can be reached; when it comes back, what failed is tried again.
  const live = useLink().state === "live";
  const [workflows, setWorkflows] = useState<Workflow[]>();
  const [error, setError] = useState<ApiError>();
  const load = useCallback(async () => {
    setError(undefined);
    try {
      setWorkflows(await api.workflows());
    } catch (err) {
      setError(err instanceof ApiError ? err : new ApiError(String(err), "internal", 0));
    }
  }, []);
  useEffect(() => void load(), [load, live]);
  const chosen = workflowId ?? workflows?.[0]?.id;

  return (
    <main className="start">
      <header className="start-head">
        <button type="button" className="quiet square menu-button" aria-label="Sessions" onClick={onMenu}><Icon name="menu" /></button>
        <div>
          <h1>Start a run</h1>
          <p className="faint">Choose a workflow, say what it is about, and watch it word by word.</p>
        </div>
        {workflows && workflows.length > 0 && <AddWorkflow onAdded={load} />}
      </header>
      {error && (
        <div className="empty" role="alert">
          <h2>{error.code === "unreachable" ? "The server cannot be reached" : "The workflows could not be loaded"}</h2>
          <p>{error.code === "unreachable" ? "Is it running? This page goes on as soon as it is back." : error.message}</p>
          <button type="button" onClick={() => void load()}>Try again</button>
        </div>
      )}
      {!error && !workflows && <p className="hint"><span className="spinner" aria-hidden="true" /> Loading workflows…</p>}
      {!error && workflows?.length === 0 && <NoWorkflows onAdded={load} />}
      {!error && workflows && workflows.length > 0 && (
        <div className="start-body">
          <nav className="workflow-list" aria-label="Workflows">
            {workflows.map((w) => (
              <a key={w.id} href={href.workflow(w.id)} aria-current={w.id === chosen ? "true" : undefined} data-testid={`workflow-${w.id}`}>
                <strong>{w.name ?? words(w.id)}</strong>
                {w.description && <span>{w.description}</span>}
                <span className="faint mono">{w.id}{w.version ? ` · v${w.version}` : ""}</span>
              </a>
            ))}
          </nav>
          {chosen && <Setup key={`${chosen}/${from ?? ""}`} id={chosen} from={from} />}
        </div>
      )}
    </main>
  );
}

function NoWorkflows({ onAdded }: { onAdded: () => void }) {
  return (
    <div className="empty">
      <h2>No workflows yet</h2>
      <p>A workflow is a file, YAML or JSON, that says who speaks when. Open one of the examples that come with Sluice, or add one from the command line:</p>
      <pre>sluice flow create examples/council-debate.yaml</pre>
      <AddWorkflow onAdded={onAdded} primary />
    </div>
  );
}

function problemLines(err: unknown): string[] {
  if (!(err instanceof ApiError)) return [String(err)];
  const { details } = err;
  const list = details && typeof details === "object" && !Array.isArray(details) ? details.errors : details;
  if (!Array.isArray(list)) return [err.message];
  const lines = list.map((e) => {
    if (!e || typeof e !== "object" || Array.isArray(e)) return String(e);
    const message = String(e.message ?? "");
    const path = typeof e.path === "string" ? e.path : "";
    return path && !message.startsWith(path) ? `${path}: ${message}` : message;
  }).filter(Boolean);
  return lines.length ? lines : [err.message];
}

function AddWorkflow({ onAdded, primary }: { onAdded: () => void; primary?: boolean }) {
  const file = useRef<HTMLInputElement>(null);
  const [problems, setProblems] = useState<string[]>([]);
  const open = async (chosen: File | undefined) => {
    if (!chosen) return;
    setProblems([]);
    try {
      const type = /\.json$/i.test(chosen.name) ? "application/json" as const : "application/yaml" as const;
      const added = await api.createWorkflow(await chosen.text(), type);
      onAdded();
      if (added.id) location.hash = href.workflow(added.id);
    } catch (err) {
      setProblems(problemLines(err));
    } finally {
      if (file.current) file.current.value = "";
    }
  };
  return (
    <div className="add-workflow">
      <button type="button" className={primary ? "primary" : ""} onClick={() => file.current?.click()}><Icon name="file" size={14} />Open a workflow file…</button>
      <input ref={file} type="file" hidden accept=".yaml,.yml,.json" onChange={(e) => void open(e.target.files?.[0])} data-testid="workflow-file" />
      {problems.length > 0 && (
        <div className="problems" role="alert">
          <p>This workflow was not added:</p>
          <ul>{problems.map((p) => <li key={p} className="mono">{p}</li>)}</ul>
        </div>
      )}
    </div>
  );
}

const GENERIC = { type: "object", properties: { topic: { type: "string", title: "Topic", description: "This workflow does not say what it wants. Most want a topic." } } };

function Setup({ id, from }: { id: string; from?: string }) {
  const [workflow, setWorkflow] = useState<Workflow>();
  const [given, setGiven] = useState<Json>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    const aborter = new AbortController();
    void (async () => {
      try {
        const [w, session] = await Promise.all([
          api.workflow(id, null, aborter.signal),
          from ? api.session(from, aborter.signal).catch(() => undefined) : undefined,
        ]);
        setGiven(session?.input);
        setWorkflow(w);
      } catch (err) {
        if (!aborter.signal.aborted) setError(err instanceof ApiError && err.status === 404 ? `There is no workflow “${id}”.` : (err as Error).message);
      }
    })();
    return () => aborter.abort();
  }, [id, from]);
  if (error) return <section className="setup"><p className="field-error" role="alert">{error}</p></section>;
  if (!workflow) return <section className="setup"><p className="hint"><span className="spinner" aria-hidden="true" /> Loading…</p></section>;
  return <SetupForm workflow={workflow} given={given} />;
}

function SetupForm({ workflow, given }: { workflow: Workflow; given?: Json }) {
  const formId = useId();
  const declared = fieldsOf(workflow.input_schema).length > 0;
  const schema = declared ? workflow.input_schema! : GENERIC;
  const [values, setValues] = useState<FormValues>(() => valuesFrom(schema, given));
  const [json, setJson] = useState<string>();
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [problems, setProblems] = useState<string[]>([]);
  const [starting, setStarting] = useState(false);
  // One key for one intent: a click after a lost answer starts nothing twice.
  const idempotency = useRef(newKey());
  const touch = () => { idempotency.current = newKey(); };

  const submit = async (e: React.FormEvent) => {
    e.preventDefault();
    let input: Json;
    if (json !== undefined) {
      try {
        input = JSON.parse(json) as Json;
      } catch {
        setErrors({ json: "This is not valid JSON." });
        return;
      }
    } else {
      const read = readForm(schema, values);
      setErrors(read.errors);
      if (Object.keys(read.errors).length) {
        const first = Object.keys(read.errors)[0];
        document.getElementById(formId)?.querySelector<HTMLElement>(`[name="${CSS.escape(first ?? "")}"]`)?.focus();
        return;
      }
      input = read.data;
    }
    setErrors({});
    setProblems([]);
    setStarting(true);
    try {
      const name = inputTitle(input)?.slice(0, NAME_MAX);
      const { session_id } = await api.execute(workflow.id, input, idempotency.current, name);
      location.hash = href.session(session_id);
    } catch (err) {
      setProblems(problemLines(err));
      setStarting(false);
    }
  };

  return (
    <section className="setup" aria-label={workflow.name ?? workflow.id}>
      <form id={formId} onSubmit={(e) => void submit(e)} noValidate data-testid="start-form">
        <h2>{workflow.name ?? words(workflow.id)}</h2>
        {workflow.description && <p className="setup-about">{workflow.description}</p>}
        {json === undefined
          ? <SchemaForm schema={schema} values={values} errors={errors} disabled={starting} onChange={(v) => { setValues(v); touch(); }} />
          : (
            <div className="field">
              <label htmlFor={`${formId}-json`}>Input as JSON</label>
              <textarea id={`${formId}-json`} className="code" rows={8} value={json} spellCheck={false} onKeyDown={submitOnCtrlEnter}
                aria-invalid={Boolean(errors.json)} onChange={(e) => { setJson(e.target.value); touch(); }} />
              {errors.json && <p className="field-error">{errors.json}</p>}
            </div>
          )}
        {problems.length > 0 && (
          <div className="problems" role="alert"><p>The run was not started:</p><ul>{problems.map((p) => <li key={p}>{p}</li>)}</ul></div>
        )}
        <div className="setup-actions">
          <button type="submit" className="primary large" disabled={starting} data-testid="start">
            {starting ? <span className="spinner" aria-hidden="true" /> : <Icon name="play" size={14} />}{starting ? "Starting…" : "Start"}
          </button>
          <button type="button" className="quiet" onClick={() => { setJson(json === undefined ? pretty(readForm(schema, values).data) : undefined); setErrors({}); }}>
            {json === undefined ? "Edit as JSON" : "Back to the form"}
          </button>
        </div>
      </form>
      <figure className="preview">
        <figcaption className="faint">{plural(Object.keys(workflow.nodes ?? {}).length, "node")}</figcaption>
        <WorkflowGraph workflow={workflow} />
      </figure>
    </section>
  );
}

// crypto.randomUUID is there in secure contexts only, and a server on a plain LAN address is none.
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
