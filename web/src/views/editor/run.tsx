// A run from the editor: as it is saved, or as it stands here.

import { useRef, useState, type FormEvent } from "react";
import type { Json, JsonObject, JsonSchema } from "@sluice/client";
import { client } from "@/client/http";
import { go, href } from "@/app/route";
import { errorText, inputTitle } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Dialog } from "@/ui/kit/dialog";
import { Check } from "@/ui/kit/field";
import { fieldsOf, readForm, SchemaForm, valuesFrom, type FormValues } from "@/ui/schema-form";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { useEditor } from "./context";
import { isObject } from "./model";
import { words } from "./words";

const NAME_MAX = 120;
const LAST = "sluice.editor.input.";

/** The session that was started from here, and the way back to this editor. */
export const RUN_FROM = "sluice.editor.run";

function lastInput(id: string | undefined): Json | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(LAST + (id ?? "new")) ?? "null") as Json;
  } catch {
    return undefined;
  }
}

interface Props { id?: string; dirty: boolean; version?: number; mayEdit: boolean; onSave: () => Promise<number | undefined>; onClose: () => void }

export function RunDialog({ id, dirty, version, mayEdit, onSave, onClose }: Props) {
  const w = useWords(words);
  const c = useWords(common);
  const flow = useEditor((s) => s.flow);
  const schema: JsonSchema | undefined = isObject(flow.input_schema) ? (flow.input_schema as unknown as JsonSchema) : undefined;
  const asked = fieldsOf(schema).length > 0;
  const [values, setValues] = useState<FormValues>(() => valuesFrom(schema, lastInput(id) ?? undefined));
  const [json, setJson] = useState(() => JSON.stringify(lastInput(id) ?? {}, null, 2));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [saveFirst, setSaveFirst] = useState(false);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const key = useRef(crypto.randomUUID?.() ?? String(Math.random()));
  const read = (): JsonObject | undefined => {
    if (asked) {
      const { data, errors: found } = readForm(schema, values);
      setErrors(found);
      return Object.keys(found).length ? undefined : data;
    }
    try {
      const data = JSON.parse(json || "{}") as Json;
      if (isObject(data)) return data;
    } catch {
      // Told below, as is what is no object.
    }
    setErrors({ json: w.badJson });
    return undefined;
  };
  const start = async (e: FormEvent) => {
    e.preventDefault();
    const input = read();
    if (!input) return;
    setBusy(true);
    setError(undefined);
    try {
      const stored = dirty && saveFirst ? await onSave() : dirty ? undefined : version;
      if (dirty && saveFirst && stored === undefined) return onClose();
      const what = id && stored !== undefined ? { workflow_id: id, workflow_version: stored } : { graph: flow };
      const name = inputTitle(input)?.slice(0, NAME_MAX);
      const { session_id } = await client.execute({ ...what, input, ...(name && { name }) }, { idempotencyKey: key.current });
      sessionStorage.setItem(LAST + (id ?? "new"), JSON.stringify(input));
      sessionStorage.setItem(RUN_FROM, JSON.stringify({ session: session_id, from: location.hash }));
      go(href.session(session_id));
    } catch (err) {
      setError(errorText(err));
      setBusy(false);
    }
  };
  return (
    <Dialog title={w.runTitle} onClose={onClose}>
      <form onSubmit={(e) => void start(e)} noValidate data-testid="run-form">
        <div className="dialog-body stack">
          <p>{dirty && !saveFirst ? w.runDraft : version !== undefined && !dirty ? w.runSaved(version) : ""} {w.runAbout}</p>
          {asked && schema ? <SchemaForm schema={schema} values={values} errors={errors} disabled={busy} onChange={setValues} prefix="run/" /> : (
            <div className="field">
              <label htmlFor="run-json">{w.inputJson}</label>
              <textarea id="run-json" className="code" rows={4} value={json} aria-invalid={errors.json ? true : undefined} onChange={(e) => setJson(e.target.value)} />
              {errors.json && <p className="field-error">{errors.json}</p>}
            </div>
          )}
          {dirty && id && mayEdit && <Check label={w.saveFirst} checked={saveFirst} onChange={setSaveFirst} />}
          {error && <p className="field-error" role="alert"><Icon name="warn" size={13} /><strong>{w.notStarted}</strong>{error}</p>}
        </div>
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>{c.cancel}</button>
          <button type="submit" className="primary" disabled={busy} data-testid="run-start">{busy ? <span className="spinner" aria-hidden="true" /> : <Icon name="play" size={13} />}{busy ? w.starting : w.start_}</button>
        </div>
      </form>
    </Dialog>
  );
}
