// What the list is narrowed to. All of it stands in the address, so that a link shows the same.

import { useEffect, useRef, useState } from "react";
import { setQuery } from "@/app/route";
import { useWorkflowNames } from "@/app/workflow-names";
import { words as plainWords } from "@/ui/format";
import { Icon } from "@/ui/icons";
import { Field, SelectField, TextField } from "@/ui/kit/field";
import { statusWord } from "@/ui/status";
import { useWords } from "@/words/words";
import { words } from "./words";

export const FILTERS = ["status", "workflow_id", "q", "tag", "user_id", "group_id", "created_after", "created_before", "meta", "order"] as const;
export type Filters = Record<(typeof FILTERS)[number], string>;
const STATES = ["running", "paused", "pending", "completed", "failed", "cancelled"];
const REST = ["tag", "user_id", "group_id", "created_after", "created_before", "meta"] as const;
const TYPING_MS = 250;

export const filtersOf = (query: URLSearchParams): Filters =>
  Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""])) as Filters;

export const isFiltered = (f: Filters): boolean => FILTERS.some((name) => name !== "order" && f[name] !== "");

/** What is typed goes to the address when the hand rests. */
function useTyped(name: keyof Filters, value: string): [string, (text: string) => void] {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    // The address was changed by something else.
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      setQuery({ [name]: text.trim() });
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [name, text]);
  return [text, setText];
}

function Typed({ name, value, label, about, type }: { name: keyof Filters; value: string; label: string; about?: string; type?: "text" | "datetime-local" }) {
  const [text, setText] = useTyped(name, value);
  return <TextField label={label} about={about} value={text} onChange={setText} type={type} name={name} testId={`filter-${name}`} />;
}

export function FilterBar({ filters, searchId }: { filters: Filters; searchId: string }) {
  const w = useWords(words);
  const workflows = useWorkflowNames();
  const known = [...workflows.values()].map((f) => [f.id, f.name || plainWords(f.id)] as const);
  const options = filters.workflow_id && !known.some(([id]) => id === filters.workflow_id) ? [...known, [filters.workflow_id, filters.workflow_id] as const] : known;
  const [search, setSearch] = useTyped("q", filters.q);
  const rest = REST.filter((name) => filters[name]).length;
  return (
    <search className="session-filters">
      <div className="session-filter-row">
        <div className="field grow search">
          <label htmlFor={searchId}>{w.search}</label>
          <input id={searchId} type="search" value={search} data-testid="filter-q" onChange={(e) => setSearch(e.target.value)} />
        </div>
        <SelectField label={w.state} value={filters.status} onChange={(status) => setQuery({ status })} testId="filter-status"
          options={[["", w.allStates], ...STATES.map((s) => [s, statusWord(s)] as const)]} />
        <SelectField label={w.workflow} value={filters.workflow_id} onChange={(workflow_id) => setQuery({ workflow_id })} testId="filter-workflow" options={[["", w.allWorkflows], ...options]} />
        <SelectField label={w.order} value={filters.order || "desc"} onChange={(order) => setQuery({ order: order === "asc" ? order : "" })} testId="filter-order" options={[["desc", w.newest], ["asc", w.oldest]]} />
      </div>
      <details className="session-more" open={rest > 0 || undefined}>
        <summary data-testid="more-filters">{w.more}{rest > 0 && <span className="chip">{rest}</span>}</summary>
        <div className="session-filter-row">
          <Typed name="tag" value={filters.tag} label={w.tag} />
          <Typed name="user_id" value={filters.user_id} label={w.user} />
          <Typed name="group_id" value={filters.group_id} label={w.group} />
          <Day name="created_after" value={filters.created_after} label={w.after} />
          <Day name="created_before" value={filters.created_before} label={w.before} />
          <Typed name="meta" value={filters.meta} label={`${w.meta} (${w.metaAbout})`} />
        </div>
      </details>
      {isFiltered(filters) && (
        <button type="button" className="small quiet clear-filters" data-testid="clear-filters" onClick={() => setQuery(Object.fromEntries(FILTERS.map((f) => [f, ""])))}><Icon name="close" size={12} />{w.clear}</button>
      )}
    </search>
  );
}

function Day({ name, value, label }: { name: keyof Filters; value: string; label: string }) {
  return (
    <Field label={label}>
      {(control) => <input {...control} type="date" value={value} data-testid={`filter-${name}`} onChange={(e) => setQuery({ [name]: e.target.value })} />}
    </Field>
  );
}
