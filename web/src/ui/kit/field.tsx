// A labelled field with its hint and its error, tied together for screen readers.

import { useId, type ReactNode } from "react";
import { common } from "@/words/common";
import { useWords } from "@/words/words";

interface Props {
  label: string;
  about?: ReactNode;
  error?: string;
  optional?: boolean;
  /** The control gets id and aria-*: spread them on it. */
  children: (control: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

export function Field({ label, about, error, optional, children }: Props) {
  const c = useWords(common);
  const id = useId();
  const told = [about && `${id}-about`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className="field">
      <label htmlFor={id}>{label}{optional && <span className="optional"> {c.optional}</span>}</label>
      {about && <p className="about" id={`${id}-about`}>{about}</p>}
      {children({ id, ...(told ? { "aria-describedby": told } : {}), ...(error ? { "aria-invalid": true } : {}) })}
      {error && <p className="field-error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}

interface TextProps extends Omit<Props, "children"> {
  value: string;
  onChange: (value: string) => void;
  name?: string;
  rows?: number;
  type?: "text" | "number" | "url" | "password" | "search" | "datetime-local";
  mono?: boolean;
  disabled?: boolean;
  required?: boolean;
  autoFocus?: boolean;
  maxLength?: number;
  hint?: string;
  testId?: string;
}

/** One line, or several with `rows`. */
export function TextField({ value, onChange, rows, type = "text", mono, hint, testId, name, disabled, required, autoFocus, maxLength, ...field }: TextProps) {
  const rest = { name, disabled, required, autoFocus, maxLength, placeholder: hint, className: mono ? "code" : undefined, "data-testid": testId };
  return (
    <Field {...field}>
      {(control) => rows
        ? <textarea {...control} {...rest} rows={rows} value={value} onChange={(e) => onChange(e.target.value)} />
        : <input {...control} {...rest} type={type} value={value} onChange={(e) => onChange(e.target.value)} />}
    </Field>
  );
}

interface SelectProps extends Omit<Props, "children"> {
  value: string;
  onChange: (value: string) => void;
  options: readonly (readonly [value: string, text: string])[];
  disabled?: boolean;
  testId?: string;
}

export function SelectField({ value, onChange, options, disabled, testId, ...field }: SelectProps) {
  return (
    <Field {...field}>
      {(control) => (
        <select {...control} value={value} disabled={disabled} data-testid={testId} onChange={(e) => onChange(e.target.value)}>
          {options.map(([v, text]) => <option key={v} value={v}>{text}</option>)}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, checked, onChange, disabled, testId }: { label: string; checked: boolean; onChange: (v: boolean) => void; disabled?: boolean; testId?: string }) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} disabled={disabled} data-testid={testId} onChange={(e) => onChange(e.target.checked)} />{label}
    </label>
  );
}
