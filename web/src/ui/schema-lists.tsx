// Lists and maps in a form from a schema: add, take away, move.

import { useEffect, useRef, type ReactNode } from "react";
import type { JsonSchema } from "@sluice/client";
import { common } from "@/words/common";
import { useWords } from "@/words/words";
import { Icon } from "./icons";
import { Labelled, SchemaField, type FieldContext, type FieldProps } from "./schema-form";
import { shapeOf } from "./schema-shape";
import { isObject, join, valueOf, type FormValue } from "./schema-values";
import { formWords } from "./schema-words";

type Props = FieldProps & { items: JsonSchema; about?: string };

const emptyItem = (items: JsonSchema, context: FieldContext) => valueOf(items, undefined, true, { root: context.root, defaults: true }, 2);

/** After a change of the list the focus goes where the hands are. */
function useFocusAfter() {
  const box = useRef<HTMLDivElement>(null);
  const next = useRef<string>(undefined);
  useEffect(() => {
    if (!next.current) return;
    const all = box.current?.querySelectorAll<HTMLElement>(next.current);
    all?.[0]?.focus();
    next.current = undefined;
  });
  return { box, focusOn: (selector: string) => { next.current = selector; } };
}

function Group({ label, path, about, required, error, actions, children }: {
  label: string; path: string; about?: string; required: boolean; error?: string; actions?: ReactNode; children: ReactNode;
}) {
  const c = useWords(common);
  return (
    <fieldset className="schema-group" data-path={path}>
      <legend><span>{label}{!required && <span className="optional"> {c.optional}</span>}</span>{actions}</legend>
      {about && <p className="about">{about}</p>}
      {children}
      {error && <p className="field-error" role="alert">{error}</p>}
    </fieldset>
  );
}

export function ListField({ path, label, items, about, required, value, onChange, context, actions }: Props) {
  const w = useWords(formWords);
  const { box, focusOn } = useFocusAfter();
  const list = Array.isArray(value) ? value : [];
  const title = shapeOf(items, context.root).schema.title;
  const nameOf = (i: number) => (title ? `${title} ${i + 1}` : w.item(i + 1));
  const at = (i: number) => `:scope > [data-item="${i}"]`;
  const move = (from: number, to: number, which: "up" | "down") => {
    const next = [...list];
    next.splice(to, 0, ...next.splice(from, 1));
    const there = which === "up" ? to > 0 : to < list.length - 1;
    focusOn(`${at(to)} [data-move="${there ? which : which === "up" ? "down" : "up"}"]`);
    onChange(next);
  };
  const add = () => {
    focusOn(`${at(list.length)} :is(input, textarea, select)`);
    onChange([...list, emptyItem(items, context)]);
  };
  const tools = (i: number) => (
    <span className="schema-tools">
      {list.length > 1 && <Tool icon="up" name="up" label={w.up(nameOf(i))} disabled={context.disabled || i === 0} onClick={() => move(i, i - 1, "up")} />}
      {list.length > 1 && <Tool icon="down" name="down" label={w.down(nameOf(i))} disabled={context.disabled || i === list.length - 1} onClick={() => move(i, i + 1, "down")} />}
      <Tool icon="close" name="remove" label={w.removeItem(nameOf(i))} disabled={context.disabled} onClick={() => { focusOn(":scope > [data-add]"); onChange(list.filter((_, k) => k !== i)); }} />
    </span>
  );
  return (
    <Group label={label} path={path} about={about} required={required} error={context.errors[path]} actions={actions}>
      <div className="schema-items" ref={box}>
        {list.map((item, i) => (
          <div key={i} data-item={i}>
            <SchemaField path={`${path}[${i}]`} label={nameOf(i)} schema={items} required bare value={item} context={context} actions={tools(i)}
              onChange={(v) => onChange(list.map((old, k) => (k === i ? v : old)))} />
          </div>
        ))}
        <button type="button" className="small" data-add disabled={context.disabled} onClick={add}><Icon name="plus" size={13} />{title ? w.add(title) : w.addItem}</button>
      </div>
    </Group>
  );
}

function Tool({ icon, name, label, disabled, onClick }: { icon: string; name: string; label: string; disabled?: boolean; onClick: () => void }) {
  return <button type="button" className="quiet square small" data-move={name} aria-label={label} title={label} disabled={disabled} onClick={onClick}><Icon name={icon} size={13} /></button>;
}

const rowOf = (row: FormValue): { key: string; value: FormValue } => {
  const { key = "", value = "" } = isObject(row) ? (row as { key?: FormValue; value?: FormValue }) : {};
  return { key: String(key), value };
};

export function MapField({ path, label, items, about, required, value, onChange, context, actions }: Props) {
  const w = useWords(formWords);
  const { box, focusOn } = useFocusAfter();
  const rows = (Array.isArray(value) ? value : []).map(rowOf);
  const set = (i: number, change: Partial<{ key: string; value: FormValue }>) => onChange(rows.map((row, k) => (k === i ? { ...row, ...change } : row)));
  const add = () => {
    focusOn(`:scope > [data-item="${rows.length}"] input`);
    onChange([...rows, { key: "", value: emptyItem(items, context) }]);
  };
  return (
    <Group label={label} path={path} about={about} required={required} error={context.errors[path]} actions={actions}>
      <div className="schema-items" ref={box}>
        {rows.map((row, i) => (
          <div key={i} data-item={i} className="schema-entry">
            <Labelled label={w.key} path={`${path}[${i}]`} required error={context.errors[`${path}[${i}]`]} bare>
              {(told) => <input {...told} data-path={`${path}[${i}]`} value={row.key} placeholder={w.key} disabled={context.disabled} onChange={(e) => set(i, { key: e.target.value })} />}
            </Labelled>
            <SchemaField path={join(path, row.key.trim() || String(i))} label={row.key || w.value} schema={items} required bare value={row.value} context={context}
              onChange={(v) => set(i, { value: v })} actions={(
                <Tool icon="close" name="remove" label={w.removeItem(row.key || w.item(i + 1))} disabled={context.disabled}
                  onClick={() => { focusOn(":scope > [data-add]"); onChange(rows.filter((_, k) => k !== i)); }} />
              )} />
          </div>
        ))}
        <button type="button" className="small" data-add disabled={context.disabled} onClick={add}><Icon name="plus" size={13} />{w.addEntry}</button>
      </div>
    </Group>
  );
}
