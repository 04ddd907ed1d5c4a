// The single controls of a form from a schema.

import { useRef, useState, type KeyboardEvent } from "react";
import type { JsonSchema } from "@sluice/client";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { Icon } from "./icons";
import { carriesFiles, readTextFile } from "./text-file";
import { isLong, typeOf, type Choice } from "./schema-shape";
import { jsonProblem } from "./schema-values";
import { formWords } from "./schema-words";

// What is sent inside of the input; more belongs to the attachments.
const DROP_MAX = 1 << 20;

interface InputProps {
  id: string;
  name: string;
  "data-path": string;
  value: string;
  required: boolean;
  disabled?: boolean;
  placeholder?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true;
  onChange: (value: string) => void;
}

export function submitOnCtrlEnter(e: KeyboardEvent<HTMLElement>): void {
  if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
  e.preventDefault();
  (e.currentTarget as HTMLTextAreaElement).form?.requestSubmit();
}

export function ChoiceInput({ choices, value, onChange, placeholder: _, ...rest }: InputProps & { choices: Choice[] }) {
  const w = useWords(formWords);
  const known = value === "" || choices.some((c) => c.key === value);
  return (
    <select {...rest} value={value} onChange={(e) => onChange(e.target.value)}>
      {!rest.required && <option value="">—</option>}
      {rest.required && !value && <option value="" disabled>{w.choose}</option>}
      {!known && <option value={value}>{value}</option>}
      {choices.map((c) => <option key={c.key} value={c.key}>{c.text}</option>)}
    </select>
  );
}

export function NumberInput({ schema, onChange, ...rest }: InputProps & { schema: JsonSchema }) {
  const whole = typeOf(schema) === "integer";
  return <input {...rest} type="number" inputMode={whole ? "numeric" : "decimal"} min={schema.minimum} max={schema.maximum} step={whole ? 1 : "any"}
    onChange={(e) => onChange(e.target.value)} />;
}

const INPUT_TYPES: Record<string, string> = { email: "email", uri: "url", date: "date", password: "password" };

export function TextInput({ schema, onChange, ...rest }: InputProps & { schema: JsonSchema }) {
  if (!isLong(schema)) return <input {...rest} type={INPUT_TYPES[schema.format ?? ""] ?? "text"} onChange={(e) => onChange(e.target.value)} />;
  return <LongInput {...rest} code={schema.format === "code"} onChange={onChange} />;
}

/** Several lines; a text file can be dropped on it. */
function LongInput({ code, onChange, ...rest }: InputProps & { code: boolean }) {
  const w = useWords(formWords);
  const c = useWords(common);
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState<string>();
  const take = async (file: File | undefined) => {
    if (!file || rest.disabled) return;
    setProblem(undefined);
    try {
      onChange((await readTextFile(file, DROP_MAX)).text);
    } catch (err) {
      setProblem((err as Error).message);
    }
  };
  return (
    <div className="schema-text" data-over={over || undefined}
      onDragOver={(e) => { if (carriesFiles(e.dataTransfer)) { e.preventDefault(); setOver(true); } }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        if (!carriesFiles(e.dataTransfer)) return;
        e.preventDefault();
        e.stopPropagation();
        setOver(false);
        void take(e.dataTransfer.files[0]);
      }}>
      <textarea {...rest} className={code ? "code" : undefined} rows={2} onChange={(e) => onChange(e.target.value)} onKeyDown={submitOnCtrlEnter} />
      <button type="button" className="quiet square small schema-file" title={w.fromFile} aria-label={w.fromFile} disabled={rest.disabled} onClick={() => picker.current?.click()}>
        <Icon name="file" size={14} />
      </button>
      <input ref={picker} type="file" hidden accept=".md,.txt,.markdown,text/*" aria-label={w.fromFile}
        onChange={(e) => { void take(e.target.files?.[0]); e.target.value = ""; }} />
      {over && <span className="schema-over">{w.dropHere}</span>}
      {problem && <p className="field-error" role="alert">{problem} <button type="button" className="quiet small" onClick={() => setProblem(undefined)}>{c.dismiss}</button></p>}
    </div>
  );
}

/** Any JSON. Whether it is valid is said when the person has left the field. */
export function JsonInput({ schema, onChange, ...rest }: InputProps & { schema: JsonSchema }) {
  const [left, setLeft] = useState(false);
  const type = typeOf(schema);
  const problem = left && rest.value.trim() && !rest["aria-invalid"] ? jsonProblem(rest.value, type) : undefined;
  return (
    <div className="schema-text">
      <textarea {...rest} className="code" rows={3} spellCheck={false} placeholder={rest.placeholder ?? (type === "array" ? "[ … ]" : "{ … }")}
        aria-invalid={rest["aria-invalid"] ?? (problem ? true : undefined)} aria-errormessage={problem ? `${rest.id}-json` : undefined}
        onFocus={() => setLeft(false)} onBlur={() => setLeft(true)} onChange={(e) => onChange(e.target.value)} onKeyDown={submitOnCtrlEnter} />
      {problem && <p className="field-error" id={`${rest.id}-json`}>{problem}</p>}
    </div>
  );
}

interface SeveralProps {
  label: string; about?: string; error?: string; required: boolean; choices: Choice[]; value: string[]; path: string; disabled?: boolean;
  onChange: (value: string[]) => void;
}

/** Some of a few: a box for each, in their order. */
export function SeveralInput({ label, about, error, required, choices, value, path, disabled, onChange }: SeveralProps) {
  const c = useWords(common);
  const toggle = (key: string, on: boolean) => onChange(choices.map((o) => o.key).filter((k) => (k === key ? on : value.includes(k))));
  return (
    <fieldset className="schema-group" data-path={path}>
      <legend><span>{label}{!required && <span className="optional"> {c.optional}</span>}</span></legend>
      {about && <p className="about">{about}</p>}
      <div className="schema-checks">
        {choices.map((o) => (
          <label key={o.key} className="check">
            <input type="checkbox" checked={value.includes(o.key)} disabled={disabled} onChange={(e) => toggle(o.key, e.target.checked)} />{o.text}
          </label>
        ))}
      </div>
      {error && <p className="field-error">{error}</p>}
    </fieldset>
  );
}
