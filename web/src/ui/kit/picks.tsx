// Several values in a field: words that are typed, or names that are chosen, in an order.

import { useId, useState, type KeyboardEvent } from "react";
import { Icon } from "@/ui/icons";
import { dict, useWords } from "@/words/words";
import { Field } from "./field";

const words = dict({
  en: {
    remove: (name: string) => `Remove ${name}`, up: (name: string) => `Move ${name} up`, choose: "Add…", add: "Add", enter: "Enter adds it",
    gone: "not there any more",
  },
  zh: { remove: (name: string) => `移除 ${name}`, up: (name: string) => `上移 ${name}`, choose: "添加…", add: "添加", enter: "按回车添加", gone: "已不存在" },
});

interface Shared { label: string; about?: string; error?: string; optional?: boolean; disabled?: boolean; values: readonly string[]; onChange: (values: string[]) => void; testId?: string }

/** Words that are typed: Enter or a comma adds one. */
export function WordsField({ values, onChange, disabled, testId, suggestions, mono, ...field }: Shared & { suggestions?: readonly string[]; mono?: boolean }) {
  const w = useWords(words);
  const [text, setText] = useState("");
  const listId = useId();
  const add = () => {
    const fresh = text.split(/[,，]/).map((t) => t.trim()).filter((t) => t && !values.includes(t));
    if (fresh.length) onChange([...values, ...fresh]);
    setText("");
  };
  const onKey = (e: KeyboardEvent) => {
    if ((e.key === "Enter" || e.key === "," || e.key === "，") && text.trim() && !e.nativeEvent.isComposing) {
      e.preventDefault();
      add();
    } else if (e.key === "Backspace" && !text && values.length) onChange(values.slice(0, -1));
  };
  return (
    <Field {...field}>
      {(control) => (
        <div className="picks">
          {values.map((v) => (
            <span key={v} className={`chip ${mono ? "mono" : ""}`}>{v}
              <button type="button" className="quiet tiny" disabled={disabled} aria-label={w.remove(v)} onClick={() => onChange(values.filter((x) => x !== v))}><Icon name="close" size={11} /></button>
            </span>
          ))}
          <input {...control} value={text} disabled={disabled} data-testid={testId} placeholder={w.enter} list={suggestions && listId}
            onChange={(e) => setText(e.target.value)} onKeyDown={onKey} onBlur={add} />
          {suggestions && <datalist id={listId}>{suggestions.filter((s) => !values.includes(s)).map((s) => <option key={s} value={s} />)}</datalist>}
        </div>
      )}
    </Field>
  );
}

export interface Choice { id: string; name: string; mark?: string }

/** Names that are chosen from a list; their order counts. */
export function PickField({ values, onChange, disabled, testId, choices, ...field }: Shared & { choices: readonly Choice[] }) {
  const w = useWords(words);
  const nameOf = (id: string) => choices.find((c) => c.id === id);
  const left = choices.filter((c) => !values.includes(c.id));
  const up = (i: number) => onChange(values.map((v, j) => (j === i - 1 ? values[i]! : j === i ? values[i - 1]! : v)));
  return (
    <Field {...field}>
      {(control) => (
        <div className="pick-list">
          {values.length > 0 && (
            <ol>
              {values.map((id, i) => {
                const known = nameOf(id);
                const name = known?.name ?? id;
                return (
                  <li key={id}>
                    <span className="pick-mark" aria-hidden="true">{known?.mark ?? i + 1}</span>
                    <span className="pick-name">{name}{known ? "" : <em className="faint"> {w.gone}</em>}</span>
                    <button type="button" className="quiet square small" disabled={disabled || i === 0} aria-label={w.up(name)} onClick={() => up(i)}><Icon name="up" size={13} /></button>
                    <button type="button" className="quiet square small" disabled={disabled} aria-label={w.remove(name)} onClick={() => onChange(values.filter((v) => v !== id))}><Icon name="close" size={13} /></button>
                  </li>
                );
              })}
            </ol>
          )}
          <select {...control} value="" disabled={disabled || left.length === 0} data-testid={testId} onChange={(e) => e.target.value && onChange([...values, e.target.value])}>
            <option value="">{w.choose}</option>
            {left.map((c) => <option key={c.id} value={c.id}>{c.name}</option>)}
          </select>
        </div>
      )}
    </Field>
  );
}
